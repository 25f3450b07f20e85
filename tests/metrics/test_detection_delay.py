"""Detection delays with censoring, against cases done by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_cases import labelled

from pipeline.metrics.detection_delay import Delays, detection_cases


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


def cases_of(rows, caught, began=None, reported_at=None):
    """Hours and whether detected, per account; `caught` are rows."""
    cases = labelled(rows)
    if began is not None:
        cases = replace(cases, first_bad_at=np.array(began, float))
    found = detection_cases(cases, np.isin(np.arange(len(rows)), caught), reported_at)
    columns = (found.user.tolist(), found.hours.tolist(), found.is_detected.tolist())
    return {user: (hours, is_detected) for user, hours, is_detected in zip(*columns, strict=True)}


def test_a_list_is_out_at_four_in_the_morning_after():
    assert cases_of([(1, 5, True)], caught=[0], began=[5 * 24 + 20]) == {1: (4 + 4, True)}


def test_delay_runs_from_the_first_bad_event_to_the_day_that_caught():
    rows = [(1, 0, True), (1, 1, True), (1, 3, True), (2, 3, False)]
    assert cases_of(rows, caught=[1]) == {1: (24 + 28, True)}


def test_the_undetected_are_looked_for_until_the_last_list():
    assert cases_of([(1, 0, True), (2, 4, False)], caught=[]) == {1: (4 * 24 + 28, False)}


def test_or_until_a_label_reported_them():
    rows = [(1, 0, True), (2, 0, True), (3, 4, False)]
    found = cases_of(rows, caught=[], reported_at=np.array([48.0, np.nan, np.nan]))
    assert found == {1: (48, False), 2: (4 * 24 + 28, False)}


def test_abuse_that_began_before_the_test_is_no_case():
    rows = [(1, 3, True), (2, 3, True)]
    assert cases_of(rows, caught=[0, 1], began=[3 * 24 - 1, 3 * 24]) == {2: (28, True)}


def test_accounts_are_cases_not_days():
    rows = [(1, 0, True), (1, 1, True), (2, 1, True)]
    found = detection_cases(labelled(rows), np.array([True, False, False]))
    assert found.user.tolist() == [1, 2]
    assert found.among(np.array([2], np.int32)).within(72) == 0
    assert found.among(np.array([7], np.int32)).within(72) is None


def test_a_test_without_bad_accounts_has_no_cases():
    assert cases_of([(1, 0, False)], caught=[]) == {}
