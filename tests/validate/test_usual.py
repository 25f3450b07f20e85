"""How far a day's counts may be from the usual: chance is allowed for, and matters only to small feeds."""

import pytest

from expectations.usual import Usual, swing_of_users


def usual(count):
    return Usual.of([count] * 5, swing_of_users(count))


def test_a_small_feed_is_not_stopped_by_less_than_one_user():
    assert usual(56).at_least(0.4) < 22, "a day at 0.4 of the usual has 22.4 users, give or take"


def test_a_small_feed_that_nearly_stopped_is_still_noticed():
    assert usual(56).at_least(0.4) > 5


@pytest.mark.parametrize(("bound", "times"), [("at_least", 0.4), ("at_most", 3)])
def test_a_large_feed_keeps_its_bound(bound, times):
    assert getattr(usual(1_000_000), bound)(times) == pytest.approx(1_000_000 * times, rel=0.01)


@pytest.mark.parametrize("count", [0, 1, 7, 56, 1999.5])
def test_bounds_of_counts_are_whole_numbers_around_what_is_usual(count):
    low, high = usual(count).at_least(0.75), usual(count).at_most(2)
    assert isinstance(low, int) and isinstance(high, int)
    assert 0 <= low <= count <= high
