"""How many listed accounts are expected to be bad: the exact distribution beside a brute-force simulation."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publish.expected import count_chances, expected_bad

risk = st.floats(0, 1)


@given(st.lists(risk, max_size=8))
def test_the_chances_are_those_of_all_outcomes(risks):
    chances = np.zeros(len(risks) + 1)
    for outcome in product([0, 1], repeat=len(risks)):
        each = [p if bad else 1 - p for p, bad in zip(risks, outcome, strict=True)]
        chances[sum(outcome)] += np.prod(each) if each else 1.0
    np.testing.assert_allclose(count_chances(np.array(risks)), chances, atol=1e-12)


@pytest.mark.parametrize("n", [1, 7, 46, 300])
def test_the_interval_holds_nine_of_ten_simulated_days(n):
    random = np.random.default_rng(n)
    risks = np.sort(random.beta(0.6, 3, n))[::-1]
    bad = (random.random((20_000, n)) < risks).sum(axis=1)
    found = expected_bad(risks.tolist())
    assert found.mean == pytest.approx(bad.mean(), abs=4 * bad.std() / np.sqrt(len(bad)) + 1e-6)
    assert np.mean((found.low <= bad) & (bad <= found.high)) > 0.89
    assert np.mean(bad < found.low) < 0.06 and np.mean(bad > found.high) < 0.06
    for narrower in ((found.low + 1, found.high), (found.low, found.high - 1)):  # no end could be closer
        tails = np.mean(bad < narrower[0]), np.mean(bad > narrower[1])
        assert max(tails) > 0.04


@given(st.lists(st.none() | risk, max_size=40))
def test_the_interval_lies_within_the_list_and_around_its_middle(risks):
    found = expected_bad(risks)
    assert 0 <= found.low <= found.high <= len(risks)
    assert found.low - 1 <= found.mean <= found.high + 1
    assert found.mean == pytest.approx(sum(each or 0.0 for each in risks), abs=1e-6)


@pytest.mark.parametrize(
    ("risks", "low", "high"),
    [([], 0, 0), ([0.0, 0.0], 0, 0), ([1.0, 1.0, None], 2, 2), ([0.04], 0, 0), ([0.5], 0, 1), ([0.5] * 100, 42, 58)],
)
def test_of_lists_one_can_do_by_hand(risks, low, high):
    found = expected_bad(risks)
    assert (found.low, found.high) == (low, high)


def test_a_thousand_accounts_keep_every_digit():
    chances = count_chances(np.full(1000, 0.01))
    assert chances.sum() == pytest.approx(1, abs=1e-12)
    assert chances[0] == pytest.approx(0.99**1000, rel=1e-12)
