"""Metrics against cases small enough to do by hand, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss

from pipeline.metrics.list_metrics import list_metrics
from pipeline.metrics.reliability import calibration_error
from pipeline.metrics.scored_labels import ScoredLabels


def arrays(rows):
    """(risk, is_bad, day, user) of rows (user, day, risk, is_bad)."""
    user, day, risk, is_bad = zip(*rows, strict=True)
    return np.array(risk, float), np.array(is_bad, bool), np.array(day, np.int32), np.array(user, np.int32)


def measure(risk, is_bad, day, user, reviews=100):
    return list_metrics(ScoredLabels.of(user, day, is_bad), risk, reviews)


def precision_at(risk, is_bad, day, user, reviews):
    return ScoredLabels.of(user, day, is_bad).catch(risk, reviews).precision


def test_precision_is_the_mean_over_days_of_the_share_of_bad_accounts_on_top():
    rows = [(1, 0, 0.9, True), (2, 0, 0.8, False), (3, 0, 0.1, True), (4, 1, 0.7, False), (5, 1, 0.6, False)]
    assert precision_at(*arrays(rows), 2) == pytest.approx((1 / 2 + 0 / 2) / 2)


def test_an_account_found_bad_takes_no_further_review():
    rows = [(1, 0, 0.9, True), (2, 0, 0.5, False), (1, 1, 0.9, True), (3, 1, 0.5, True), (4, 1, 0.4, False)]
    # day 0 reviews 1 (caught); day 1 would list 1 again, and reviews 3 in its place
    assert precision_at(*arrays(rows), 1) == pytest.approx(1.0)


def test_a_bad_account_missed_on_one_day_may_be_found_on_the_next():
    rows = [(1, 0, 0.1, True), (2, 0, 0.5, False), (1, 1, 0.9, True), (2, 1, 0.5, False)]
    assert precision_at(*arrays(rows), 1) == pytest.approx((0 + 1) / 2)


def test_fewer_accounts_than_reviews_leave_reviews_unused():
    assert precision_at(*arrays([(1, 0, 0.9, True)]), 4) == pytest.approx(1 / 4)


def test_equal_risks_are_reviewed_in_the_order_of_users():
    assert precision_at(*arrays([(2, 0, 0.5, True), (1, 0, 0.5, False)]), 1) == 0


def test_calibration_error_of_two_bins_by_hand():
    risk = np.array([0.1, 0.3, 0.6, 0.8])
    is_bad = np.array([False, True, True, True])
    assert calibration_error(risk, is_bad, bins=2) == pytest.approx((abs(0.2 - 0.5) * 2 + abs(0.7 - 1) * 2) / 4)


def test_a_perfectly_calibrated_risk_has_no_error():
    risk = np.repeat([0.0, 0.5, 1.0], 4)
    is_bad = np.array([False] * 4 + [True, False, True, False] + [True] * 4)
    assert calibration_error(risk, is_bad, bins=3) == 0


def test_days_without_anything_bad_have_no_precision_to_speak_of():
    risk, is_bad, day, user = arrays([(1, 0, 0.9, False), (2, 0, 0.1, False)])
    assert measure(risk, is_bad, day, user) == {"user_days": 2, "bad": 0}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=60), st.integers(1, 5))
def test_average_precision_and_brier_are_scikit_learns(cells, reviews):
    risk = np.array([level / 20 for level, _ in cells])
    is_bad = np.array([bad for _, bad in cells])
    is_bad[0] = True
    day = np.arange(len(cells), dtype=np.int32) % 3
    found = measure(risk, is_bad, day, np.arange(len(cells), dtype=np.int32), reviews)
    assert found["average_precision"] == pytest.approx(average_precision_score(is_bad, risk), abs=1e-4)
    assert found["brier"] == pytest.approx(brier_score_loss(is_bad, risk), abs=1e-5)
    assert found["baseline_random"] == pytest.approx(is_bad.mean(), abs=1e-4)
    assert 0 <= found["precision_at_reviews"] <= 1
    assert 0 <= found["expected_calibration_error"] <= 1
