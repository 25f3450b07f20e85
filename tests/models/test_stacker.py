"""The stacker learns what separates, says what it knows of unknown values, and is the same whenever it is trained."""

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.models import stacker

COLUMNS = ["amount", "gap", "noise"]


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(5)
    made = random.normal(size=(2000, 3))
    made[random.random((2000, 3)) < 0.1] = np.nan
    return made


@pytest.fixture(scope="module")
def is_bad(rows):
    return np.nan_to_num(rows[:, 0]) - np.nan_to_num(rows[:, 1]) > 1.5


@pytest.fixture(scope="module")
def booster(rows, is_bad):
    return stacker.fit(COLUMNS, rows, is_bad, np.ones(len(rows)), seed=7, threads=2)


def test_bad_rows_score_above_good_ones(booster, rows, is_bad):
    score = stacker.predict(booster, COLUMNS, rows)
    assert np.all((score >= 0) & (score <= 1))
    assert score[is_bad].mean() > score[~is_bad].mean() + 0.5


def test_equal_rows_give_equal_bytes(booster, rows, is_bad, tmp_path):
    again = stacker.fit(COLUMNS, rows, is_bad, np.ones(len(rows)), seed=7, threads=2)
    stacker.save(booster, tmp_path / "a.ubj")
    stacker.save(again, tmp_path / "b.ubj")
    assert (tmp_path / "a.ubj").read_bytes() == (tmp_path / "b.ubj").read_bytes()


def test_contributions_add_up_to_the_score(booster, rows):
    import xgboost as xgb

    matrix = xgb.DMatrix(rows[:50], feature_names=COLUMNS)
    margin = booster.predict(matrix, output_margin=True)
    bias = booster.predict(matrix, pred_contribs=True)[:, -1]
    added = stacker.contributions(booster, COLUMNS, rows[:50])
    assert added.shape == (50, 3)
    assert added.sum(axis=1) + bias == pytest.approx(margin, abs=1e-4)


def test_what_separates_contributes_and_noise_does_not(booster, rows, is_bad):
    added = np.abs(stacker.contributions(booster, COLUMNS, rows[is_bad])).mean(axis=0)
    assert min(added[:2]) > 3 * added[2]


def test_saved_and_loaded_it_scores_the_same(booster, rows, tmp_path):
    stacker.save(booster, tmp_path / "stacker.ubj")
    loaded = stacker.load(tmp_path / "stacker.ubj", threads=1)
    assert np.array_equal(stacker.predict(loaded, COLUMNS, rows), stacker.predict(booster, COLUMNS, rows))


def test_a_missing_file_is_explained(tmp_path):
    with pytest.raises(InputError, match="cannot read the stacker in 2026-01-01-abc"):
        stacker.load(tmp_path / "2026-01-01-abc" / "stacker.ubj", threads=1)
