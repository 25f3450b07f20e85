"""A risk means what it says, and never changes the order of scores."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.models.calibration import Calibration

ONES = np.ones(20_000)


def drawn(slope, intercept, n=20_000, seed=3):
    """Scores, and outcomes drawn with the risk that this calibration gives them."""
    random = np.random.default_rng(seed)
    score = random.uniform(0.02, 0.98, n)
    return score, random.random(n) < Calibration(slope=slope, intercept=intercept).risk(score)


def test_a_distortion_is_found_and_undone():
    found = Calibration.fit(*drawn(0.6, -1.5), ONES)
    assert found.slope == pytest.approx(0.6, abs=0.05)
    assert found.intercept == pytest.approx(-1.5, abs=0.08)


def test_risks_add_up_to_the_bad_cases():
    score, is_bad = drawn(1.7, 0.4)
    assert Calibration.fit(score, is_bad, ONES).risk(score).sum() == pytest.approx(is_bad.sum(), rel=0.01)


def test_a_row_of_weight_two_counts_as_two_rows():
    score, is_bad = drawn(0.8, 0, n=400)
    twice = Calibration.fit(np.tile(score, 2), np.tile(is_bad, 2), np.ones(800))
    weighted = Calibration.fit(score, is_bad, np.full(400, 2.0))
    assert weighted.slope == pytest.approx(twice.slope, rel=1e-4)
    assert weighted.intercept == pytest.approx(twice.intercept, abs=1e-4)


@pytest.mark.parametrize("outcome", [True, False])
def test_days_with_only_one_outcome_leave_scores_alone(outcome):
    found = Calibration.fit(np.array([0.2, 0.7]), np.array([outcome, outcome]), np.ones(2))
    assert found == Calibration(slope=1, intercept=0)
    assert found.risk(np.array([0.2, 0.7])) == pytest.approx([0.2, 0.7])


def test_scores_that_point_the_wrong_way_are_left_alone():
    score = np.array([0.9, 0.8, 0.2, 0.1])
    assert Calibration.fit(score, score < 0.5, np.ones(4)) == Calibration(slope=1, intercept=0)


def test_a_few_days_that_part_good_from_bad_make_nobody_certain():
    score, is_bad = np.array([0.1, 0.2, 0.15, 0.8, 0.9, 0.85]), np.array([False, False, False, True, True, True])
    risk = Calibration.fit(score, is_bad, np.ones(6)).risk(score)
    assert risk.max() < 0.95
    assert risk.min() > 0.05


@settings(deadline=None)
@given(
    st.floats(0.01, 50),
    st.floats(-50, 50),
    st.lists(st.floats(0, 1), min_size=2, max_size=20),
)
def test_risk_keeps_the_order_of_scores_and_stays_between_0_and_1(slope, intercept, scores):
    ordered = np.sort(np.array(scores))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        risk = Calibration(slope=slope, intercept=intercept).risk(ordered)
    assert np.all(np.diff(risk) >= 0)
    assert np.all((risk >= 0) & (risk <= 1))


def test_saved_and_loaded_it_is_the_same(tmp_path):
    made = Calibration(slope=0.1 + 0.2, intercept=-1 / 3)
    made.save(tmp_path / "calibration.json")
    assert Calibration.load(tmp_path / "calibration.json") == made


def test_a_damaged_file_is_told(tmp_path):
    (tmp_path / "calibration.json").write_text('{"slope": -1, "intercept": 0}')
    with pytest.raises(InputError, match="is damaged"):
        Calibration.load(tmp_path / "calibration.json")
