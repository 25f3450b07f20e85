"""Weighted metrics against scikit-learn's, pairs against draws by hand, and the coverage of intervals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_cases import labelled, market
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline.metrics.bootstrap import Bootstrap, Difference, draw, draw_recalls
from pipeline.metrics.ranking import average_precision
from pipeline.metrics.scored_labels import ScoredLabels

cells = st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 3)), min_size=1, max_size=50)


def paired(cases, a, b, metric, repeats=500, seed=0, reviews=100):
    return draw(cases, [a, b], metric, reviews, Bootstrap(repeats, seed)).difference(a, b)


def value_of(cases, names, metric, reviews=100):
    return draw(cases, names, metric, reviews, Bootstrap(repeats=0)).value


def average_precision_interval(score, is_bad, account):
    labels = ScoredLabels.of(account, np.zeros(len(account), np.int32), is_bad, {"it": score})
    estimate = draw(labels, ["it"], "average_precision", bootstrap=Bootstrap(repeats=200)).estimate("it")
    return estimate.low, estimate.high


@settings(deadline=None)
@given(cells)
def test_it_is_scikit_learns_ties_and_weights_included(rows):
    score, is_bad, weight = (np.array(column) for column in zip(*rows, strict=True))
    score = score.astype(float)
    if is_bad.any():
        assert average_precision(score, is_bad) == pytest.approx(average_precision_score(is_bad, score))
    if (weight * is_bad).any():
        expected = average_precision_score(is_bad, score, sample_weight=weight)
        for kind in (np.float64, np.uint8):
            assert average_precision(score, is_bad, weight.astype(kind)) == pytest.approx(expected)


@settings(deadline=None)
@given(cells)
def test_area_under_roc_is_scikit_learns_of_every_draw(rows):
    score, is_bad, _ = zip(*rows, strict=True)
    cases = labelled([(user, 0, bad) for user, bad in enumerate(is_bad)], a=score)
    draws = draw(cases, ["a"], "roc_auc", bootstrap=Bootstrap(3, seed=1))
    if 0 < sum(is_bad) < len(rows):
        assert draws.value[0] == pytest.approx(roc_auc_score(is_bad, score))
        random = np.random.default_rng(1)
        for found in draws.drawn[:, 0]:
            chosen = random.integers(0, len(rows), len(rows), np.int32)
            if 0 < cases.is_bad[chosen].sum() < len(rows):
                assert found == pytest.approx(roc_auc_score(cases.is_bad[chosen], cases.scores["a"][chosen]))
    else:
        assert np.isnan(draws.value[0])


def test_scores_not_known_share_the_last_place():
    is_bad = np.array([True, False, True, False])
    found = average_precision(np.array([0.1, np.nan, np.nan, np.nan]), is_bad)
    assert found == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 4)


def test_nothing_bad_has_no_average_precision():
    assert np.isnan(average_precision(np.array([1.0, 2.0]), np.array([False, False])))
    assert np.isnan(average_precision(np.array([]), np.array([], bool)))


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


def test_a_pair_is_measured_on_the_same_draws():
    cases = labelled([(1, 0, True), (2, 0, False)], right=[1, 0], wrong=[0, 1])
    draws = draw(cases, ["right", "wrong"], "average_precision", bootstrap=Bootstrap(100))
    # both drawn: 1 against 1/2; the bad one twice: 1 against 1; the ordinary one twice: nothing to find
    assert draws.value.tolist() == [1, 1 / 2]
    assert {tuple(found) for found in np.nan_to_num(draws.drawn, nan=-1)} == {(1, 1 / 2), (1, 1), (-1, -1)}
    assert paired(cases, "right", "wrong", "average_precision") == Difference(1 / 2, 0, 1 / 2)


def test_a_pair_under_a_budget_by_hand():
    rows = [(1, 0, True), (2, 0, False), (3, 1, True), (4, 1, True)]
    cases = labelled(rows, a=[1, 0, 1, 0], b=[0, 1, 1, 0])
    assert paired(cases, "a", "b", "caught", reviews=1).value == 2 - 1
    assert paired(cases, "a", "b", "precision", reviews=1).value == pytest.approx(2 / 2 - 1 / 2)
    assert paired(cases, "a", "b", "recall", reviews=1).value == pytest.approx(2 / 3 - 1 / 3)


def test_where_one_account_in_three_was_read_the_others_take_their_reviews():
    cases = labelled([(0, 0, False), (1, 0, True), (2, 0, True)], clever=[0.1, 0.9, 0.8], plain=[0.9, 0.8, 0.1])
    sampled = replace(cases, stands_for=np.array([3.0, 1.0, 1.0]))
    assert paired(cases, "clever", "plain", "caught", reviews=2).value == 2 - 1
    assert paired(sampled, "clever", "plain", "caught", reviews=2).value == 2 - 0
    assert paired(sampled, "clever", "plain", "caught", reviews=4).value == 2 - 1


def test_the_same_contender_twice_is_no_different():
    cases = market(np.random.default_rng(2))
    found = paired(cases, "a", "a", "precision", repeats=50, reviews=10)
    assert found == Difference(0, 0, 0) and not found.is_better and not found.is_worse


def test_better_and_worse_are_the_two_ends_of_one_pair():
    cases = market(np.random.default_rng(3), accounts=600, skills=(4, 0.5))
    for metric in ("average_precision", "precision", "recall", "caught"):
        there, back = (paired(cases, *names, metric, repeats=100, reviews=20) for names in ("ab", "ba"))
        assert there.is_better and back.is_worse and not there.is_worse
        assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


@pytest.mark.parametrize("reviews", [1, 7, 1000])
def test_what_is_drawn_from_is_what_the_metrics_say(reviews):
    cases = market(np.random.default_rng(4))
    catch = cases.catch(cases.scores["a"], reviews)
    found = [value_of(cases, ["a"], name, reviews)[0] for name in ("precision", "recall", "caught")]
    assert found == [catch.precision, catch.recall, catch.total]


def test_recall_of_a_group_is_of_its_accounts_under_the_budget_of_all():
    rows = [(1, 0, "bots"), (2, 0, "theft"), (3, 0, None), (1, 1, "theft"), (4, 1, "bots"), (5, 1, None)]
    cases = labelled(rows, us=[9, 1, 5, 9, 1, 5], them=[1, 9, 5, 9, 1, 5])
    groups = {name: cases.is_bad & (cases.typology == name) for name in ("bots", "theft", "nobody")}
    found = draw_recalls(cases, ["us", "them"], groups, 1, Bootstrap(20))
    # we catch 1 on the first day, and it is gone; they catch 2, and 1 on the second, which is both
    assert found["bots"].value.tolist() == [1 / 2, 1 / 2]
    assert found["theft"].value.tolist() == [1 / 2, 1]
    assert np.isnan(found["nobody"].value).all() and np.isnan(found["nobody"].drawn).all()


def test_of_the_group_of_all_recall_is_recall():
    cases = market(np.random.default_rng(8), skills=(1.6, 0.3))
    bootstrap = Bootstrap(30, seed=2)
    recall = draw(cases, list("ab"), "recall", 7, bootstrap)
    among = draw_recalls(cases, list("ab"), {"all": cases.is_bad}, 7, bootstrap)["all"]
    np.testing.assert_allclose(among.value, recall.value)
    np.testing.assert_allclose(among.drawn, recall.drawn)


def test_nothing_bad_has_no_difference():
    found = paired(labelled([(1, 0, False)], a=[1], b=[2]), "a", "b", "recall", repeats=5)
    assert np.isnan([found.value, found.low, found.high]).all() and not found.is_better and not found.is_worse


def test_pairs_of_one_draw_are_the_pairs_by_themselves():
    cases = market(np.random.default_rng(5), skills=(1.6, 1.2, 0.3))
    draws = draw(cases, list("abc"), "precision", 10, Bootstrap(40, seed=9))
    assert draws.difference("a", "c") == paired(cases, "a", "c", "precision", 40, seed=9, reviews=10)
    assert draws.estimate("b").low <= draws.value[1] <= draws.estimate("b").high


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["average_precision", "precision"])
def test_ninety_five_per_cent_intervals_hold_the_truth_about_that_often(metric):
    """Three standard errors of 200 tries either side of 0.95."""
    random = np.random.default_rng(6)
    sizes = {"accounts": 200, "days": 2}
    differences = [np.subtract(*value_of(market(random, **sizes), "ab", metric, 10)) for _ in range(1000)]
    truth = np.nanmean(differences)
    pairs = [paired(market(random, **sizes), "a", "b", metric, 100, reviews=10) for _ in range(200)]
    assert 0.90 <= np.mean([pair.low <= truth <= pair.high for pair in pairs]) <= 0.996


def test_two_equally_good_contenders_are_seldom_told_apart():
    random = np.random.default_rng(7)
    pairs = [
        paired(market(random, accounts=200, days=2, skills=(1.4, 1.4)), "a", "b", "average_precision", 100)
        for _ in range(200)
    ]
    assert np.mean([pair.is_better or pair.is_worse for pair in pairs]) <= 0.10
