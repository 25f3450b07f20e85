"""Two fits of one base model, each for the accounts that it did not learn from."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest
from labelled_streams import by_order

from pipeline.errors import InputError
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.models.base.halves import Halves
from pipeline.models.tokens.windows import half_of
from pipeline.train.walk_forward import FitOptions, walk_forward


@pytest.mark.parametrize("name", ["novelty", "isolation_forest", "gru"])
def test_a_pair_of_fits_comes_back_the_same_and_is_equal_to_the_byte_on_any_number_of_threads(name, tmp_path):
    samples = by_order(120)
    since = int(np.quantile(samples.windows.day, 0.5))
    found = {n: walk_forward(BASE_MODELS[name], samples, since, FitOptions(seed=7, threads=n)) for n in (1, 2)}
    written = {}
    for threads, walked in found.items():
        place = tmp_path / str(threads)
        place.mkdir()
        walked.final.save(place)
        written[threads] = {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*.*")}
    assert written[1] == written[2] and {file.split("/")[0] for file in written[1]} == {"half_0", "half_1"}
    np.testing.assert_array_equal(found[1].scores, found[2].scores)
    loaded = Halves.load(tmp_path / "1", BASE_MODELS[name].load)
    np.testing.assert_array_equal(loaded.score(samples), found[1].final.score(samples))


@dataclass(frozen=True)
class Always:
    value: float

    def score(self, samples, threads=2):
        return np.full(len(samples), self.value)


def test_a_new_account_is_scored_by_the_half_of_its_id():
    samples, pair = by_order(60), Halves((Always(1.0), Always(2.0)))
    renamed = replace(samples.tokens, users=pa.array([f"new {k}" for k in range(len(samples.tokens.users))]))
    new = replace(samples, tokens=renamed)
    assert pair.score(new).tolist() == (1.0 + half_of(renamed.users)[new.windows.user]).tolist()
    assert pair.exchanged.score(new).tolist() == (3 - pair.score(new)).tolist()
    assert set(pair.score(new)) == {1.0, 2.0} and len(pair.score(new.take(np.zeros(0, np.int64)))) == 0


def test_a_pair_that_lacks_a_half_is_a_clear_error(tmp_path):
    (tmp_path / "half_0").mkdir()
    with pytest.raises(InputError, match="cannot read half_0/about"):
        Halves.load(tmp_path, BASE_MODELS["novelty"].load)
