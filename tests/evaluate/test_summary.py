"""The referee's numbers on cases by hand, and what must hold for any test."""

from dataclasses import replace

import numpy as np
import pytest
from labelled_cases import labelled, market

from pipeline.errors import InputError
from pipeline.evaluate.contender_summary import EvaluationSet
from pipeline.evaluate.list_changes import list_changes
from pipeline.evaluate.report.content import EvaluationReport, Pair, Placebo
from pipeline.evaluate.summary import Summary
from pipeline.metrics.baselines import ORACLE, RANDOM
from pipeline.metrics.bootstrap import Bootstrap, Difference, draw
from pipeline.metrics.list_metrics import list_metrics


def summarise(cases, protocol="", reviews=100, pairs=(), repeats=5):
    return Summary(protocol, {}, pairs, bootstrap=Bootstrap(repeats)).report(EvaluationSet(cases, reviews))


def contender(report, name):
    return next(each for each in report.contenders if each.name == name)


@pytest.fixture(scope="module")
def cases():
    found = market(np.random.default_rng(0), accounts=500, skills=(2.5, 1.5))
    risk = 1 / (1 + np.exp(3 - 2 * found.scores["a"]))
    return replace(
        found, scores={**found.scores, "ours": risk, "baseline: b again": found.scores["b"]}, risks=("ours",)
    )


@pytest.fixture(scope="module")
def report(cases):
    return summarise(cases, "a market", reviews=10, pairs=[("ours", "b")], repeats=50)


def test_every_number_stands_between_baselines_and_an_upper_bound(report):
    assert [each.kind for each in report.contenders] == ["upper_bound", *["contender"] * 3, "baseline", "baseline"]
    assert {report.contenders[0].name, report.contenders[-1].name} == {ORACLE, RANDOM}
    best = contender(report, ORACLE)
    for each in report.contenders:
        assert each.caught <= best.caught
        for mine, most in zip(each.budgets, best.budgets, strict=True):
            assert mine.reviews == most.reviews and mine.recall <= most.recall and mine.precision <= most.precision
        assert {group.name for group in each.typologies} == {"bots", "reviews", "theft"}


def test_a_report_without_a_baseline_or_an_upper_bound_is_refused(report):
    content = report.model_dump()
    for kind in ("baseline", "upper bound"):
        kept = [each for each in content["contenders"] if not each["name"].startswith(kind)]
        with pytest.raises(ValueError, match=f"a report needs {kind}"):
            EvaluationReport.model_validate({**content, "contenders": kept})


def test_the_numbers_are_those_of_the_trainer_and_of_pairs_by_themselves(cases, report):
    ours, score = contender(report, "ours"), cases.scores["ours"]
    found = list_metrics(cases, score, 10)
    assert ours.average_precision.value == pytest.approx(found["average_precision"], abs=1e-4)
    assert ours.precision.value == pytest.approx(found["precision_at_reviews"], abs=1e-4)
    assert ours.reliability.calibration_error == pytest.approx(found["expected_calibration_error"], abs=1e-5)
    assert ours.reliability.brier == pytest.approx(found["brier"], abs=1e-5)
    alone = draw(cases, ["ours"], "average_precision", bootstrap=Bootstrap(50)).estimate("ours")
    assert (ours.average_precision.low, ours.average_precision.high) == (alone.low, alone.high)
    pair = next(pair for pair in report.pairs if pair.metric == "precision")
    alone = draw(cases, ["ours", "b"], "precision", 10, Bootstrap(50)).difference("ours", "b")
    assert (pair.difference.value, pair.difference.low, pair.difference.high) == (alone.value, alone.low, alone.high)
    assert pair.verdict == "better"


def test_a_risk_that_orders_as_a_score_is_judged_as_that_score_and_as_a_risk(report):
    ours, a = contender(report, "ours"), contender(report, "a")
    assert ours.model_dump(exclude={"name", "reliability"}) == a.model_dump(exclude={"name", "reliability"})
    assert a.reliability is None and ours.reliability is not None


def test_typologies_and_kinds_of_accounts_by_hand():
    rows = [(1, 0, "bots"), (2, 0, "theft"), (3, 0, None), (1, 1, "theft"), (4, 1, "bots"), (5, 1, None)]
    cases = replace(labelled(rows, us=[9, 1, 5, 9, 1, 5]), is_new=np.array([0, 1, 0, 0, 1, 0], bool))
    us = contender(summarise(cases, "by hand", reviews=1), "us")
    # reviewed: 1 on day 0 (caught), then 5 on day 1
    found = {group.name: group for group in us.typologies}
    assert (us.caught, us.reviewed, us.precision.value, us.recall.value) == (1, 2, 1 / 2, pytest.approx(1 / 3))
    assert (found["bots"].accounts, found["bots"].user_days, found["bots"].recall) == (2, 2, 1 / 2)
    assert found["theft"].recall == 1 / 2  # account 1, caught as a bot the day before
    assert found["theft"].average_precision == pytest.approx((1 / 1 + 2 / 4) / 2)  # bots are not counted against it
    assert (us.new_accounts.accounts, us.new_accounts.recall, us.new_accounts.precision) == (2, 0, None)
    assert (us.known_accounts.recall, us.known_accounts.precision) == (1, 1 / 2)


