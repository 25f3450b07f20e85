"""Reliability against bins done by hand, and what no order of rows may change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics.reliability import (
    Bin,
    calibration_error,
    calibration_error_by_chance,
    expected_and_observed_precision,
    reliability,
)


def test_bins_hold_equally_many_from_the_lowest_risk_up():
    risk = np.array([0.8, 0.1, 0.6, 0.3])
    is_bad = np.array([True, False, False, True])
    low, high = reliability(risk, is_bad, bins=2)
    assert (low.user_days, low.mean_risk, low.bad_share) == (2, pytest.approx(0.2), 0.5)
    assert (high.user_days, high.mean_risk, high.bad_share) == (2, pytest.approx(0.7), 0.5)
    assert calibration_error(risk, is_bad, bins=2) == pytest.approx((0.3 * 2 + 0.2 * 2) / 4)


def test_equal_risks_share_a_bin():
    risk, is_bad = np.full(40, 0.5), np.arange(40) < 20
    assert reliability(risk, is_bad, bins=20) == [Bin(40, 0.5, 0.5)]
    assert calibration_error(risk, is_bad) == 0  # cut into bins by row, it would be 0.5


rows = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=60)


@settings(deadline=None)
@given(rows, st.integers(1, 25), st.randoms())
def test_the_order_of_rows_changes_nothing_and_no_row_is_lost(cells, bins, random):
    def of(these):
        risk, is_bad = (np.array(column) for column in zip(*these, strict=True))
        return reliability(risk / 8, is_bad, bins)

    found = of(cells)
    assert sum(each.user_days for each in found) == len(cells) and len(found) <= bins
    assert sum(each.bad_share * each.user_days for each in found) == pytest.approx(sum(bad for _, bad in cells))
    assert [each.mean_risk for each in found] == sorted(each.mean_risk for each in found)
    assert [tuple(vars(each).values()) for each in of(random.sample(cells, len(cells)))] == [
        pytest.approx(tuple(vars(each).values())) for each in found
    ]


@settings(deadline=None)
@given(rows)
def test_one_bin_is_the_gap_between_the_means(cells):
    risk, is_bad = (np.array(column) for column in zip(*cells, strict=True))
    assert calibration_error(risk / 8, is_bad, bins=1) == pytest.approx(abs(risk.mean() / 8 - is_bad.mean()))


def test_true_risks_show_the_calibration_error_of_chance_and_wrong_ones_more():
    random = np.random.default_rng(3)
    is_within = []
    for seed in range(100):
        risk = random.beta(1, 30, 3000)
        low, high = np.quantile(calibration_error_by_chance(risk, seed=seed), [0.025, 0.975])
        is_within.append(low <= calibration_error(risk, random.random(3000) < risk) <= high)
        assert calibration_error(risk, random.random(3000) < 2 * risk) > high
    assert 0.88 <= np.mean(is_within) <= 1  # three standard errors around 0.95


def test_the_calibration_error_of_chance_shrinks_with_the_root_of_how_many_there_are():
    few, many = (calibration_error_by_chance(np.tile(np.linspace(0.01, 0.4, 100), n)).mean() for n in (10, 160))
    assert few / many == pytest.approx(4, rel=0.1)


def test_no_user_days_have_no_calibration():
    nothing = np.array([])
    assert np.isnan(calibration_error_by_chance(nothing)).all()
    assert reliability(nothing, nothing.astype(bool)) == [] and np.isnan(calibration_error(nothing, nothing))


def test_expected_and_observed_precision_are_of_the_reviewed():
    risk, is_bad = np.array([0.9, 0.7, 0.1]), np.array([True, False, True])
    reviewed = np.array([True, True, False])
    assert expected_and_observed_precision(risk, is_bad, reviewed) == (pytest.approx(0.8), pytest.approx(0.5))
    assert np.isnan(expected_and_observed_precision(risk, is_bad, np.zeros(3, bool))).all()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(1, 3)), min_size=1, max_size=60))
def test_a_heavy_user_day_weighs_in_the_calibration_error_like_as_many_light_ones(rows):
    risk, is_bad, weight = (np.array(column) for column in zip(*rows, strict=True))
    risk = risk / 10
    repeated = np.repeat(risk, weight), np.repeat(is_bad, weight)
    assert calibration_error(risk, is_bad, weight.astype(float)) == pytest.approx(calibration_error(*repeated))
