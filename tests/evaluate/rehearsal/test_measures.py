"""What a rehearsal counts: the weeks beside the truth, and reviewers who see only the list."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.evaluate.mornings import morning_after
from pipeline.evaluate.rehearsal.measures import Entry, ListedDay, week_results
from pipeline.evaluate.rehearsal.picture import picture
from pipeline.evaluate.rehearsal.plan import Plan
from pipeline.evaluate.rehearsal.reviewers import review, verdict_file
from pipeline.evaluate.rehearsal.truth import ShopTruth

DAY = date(2026, 5, 4)
TRUTH = ShopTruth(
    {"ann": {DAY: "bots"}, "bob": {DAY - timedelta(days=3): "sleepers", DAY: "sleepers"}, "eve": {DAY: "bots"}}
)
EVERYBODY = frozenset({"ann", "bob", "eve", "zoe", "yan"})


def listed(*entries, day=DAY, known=()):
    return ListedDay(day, entries, EVERYBODY, frozenset(known))


def picked(account, risk=0.5):
    return Entry(account, "risk", risk, 1.0)


def drawn(account, propensity=0.25):
    return Entry(account, "audit", 0.01, propensity)


def test_a_week_counts_accounts_once_and_rows_as_often_as_they_are_listed():
    later = DAY + timedelta(days=1)
    days = [listed(picked("ann", 0.8), picked("zoe", 0.3), drawn("eve")), listed(picked("ann", 0.1), day=later)]
    [week] = week_results(days, TRUTH, capacity=2)
    assert (week.bad_accounts, week.caught, week.caught_by_audits, week.upper_bound) == (3, 1, 1, 2)
    assert (week.reviews, week.picked, week.found) == (4, 3, 1)
    assert week.expected == pytest.approx(1.2) and week.expected_precision == pytest.approx(0.4)
    assert (week.not_picked, week.audits, week.not_picked_by_audits) == (2, 1, 4)
    assert (week.recall, week.found_precision) == (pytest.approx(1 / 3), pytest.approx(1 / 3))


def test_an_account_known_before_is_neither_bad_nor_caught_but_its_row_is_right():
    [week] = week_results([listed(picked("ann"), known=["ann"])], TRUTH, capacity=5)
    assert (week.bad_accounts, week.caught, week.found) == (2, 0, 1)


def test_a_list_by_surprise_expects_nothing_and_a_week_without_audits_estimates_nothing():
    [week] = week_results([listed(Entry("ann", "surprise", None, 1.0))], TRUTH, capacity=5)
    assert week.expected is None and week.expected_precision is None and week.not_picked_by_audits is None


def test_the_true_share_reported_is_of_accounts_that_were_bad_so_early():
    assert TRUTH.reported_share({"ann"}, DAY - timedelta(days=2)) == 0, "bob alone was bad by then"
    assert TRUTH.reported_share({"ann", "zoe"}, DAY + timedelta(days=1)) == pytest.approx(1 / 3)
    assert TRUTH.reported_share({"ann"}, DAY - timedelta(days=3)) is None


def test_weeks_have_seven_days():
    days = [listed(day=DAY + timedelta(days=n)) for n in range(15)]
    assert [week.week for week in week_results(days, TRUTH, 5)] == [1, 2, 3]


@given(st.lists(st.sampled_from(sorted(EVERYBODY)), unique=True))
def test_reviewers_who_are_never_wrong_know_the_truth(accounts):
    for decision in review(Plan(error=0), TRUTH, DAY, accounts):
        assert decision.is_confirmed == (decision.account in TRUTH.bad_days)
        assert decision.since == min(TRUTH.bad_days.get(decision.account, {None: ""}))


def test_reviewers_are_wrong_as_often_as_planned_and_always_in_the_same_way():
    accounts = [f"u{n}" for n in range(4000)]
    decisions = review(Plan(error=0.1), TRUTH, DAY, accounts)
    assert sum(decision.is_confirmed for decision in decisions) / len(accounts) == pytest.approx(0.1, abs=0.02)
    assert review(Plan(error=0.1), TRUTH, DAY, reversed(accounts)) == decisions[::-1]


def test_a_verdict_file_says_since_when_a_confirmed_account_is_bad(monkeypatch):
    rows = verdict_file(review(Plan(error=0, delay=3), TRUTH, DAY, ["bob", "zoe"])).splitlines()
    decided = (morning_after(DAY) + timedelta(days=3, hours=8)).isoformat()
    assert rows[1:] == [
        f"{DAY},bob,confirmed,sleepers,rehearsal,{decided},account,{DAY - timedelta(days=3)}",
        f"{DAY},zoe,dismissed,,rehearsal,{decided},day,",
    ]


@pytest.mark.parametrize("wrong", [{"weeks": 0}, {"error": 0.5}, {"warm_up": 20}, {"capacity": 0}, {"delay": -1}])
def test_what_cannot_be_rehearsed_is_explained(wrong):
    [name] = wrong
    with pytest.raises(UsageError, match=f"cannot be rehearsed: {name}"):
        Plan(**wrong)


def test_the_same_report_is_the_same_picture():
    weeks = [week.to_dict() for week in week_results([listed(picked("ann"))], TRUTH, 5)]
    report = {"ways": {"one way": weeks, "another": weeks}}
    assert picture(report) == picture(report) and "one way" in picture(report)
