"""What a training writes of its base models is what a bundle reads."""

from types import SimpleNamespace

import numpy as np
from user_days import FIRST_DAY, user_days

from pipeline.models import stacker
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.models.base.halves import Halves
from pipeline.models.calibration import Calibration
from pipeline.train.fitting import BaseModels, _save
from pipeline.train.walk_forward import FitOptions, walk_forward


def test_base_models_that_are_on_are_written_in_halves_early_ones_too_and_others_are_not(tmp_path):
    random = np.random.default_rng(3)
    is_bad, columns = np.tile(np.arange(50) % 7 == 0, 20), ("new_device_count",)
    known = user_days(random.gamma(2, 2, (1000, 1)), is_bad, n_users=50, columns=columns)
    found = walk_forward(BASE_MODELS["novelty"], known, FIRST_DAY + 8, FitOptions(seed=7, threads=1))
    fits = {"base_models": found.final, "early_base_models": found.early}
    base_models = BaseModels({}, {}, {"novelty": fits, "vae": fits}, {}, found.scores)
    booster = stacker.fit(["score_novelty"], found.scores[:, None], known.is_bad, known.weight, 1, 1)
    calibration = Calibration.fit("none", found.scores, known.is_bad, known.weight)
    gates = [SimpleNamespace(base_model=name, is_on=name == "novelty") for name in ("novelty", "vae")]
    _save(
        tmp_path,
        SimpleNamespace(
            gates=gates, calibration=calibration, label_calibration=calibration, early=booster, booster=booster
        ),
        base_models,
    )
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    of_novelty = [f"{folder}/novelty/half_{n}/about.json" for folder in fits for n in (0, 1)]
    assert files == sorted(
        [*of_novelty, "calibration.json", "label_calibration.json", "early_stacker.ubj", "stacker.ubj"]
    )
    for folder, fit in fits.items():
        loaded = Halves.load(tmp_path / folder / "novelty", BASE_MODELS["novelty"].load)
        np.testing.assert_array_equal(loaded.score(known), fit.score(known))
    assert not np.array_equal(found.early.score(known), found.final.score(known))
