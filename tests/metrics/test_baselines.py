"""The upper bound against every possible plan, and the random baseline at chance."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_cases import labelled, market
from sklearn.metrics import roc_auc_score

from pipeline.metrics.baselines import ORACLE, RANDOM, oracle, with_baselines
from pipeline.metrics.bootstrap import Bootstrap, draw

ONCE = Bootstrap(repeats=0)


def caught_by(cases, score, reviews):
    return cases.catch(score, reviews).total


def test_an_oracle_does_not_spend_a_review_on_who_can_be_caught_later():
    cases = labelled([(1, 0, True), (2, 0, True), (1, 1, True)])
    assert caught_by(cases, oracle(cases, 1), 1) == 2
    assert caught_by(cases, cases.is_bad.astype(float), 1) == 1  # the first account first, and the second never


def test_knowing_each_last_bad_day_would_not_be_enough():
    # 2 is bad until day 2 and 1 until day 3, but on day 3 its only place is needed by 3
    cases = labelled([(1, 0, True), (1, 3, True), (2, 0, True), (2, 2, True), (3, 3, True)])
    assert caught_by(cases, oracle(cases, 1), 1) == 3


bad_days = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=7).map(sorted)


@settings(deadline=None, max_examples=60)
@given(bad_days, st.integers(1, 2))
def test_no_plan_catches_more_than_the_oracle(cells, reviews):
    cases = labelled([(user, day, True) for user, day in cells] + [(9, day, False) for day in range(3)])
    accounts = sorted({user for user, _ in cells})
    choices = [[None, *(day for user, day in cells if user == account)] for account in accounts]
    plans = ([day for day in plan if day is not None] for plan in product(*choices))
    most = max(len(plan) for plan in plans if max(np.bincount(plan, minlength=1)) <= reviews)
    assert caught_by(cases, oracle(cases, reviews), reviews) == most


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 12))
def test_nobody_beats_the_oracle_and_its_average_precision_is_1(seed, reviews):
    cases = with_baselines(market(np.random.default_rng(seed), accounts=60, bad_share=0.4, skills=(9, 2)), reviews)
    found = draw(cases, ["a", "b", RANDOM, ORACLE], "caught", reviews, ONCE).value
    assert found.max() == found[3]
    assert draw(cases, [ORACLE], "average_precision", bootstrap=ONCE).value == [1]


def test_the_random_baseline_is_at_chance_and_the_same_each_time():
    cases = market(np.random.default_rng(0), accounts=4000)
    with_them = with_baselines(cases, 10)
    assert roc_auc_score(cases.is_bad, with_them.scores[RANDOM]) == pytest.approx(0.5, abs=0.03)
    assert np.array_equal(with_them.scores[RANDOM], with_baselines(cases, 10).scores[RANDOM])
