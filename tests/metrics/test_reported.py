"""The share of what is bad that is reported, from reviewed accounts: unbiased by what the list picks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics.reported import STRENGTH, reported_share

NOBODY = np.empty(0)


def reviewed(random, truth, n=4000, seen=0.2):
    """Bad accounts of which the reported ones are easier to see: all that are listed, and one in ten of the others."""
    is_reported = random.random(n) < truth
    is_listed = random.random(n) < np.where(is_reported, 2 * seen, seen / 2)
    propensity = np.where(is_listed, 1.0, 0.1)
    chosen = random.random(n) < propensity
    return is_reported[chosen], propensity[chosen]


def test_without_a_reviewed_account_it_is_the_assumption_and_says_so():
    found = reported_share(NOBODY.astype(bool), NOBODY, 0.6)
    assert (found.share, found.low, found.high) == (0.6, 0.6, 0.6) and found.source == "assumed in the domain pack"


@pytest.mark.parametrize("truth", [0.3, 0.7])
def test_what_the_list_picks_more_often_does_not_count_for_more(truth):
    random = np.random.default_rng(2)
    found = [reported_share(*reviewed(random, truth), 0.5) for _ in range(40)]
    assert np.mean([each.share for each in found]) == pytest.approx(truth, abs=0.04)
    naive = np.mean([reviewed(random, truth)[0].mean() for _ in range(40)])
    assert abs(naive - truth) > 0.08, "the reported share among the reviewed is another"


def test_nine_of_ten_intervals_hold_the_truth():
    random = np.random.default_rng(3)
    truths = np.clip(random.normal(0.6, 0.1, 300), 0.05, 0.95)  # as good as the assumption
    found = [reported_share(*reviewed(random, truth, n=400), 0.6) for truth in truths]
    held = [each.low <= truth <= each.high for each, truth in zip(found, truths, strict=True)]
    assert np.mean(held) > 0.85


@given(st.lists(st.booleans(), min_size=1), st.floats(0.05, 1), st.floats(0.01, 1))
def test_it_lies_between_what_was_found_and_what_was_assumed(is_reported, assumed, propensity):
    flags = np.array(is_reported)
    found = reported_share(flags, np.full(len(flags), propensity), assumed)
    low, high = sorted((float(flags.mean()), assumed))
    assert low - 1e-9 <= found.share <= high + 1e-9 and found.low <= found.high
    assert found.share == pytest.approx((flags.sum() + STRENGTH * assumed) / (len(flags) + STRENGTH))


def test_all_reported_and_assumed_to_be_is_certain():
    found = reported_share(np.ones(3, bool), np.ones(3), 1.0)
    assert (found.share, found.low, found.high) == (1.0, 1.0, 1.0)
