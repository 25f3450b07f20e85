"""Labels come at their own pace: how much of a day is known by now, and what the known ones stand for."""

from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipeline.models.labels import SCHEMA
from pipeline.train.clocks import LabelClock

UNTIL = date(2026, 6, 30)


def labels(ages, day=date(2026, 5, 1)):
    """Bad user-days of one day that became known so many days later."""
    rows = [
        {
            "user_id": str(n),
            "event_day": day,
            "known_at": datetime.combine(day + timedelta(days=age), datetime.min.time()) + timedelta(hours=9),
            "typology": None,
        }
        for n, age in enumerate(ages)
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


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
    assert clock.weight(np.array([2, 8, 9, 10, 500])) == pytest.approx([4, 4, 1, 1, 1])


def test_where_every_label_comes_with_the_delay_nothing_is_learned_before():
    assert LabelClock.of(labels([7] * 80), UNTIL, delay_days=7, learn_at=0.5).wait_days == 7


def test_with_few_labels_nothing_is_claimed_about_their_pace():
    assert LabelClock.of(labels([0] * 49), UNTIL, delay_days=5, learn_at=0.01).wait_days == 5


def test_days_too_young_to_be_known_in_full_do_not_speak_for_the_pace():
    young = labels([1] * 500, day=UNTIL - timedelta(days=2))
    old = labels([8] * 60)
    both = pa.concat_tables([young, old])
    assert LabelClock.of(both, UNTIL, delay_days=10).known == LabelClock.of(old, UNTIL, delay_days=10).known


def test_without_a_delay_everything_is_known_at_once():
    assert LabelClock.of(labels([0] * 60), UNTIL, delay_days=0).known == (1.0,)
