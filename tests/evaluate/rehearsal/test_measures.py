"""What a rehearsal counts: the weeks beside the truth, and reviewers who see only the list."""

from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import Domain
from pipeline.errors import UsageError
from pipeline.evaluate.mornings import morning_after
from pipeline.evaluate.rehearsal import _without_audits
from pipeline.evaluate.rehearsal.measures import Entry, ListedDay, way_result
from pipeline.evaluate.rehearsal.picture import picture
from pipeline.evaluate.rehearsal.plan import Plan
from pipeline.evaluate.rehearsal.reviewers import review, verdict_file
from pipeline.evaluate.rehearsal.table import render
from pipeline.evaluate.rehearsal.truth import ShopTruth

DAY = date(2026, 5, 4)
TRUTH = ShopTruth(
    {"ann": {DAY: "bots"}, "bob": {DAY - timedelta(days=3): "sleepers", DAY: "sleepers"}, "eve": {DAY: "bots"}}
)
EVERYBODY = frozenset({"ann", "bob", "eve", "zoe", "yan"})


def listed(*entries, day=DAY, known=(), displaced=(), reported=None):
    return ListedDay(day, entries, EVERYBODY, frozenset(known), frozenset(displaced), reported)


def weeks_of(days, capacity=5):
    return way_result(days, TRUTH, capacity).weeks


def estimated(low, high, true, reviewed=9):
    return {"share": 0.5, "low": low, "high": high, "reviewed": reviewed, "true": true}


def picked(account, risk=0.5):
    return Entry(account, "risk", risk, 1.0)


def drawn(account, propensity=0.25):
    return Entry(account, "audit", 0.01, propensity)


def test_a_week_counts_accounts_once_and_rows_as_often_as_they_are_listed():
    later = DAY + timedelta(days=1)
    days = [listed(picked("ann", 0.8), picked("zoe", 0.3), drawn("eve")), listed(picked("ann", 0.1), day=later)]
    [week] = weeks_of(days, capacity=2)
    assert (week.bad_accounts, week.caught, week.caught_by_audits, week.upper_bound) == (3, 1, 1, 2)
    assert (week.reviews, week.picked, week.found) == (4, 3, 1)
    assert week.expected == pytest.approx(1.2) and week.expected_precision == pytest.approx(0.4)
    assert (week.not_picked, week.audits, week.not_picked_by_audits.value) == (2, 1, 4)
    assert (week.recall, week.found_precision) == (pytest.approx(1 / 3), pytest.approx(1 / 3))


def test_an_account_known_before_is_neither_bad_nor_caught_but_its_row_is_right():
    [week] = weeks_of([listed(picked("ann"), known=["ann"])])
    assert (week.bad_accounts, week.caught, week.found) == (2, 0, 1)


def test_a_list_by_surprise_expects_nothing_and_a_week_without_audits_estimates_nothing():
    [week] = weeks_of([listed(Entry("ann", "surprise", None, 1.0))])
    assert week.expected is None and week.expected_precision is None and week.not_picked_by_audits is None
    assert week.expected_to_found is None


def test_the_true_share_reported_is_of_accounts_that_were_bad_so_early():
    assert TRUTH.reported_share({"ann"}, DAY - timedelta(days=2)) == 0, "bob alone was bad by then"
    assert TRUTH.reported_share({"ann", "zoe"}, DAY + timedelta(days=1)) == pytest.approx(1 / 3)
    assert TRUTH.reported_share({"ann"}, DAY - timedelta(days=3)) is None


def test_weeks_have_seven_days_and_an_account_counts_once_in_all_of_them():
    days = [listed(picked("ann"), day=DAY + timedelta(days=n)) for n in range(15)]
    result = way_result(days, TRUTH, 5)
    assert [week["week"] for week in result.to_dict()["weeks"]] == [1, 2, 3]
    again = ShopTruth({"ann": {day.day: "bots" for day in days}})
    result = way_result(days, again, 5)
    assert [week.bad_accounts for week in result.weeks] == [1, 1, 1]
    assert (result.total.bad_accounts, result.total.caught, result.total.found) == (1, 1, 15)


