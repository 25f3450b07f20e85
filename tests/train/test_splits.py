"""Splits in time: no model learns from a day it is measured on."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.train.splits import split_days

FIRST = date(2026, 1, 1)


def days(n):
    return [FIRST + timedelta(days=k) for k in range(n)]


def test_with_labels_matured_days_teach_the_stacker_and_base_models_are_judged_after_the_first_quarter():
    active = days(40)
    split = split_days(active, active[-1], 7, bad_days=active, needed=10)
    assert split.has_labels
    assert (split.first, split.stack_first, split.stack_last) == (active[0], active[10], active[32])
    assert split.holdout_first == active[28], "the last fifth of 23 days"


@pytest.mark.parametrize("bad_days", [[], days(40)])
def test_the_autoencoders_learn_from_all_days_with_labels_or_without(bad_days):
    active = days(40)
    split = split_days(active, active[-1], 7, bad_days=bad_days, needed=10)
    assert split.has_labels == bool(bad_days)
    assert (split.first, split.last) == (active[0], active[39])
    assert split.stop_first == active[32], "the last fifth"
    assert split.quiet_first == active[12], "four weeks"


@pytest.mark.parametrize(
    ("why", "n", "bad", "delay"),
    [
        ("too few of them", 40, [20] * 9, 7),
        ("not matured", 40, [35] * 50, 7),
        ("only in the first quarter", 40, [5] * 50, 7),
        ("too few after the first quarter", 40, [5] * 50 + [20] * 4, 7),
        ("only in the holdout: nothing to learn from", 40, [31] * 50, 7),
        ("too few days", 9, list(range(9)) * 3, 0),
        ("too few days have matured", 40, list(range(40)), 31),
        ("too few matured days after the first quarter", 40, list(range(40)), 27),
    ],
)
def test_labels_where_they_do_not_help_make_no_stacker(why, n, bad, delay):
    active = days(n)
    split = split_days(active, active[-1], delay, bad_days=[active[k] for k in bad], needed=10)
    assert not split.has_labels, why


def test_bad_days_of_the_first_quarter_teach_the_stacker_too():
    active = days(40)
    assert split_days(active, active[-1], 7, bad_days=[active[5]] * 5 + [active[20]] * 5, needed=10).has_labels


def test_a_label_counts_as_matured_on_the_very_day_its_delay_ends():
    active = days(40)
    assert split_days(active, active[-1], 10, bad_days=active, needed=10).stack_last == active[29]


def test_days_without_events_are_no_days():
    active = days(80)[::2]
    split = split_days(active, active[-1], 7, bad_days=active, needed=10)
    assert split.stack_first == active[10]
    assert split.stack_last == active[-5], "the last active day at least a week before the end"


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 120), min_size=7, max_size=100, unique=True).map(sorted),
    st.integers(0, 60),
    st.lists(st.integers(0, 120), max_size=60),
    st.integers(1, 20),
)
def test_no_part_is_empty_or_reaches_beyond_what_is_known(offsets, delay, bad, needed):
    active = [FIRST + timedelta(days=k) for k in offsets]
    until = active[-1]
    split = split_days(active, until, delay, [FIRST + timedelta(days=k) for k in bad], needed)
    assert active[0] == split.first <= split.stop_first <= split.last == until
    assert active[0] <= split.quiet_first <= until
    if split.has_labels:
        assert split.first < split.stack_first < split.holdout_first <= split.stack_last
        assert split.stack_last <= until - timedelta(days=delay)
