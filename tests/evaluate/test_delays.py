"""Detection delays with censoring, against cases done by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluate.delays import Delays


def delays(*cases):
    """Of cases (hours, is_detected)."""
    hours, is_detected = zip(*cases, strict=True)
    return Delays.of(np.array(hours, float), np.array(is_detected))


def test_without_censoring_it_is_the_share_detected_by_then():
    found = delays((4, True), (8, True), (8, True), (30, True))
    assert [found.within(hours) for hours in (3, 4, 8, 29, 30)] == pytest.approx([0, 1 / 4, 3 / 4, 3 / 4, 1])
    assert found.median == 8


def test_censored_cases_count_until_they_are_lost_sight_of():
    found = delays((1, True), (2, False), (3, True), (4, False))
    # 3 of 4 are left after 1 hour; of the 2 still looked for at 3 hours, one
    assert found.undetected == pytest.approx([3 / 4, 3 / 4 * 1 / 2])
    assert found.within(72) == pytest.approx(1 - 3 / 8)
    assert found.median == 3


def test_a_case_lost_at_the_hour_of_a_detection_counts_in_it():
    assert delays((5, True), (5, False)).undetected == pytest.approx([1 / 2])


def test_the_never_detected_leave_no_median():
    found = delays((10, True), (500, False), (500, False))
    assert found.median is None and found.within(1000) == pytest.approx(1 / 3)
    assert delays((500, False)).median is None


def test_leaving_the_undetected_out_would_flatter():
    cases = [(5, True), (6, True), (400, False), (400, False), (400, False)]
    assert delays(*cases[:2]).within(24) == 1 and delays(*cases).within(24) == pytest.approx(2 / 5)


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=40))
def test_the_curve_falls_from_one_and_never_below_zero(cases):
    found = delays(*cases)
    assert np.all(np.diff(found.undetected, prepend=1.0) <= 1e-12) and np.all(found.undetected >= -1e-12)
    assert np.all(np.diff(found.hours) > 0)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(0, 50))
def test_with_everything_detected_it_is_the_plain_share(hours, limit):
    assert delays(*((hour, True) for hour in hours)).within(limit) == pytest.approx(np.mean(np.array(hours) <= limit))