def test_the_price_of_audits_is_what_the_ranking_would_have_caught_in_their_place_and_nothing_did():
    lost = listed(picked("ann"), drawn("zoe"), displaced=["eve"])
    assert [week.lost_to_audits for week in weeks_of([lost])] == [1]
    assert [week.lost_to_audits for week in weeks_of([listed(drawn("eve"), displaced=["eve"])])] == [0], "drawn"
    assert [week.lost_to_audits for week in weeks_of([listed(drawn("ann"), displaced=["zoe"])])] == [0], "good"
    assert [week.lost_to_audits for week in weeks_of([listed(displaced=["eve"], known=["eve"])])] == [0], "known"


def test_intervals_of_the_share_reported_count_once_people_have_reviewed_and_something_was_bad():
    reports = [estimated(0.4, 0.6, 0.5), estimated(0.4, 0.6, 0.7), estimated(0.6, 0.6, 0.6, reviewed=0), None]
    reports.append(estimated(0.4, 0.6, None))
    days = [listed(day=DAY + timedelta(weeks=n), reported=each) for n, each in enumerate(reports) for _ in range(7)]
    assert way_result(days, TRUTH, 5).to_dict()["reported_share"] == {"intervals": 2, "covered": 1}


@given(st.lists(st.sampled_from(sorted(EVERYBODY)), unique=True), st.integers(0, 40))
def test_reviewers_who_are_never_wrong_know_which_days_were_bad(accounts, later):
    day = DAY + timedelta(days=later)
    decisions = review(Plan(error=0), TRUTH, day, accounts)
    for account in accounts:
        of_account = [each for each in decisions if each.account == account]
        seen = [bad for bad in TRUTH.bad_days.get(account, {}) if bad > day - timedelta(days=28) and bad <= day]
        confirmed = [(each.since, each.day) for each in of_account if each.is_confirmed]
        dismissed = [each.day for each in of_account if not each.is_confirmed]
        assert confirmed == ([(seen[0], seen[-1])] if seen else [])
        assert dismissed == ([] if TRUTH.is_bad(account, day) else [day])


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


REPORT = {
    "ways": {
        name: {
            "crews_read_lists": crews_read_lists,
            **way_result(
                [listed(picked("ann"), drawn("zoe"), reported=estimated(0.4, 0.6, 0.5)), listed()], TRUTH, 5
            ).to_dict(),
        }
        for name, crews_read_lists in (("one way", False), ("another", True))
    }
}


def test_the_same_report_is_the_same_picture():
    drawn = picture(REPORT)
    assert drawn == picture(REPORT) and "one way" in drawn


def test_the_terminal_shows_all_ways_together_then_the_weeks_of_each_and_warns_of_another_shop():
    together, one, another = render(REPORT)
    assert list(together.columns[0].cells) == ["one way", "another"]
    assert list(together.columns[1].cells) == ["1 of 3"] * 2 and list(together.columns[-1].cells) == ["1 of 1"] * 2
    assert one.title == "one way" and "another shop" in another.title
    assert list(one.columns[-1].cells) == ["0.50 (0.50)"]


def scored(*risks):
    users = [f"u{n}" for n in range(len(risks))]
    return pa.table({"user_id": users, **{name: risks for name in ("risk", "surprise", "surprise_percentile")}})


@pytest.mark.parametrize(("next_risk", "listed"), [(0.9, 10), (0.0, 9)])
def test_audit_rows_displace_only_accounts_that_the_ranking_would_have_listed(next_risk, listed):
    pack = Domain.load("shop").model_copy(update={"min_precision": 0.89, "audit_share": 0.1})
    manifest = {"ranked_by": "risk", "cut": {"list_size": 10}}
    assert len(_without_audits(scored(*[0.9] * 9, next_risk, 0.0), manifest, pack)) == listed