def test_the_worst_typology_is_named_ties_by_average_precision():
    rows = [(1, 0, "bots"), (2, 0, "theft"), (3, 0, "reviews"), (4, 0, None)]
    us = contender(summarise(labelled(rows, us=[9, 1, 8, 7]), "ties", reviews=1), "us")
    assert us.worst_typology == "theft"  # as many are missed of reviews, which stand higher


def test_bad_user_days_without_a_typology_are_not_lost():
    us = contender(summarise(labelled([(1, 0, True), (2, 0, False)], us=[1, 0]), reviews=1), "us")
    assert [(group.name, group.accounts) for group in us.typologies] == [("(no typology)", 1)]


def test_user_days_without_a_risk_are_not_judged_by_it():
    rows = [(1, 0, True), (2, 0, False), (3, 0, False)]
    us = contender(summarise(labelled(rows, us=[0.5, np.nan, 0.5], risks=["us"]), reviews=9), "us")
    assert (us.reliability.user_days, us.reliability.calibration_error, us.reliability.brier) == (2, 0, 0.25)


def test_what_cannot_be_measured_is_null_and_reads_back(report):
    rows = [(1, 0, True), (2, 0, False)]
    found = summarise(labelled(rows, us=[np.nan, np.nan], risks=["us"]), reviews=1)
    assert contender(found, "us").reliability.calibration_error is None
    for each in (report, found):
        text = each.model_dump_json()
        assert "NaN" not in text and EvaluationReport.model_validate_json(text) == each


def test_without_anything_bad_there_is_no_report(cases):
    with pytest.raises(InputError, match="no bad user-day"):
        summarise(labelled([(1, 0, False)], us=[1]))
    with pytest.raises(InputError, match="no contender is called"):
        summarise(cases, pairs=[("ours", "nobody")], repeats=1)


def test_who_enters_and_who_leaves_by_hand():
    rows = [(1, 0, True), (2, 0, False), (3, 0, True), (1, 1, False), (2, 1, False)]
    cases = labelled(rows, old=[3, 2, 1, 1, 2], new=[2, 1, 3, np.nan, 2])
    found = list_changes(cases, "old", "new", reviews=1, users=["nobody", "ann", "bob", "cy"])
    first, second = found.days
    assert (first.stay, first.enter, first.leave, first.bad_enter, first.bad_leave) == (0, 1, 1, 1, 1)
    assert [(each.user, each.rank_before, each.rank_after) for each in first.entering] == [("cy", 3, 1)]
    assert [(each.user, each.rank_before, each.rank_after) for each in first.leaving] == [("ann", 1, 2)]
    assert (second.stay, second.enter, second.leave, second.entering) == (1, 0, 0, [])


def test_as_many_enter_as_leave(cases):
    for day in list_changes(cases, "a", "b", reviews=20).days:
        assert day.enter == day.leave and day.stay + day.enter == 20


def test_a_difference_that_nobody_can_see_is_none():
    found = {
        value: Pair.of("a", "b", "roc_auc", Difference(value, value, value)).verdict for value in (1e-5, -1e-5, 0.1)
    }
    assert found == {1e-5: "no different", -1e-5: "no different", 0.1: "better"}


def test_a_group_of_few_accounts_has_no_verdict():
    rows = [(user, 0, "bots" if user < 19 else "theft" if user < 39 else None) for user in range(60)]
    score = {"us": [9.0] * 39 + [1.0] * 21, "them": [1.0] * 39 + [9.0] * 21}
    report = summarise(labelled(rows, **score), "few", reviews=39, pairs=[("us", "them")], repeats=50)
    assert {pair.among: pair.verdict for pair in report.pairs_by_group} == {"bots": "not known", "theft": "better"}


def test_noise_columns_are_shown_by_what_they_add_on_average_at_least_and_at_most():
    """One review a day. The bad one of two is first (1.0, caught), or second (0.5, not caught)."""
    found = labelled([(1, 0, True), (2, 0, False)], features=[1, 0])
    first, second = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    precise, caught = Placebo.all_of("features", [first, second, second, second], found, reviews=1)
    assert (precise.metric, caught.metric) == ("average_precision", "recall")
    assert (precise.range.value, precise.range.low, precise.range.high) == (-0.375, -0.5, 0)
    assert (caught.range.value, caught.range.low, caught.range.high) == (-0.75, -1, 0)
    assert precise.columns == caught.columns == 4
