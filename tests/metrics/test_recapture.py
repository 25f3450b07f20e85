"""How many bad accounts there are in all, from two sources that each name some of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics.recapture import LEAST_BOTH, Recapture

SOURCES = "chargeback", "takedown"


def name(random, accounts, first, second):
    """What two sources say that name each account by itself, with these chances."""
    by_first, by_second = random.random(accounts) < first, random.random(accounts) < second
    counts = int(by_first.sum()), int(by_second.sum()), int((by_first & by_second).sum())
    return Recapture.of(SOURCES, *counts), np.mean(by_first | by_second)


@pytest.mark.parametrize(("accounts", "first", "second"), [(200, 0.5, 0.3), (400, 0.3, 0.2), (1000, 0.2, 0.1)])
def test_nine_of_ten_intervals_hold_the_truth_where_sources_are_independent(accounts, first, second):
    random = np.random.default_rng(5)
    found = [name(random, accounts, first, second) for _ in range(500)]
    assert np.mean([each.in_all for each, _ in found if each]) == pytest.approx(accounts, rel=0.03)
    held = [each.low <= share <= each.high for each, share in found if each]
    assert len(held) > 450 and np.mean(held) == pytest.approx(0.9, abs=0.05)


def test_where_both_name_the_same_ones_more_are_missing_than_it_says():
    random = np.random.default_rng(6)
    is_easy = random.random(4000) < 0.3
    chance = np.where(is_easy, 0.6, 0.05)
    by_first, by_second = random.random(4000) < chance, random.random(4000) < chance
    found = Recapture.of(SOURCES, int(by_first.sum()), int(by_second.sum()), int((by_first & by_second).sum()))
    assert found and found.in_all < 3000


def test_with_few_in_common_nothing_is_claimed():
    assert Recapture.of(SOURCES, 50, 40, LEAST_BOTH - 1) is None
    assert Recapture.of(SOURCES, 50, 40, LEAST_BOTH) is not None


def test_two_equal_lists_miss_nobody():
    found = Recapture.of(SOURCES, 30, 30, 30)
    assert found and (found.in_all, found.share, found.low, found.high) == (30, 1, 1, 1)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(LEAST_BOTH, 300))
def test_it_is_a_share_within_its_interval_and_no_source_comes_first(only_first, only_second, both):
    found = Recapture.of(SOURCES, only_first + both, only_second + both, both)
    turned = Recapture.of(SOURCES, only_second + both, only_first + both, both)
    assert found and turned and found.share == pytest.approx(turned.share)
    assert 0 < found.low <= found.share + 1e-12 and found.share <= found.high + 1e-12 and found.high <= 1 + 1e-12
