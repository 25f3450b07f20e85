"""Weighted average precision against scikit-learn's, and what an interval must hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from pipeline.evaluate.intervals import average_precision, average_precision_interval

cells = st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 3)), min_size=1, max_size=50)


@settings(deadline=None)
@given(cells)
def test_it_is_scikit_learns_ties_and_weights_included(rows):
    score, is_bad, weight = (np.array(column) for column in zip(*rows, strict=True))
    score, weight = score.astype(float), weight.astype(float)
    if is_bad.any():
        assert average_precision(score, is_bad) == pytest.approx(average_precision_score(is_bad, score))
    if (weight * is_bad).any():
        expected = average_precision_score(is_bad, score, sample_weight=weight)
        assert average_precision(score, is_bad, weight) == pytest.approx(expected)


def test_nothing_bad_has_no_average_precision():
    assert np.isnan(average_precision(np.array([1.0, 2.0]), np.array([False, False])))


def test_a_perfect_ranking_is_certain():
    score, is_bad = np.repeat([1.0, 0.0], 20), np.repeat([True, False], 20)
    assert average_precision_interval(score, is_bad, np.arange(40, dtype=np.int32)) == (1.0, 1.0)


def test_days_of_one_account_are_drawn_together():
    random = np.random.default_rng(1)
    is_bad = np.arange(200) % 10 == 0
    score = is_bad + random.normal(0, 1.5, 200)
    many = average_precision_interval(score, is_bad, np.arange(200, dtype=np.int32))
    few = average_precision_interval(score, is_bad, (np.arange(200) // 20).astype(np.int32))
    assert many[0] < average_precision(score, is_bad) < many[1]
    assert few != many
    assert average_precision_interval(score, is_bad, np.arange(200, dtype=np.int32)) == many
