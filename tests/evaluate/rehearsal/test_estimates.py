"""Intervals of what a rehearsal estimates cover the truth about as often as they say."""

import numpy as np
import pytest

from pipeline.evaluate.rehearsal.estimates import Estimate, expected_to_found, weighted_count


def test_no_event_still_allows_three_of_the_largest_weight():
    none = weighted_count([], 100)
    assert (none.value, none.low) == (0, 0) and none.high == pytest.approx(300, rel=0.01)


def test_events_of_equal_weight_have_the_interval_of_a_poisson_count():
    ten = weighted_count([1.0] * 10, 1.0)
    assert (ten.value, ten.low, ten.high) == (10, pytest.approx(5.43, abs=0.01), pytest.approx(16.96, abs=0.01))


@pytest.mark.parametrize("bad", [(40, 12), (6, 3), (0, 1)])
def test_draws_from_two_strata_cover_the_true_number_of_bad_ones(bad):
    random, accounts, draws, days = np.random.default_rng(1), np.array([100, 900]), 2, 28
    covered = 0
    for _ in range(400):
        drawn = random.hypergeometric(np.array(bad), accounts - bad, draws, (days, 2)).sum(axis=0)
        weights = [weight for weight, n in zip(accounts / draws, drawn, strict=True) for _ in range(n)]
        covered += weighted_count(weights, accounts.max() / draws).covers(days * sum(bad))
    assert covered >= 0.88 * 400


def test_risks_that_are_right_cover_one_and_half_of_them_do_not():
    random, covered, halved = np.random.default_rng(2), 0, 0
    for _ in range(40):
        risk = random.uniform(0, 0.4, 300)
        found = (random.random(300) < risk).astype(float)
        covered += expected_to_found(risk, found).covers(1)
        halved += expected_to_found(risk / 2, found).covers(1)
    assert covered >= 0.8 * 40 and halved < 0.1 * 40


def test_rows_of_one_account_are_one_draw():
    once = expected_to_found(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    assert once == Estimate(1.0, 0.5, None), "both draws may be of the good account"


def test_where_nothing_was_found_nothing_is_known_of_the_ratio():
    assert expected_to_found(np.array([0.5, 0.5]), np.zeros(2)) == Estimate(None, 0.0, None)
    assert expected_to_found(np.array([]), np.array([])) is None
