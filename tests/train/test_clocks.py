"""Labels come at their own pace: how much of a day is known by now, and what the known ones stand for."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.labels import ARRIVALS
from pipeline.schemas import VERDICT
from pipeline.train.clocks import MOST_WEIGHT, LabelClock

UNTIL = date(2026, 6, 30)
OLD = date(2026, 5, 1)


def labels(ages, day=OLD, sources=("chargeback", None)):
    """Bad user-days of one day that became known so many days later. By default they are reports."""
    known = [(day + timedelta(days=int(age)), ages.count(age)) for age in sorted(set(ages))]
    rows = [
        {"source": source, "event_day": day, "known_day": known_day, "user_days": count}
        for source in sources
        for known_day, count in known
    ]
    return pa.Table.from_pylist(rows, ARRIVALS)


def verdicts(ages, day=OLD):
    return labels(ages, day, (VERDICT,))


def weights(clock, *named):
    """Of bad user-days, each named by a source at an age."""
    return clock.weight(np.array([age for _, age in named]), np.array([source for source, _ in named]))


def reports(clock, *ages):
    return weights(clock, *(("complaint", age) for age in ages))


def test_half_known_after_two_days_and_all_after_the_delay():
    clock = LabelClock.of(labels([2] * 50 + [9] * 50), UNTIL, delay_days=10)
    assert clock.known[:3] == (0.0, 0.0, 0.5)
    assert clock.known[9:] == (1.0, 1.0)


@pytest.mark.parametrize(("learn_at", "wait_days"), [(0.4, 2), (0.5, 2), (0.6, 9), (1.0, 9)])
def test_a_day_is_learned_from_once_so_much_of_it_should_be_known(learn_at, wait_days):
    known = labels([2] * 50 + [9] * 50)
    assert LabelClock.of(known, UNTIL, delay_days=10, learn_at=learn_at).wait_days == wait_days


def test_a_bad_user_day_known_early_stands_for_those_not_known_yet():
    clock = LabelClock.of(labels([2] * 25 + [9] * 75), UNTIL, delay_days=10)
    assert reports(clock, 2, 8, 9, 10, 500) == pytest.approx([4, 4, 1, 1, 1])


def test_where_every_label_comes_with_the_delay_nothing_is_learned_before():
    assert LabelClock.of(labels([7] * 80), UNTIL, delay_days=7, learn_at=0.5).wait_days == 7


def test_with_few_labels_nothing_is_claimed_about_their_pace():
    assert LabelClock.of(labels([0] * 49), UNTIL, delay_days=5, learn_at=0.01).wait_days == 5


def test_days_too_young_to_be_known_in_full_do_not_flatter_the_pace():
    young = labels([1] * 500, day=UNTIL - timedelta(days=2))
    old = labels([8] * 60)
    both = pa.concat_tables([young, old])
    assert LabelClock.of(both, UNTIL, delay_days=10).known == LabelClock.of(old, UNTIL, delay_days=10).known


def test_without_a_delay_everything_is_known_at_once():
    assert LabelClock.of(labels([0] * 60), UNTIL, delay_days=0).known == (1.0,)


@given(st.lists(st.integers(0, 12), max_size=200), st.floats(0.01, 1))
def test_verdicts_never_make_reports_look_complete(delays, learn_at):
    slow = labels([4] * 20 + [9] * 60)
    both = pa.concat_tables([slow, verdicts(delays)]) if delays else slow
    without, found = (LabelClock.of(each, UNTIL, 10, learn_at) for each in (slow, both))
    assert (found.known, found.wait_days) == (without.known, without.wait_days)
    assert reports(found, *range(12)).tolist() == reports(without, *range(12)).tolist()


def test_with_verdicts_only_a_day_waits_for_its_reports():
    clock = LabelClock.of(verdicts([0] * 500), UNTIL, delay_days=10, learn_at=0.5)
    assert clock.wait_days == 10
    about = clock.to_dict()
    assert (about["reports"], about["reports_known"]) == (0, None), "no pace of reports is claimed"


def test_each_source_has_a_clock_of_its_own_but_no_verdict_is_on_its_way():
    slow, fast, quick = (
        labels([2] * 30 + [9] * 70),
        labels([1] * 80, sources=("takedown",)),
        verdicts([0] * 50 + [3] * 50),
    )
    clock = LabelClock.of(pa.concat_tables([slow, fast, quick]), UNTIL, delay_days=10, learn_at=0.2)
    named = ("chargeback", 2), ("takedown", 2), (VERDICT, 2), (VERDICT, 3), ("complaint", 2)
    assert weights(clock, *named) == pytest.approx([1 / 0.3, 1, 1, 1, 1 / 0.3])


def test_few_verdicts_count_as_they_are():
    clock = LabelClock.of(pa.concat_tables([labels([2] * 25 + [9] * 75), verdicts([3] * 9)]), UNTIL, 10, 0.2)
    assert weights(clock, (VERDICT, 2), ("chargeback", 2)) == pytest.approx([1, 4])


def test_no_label_stands_for_very_many():
    clock = LabelClock.of(labels([0] + [9] * 99), UNTIL, delay_days=10, learn_at=0.01)
    assert reports(clock, 0) == MOST_WEIGHT


def test_the_manifest_says_how_fast_each_source_is():
    clock = LabelClock.of(pa.concat_tables([labels([2] * 50 + [9] * 50), verdicts([1] * 60)]), UNTIL, 10, 0.5)
    assert clock.to_dict() == {
        "wait_days": 2,
        "reports": 100,
        "reports_known": {"7": 0.5, "14": 1.0, "30": 1.0},
        "by_source": [
            {"source": "chargeback", "labels": 100, "median_days": 2, "known": {"7": 0.5, "14": 1.0, "30": 1.0}},
            {"source": VERDICT, "labels": 60, "median_days": 1, "known": {"7": 1.0, "14": 1.0, "30": 1.0}},
        ],
    }
