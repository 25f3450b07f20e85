"""Lists about several days: which days have one, and what stands on it."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
import small_day
from hypothesis import given
from hypothesis import strategies as st
from listed import files, users
from small_day import add_bundle, add_scores

from pipeline import publish
from pipeline.checkpoints import Finding, Report, write_report
from pipeline.context import Run
from pipeline.domain import Domain
from pipeline.errors import CheckpointFailedError, InputError
from pipeline.models.registry import Entry, write
from pipeline.publish import latest_good, ranking_behind, read_list
from pipeline.publish.ranking import rank, worst_days
from pipeline.settings import Settings

MONDAY, SUNDAY = date(2026, 11, 16), date(2026, 11, 22)
WEEK = [MONDAY + timedelta(days=n) for n in range(7)]
AS_OF = datetime(2026, 11, 23, 4, tzinfo=UTC)
WEEKLY = Domain(
    name="shop",
    currency="EUR",
    event_types={"purchase": "purchase"},
    list_size=4,
    list_every="7 days",
    min_precision=0.3,
)
RISKS = {
    MONDAY: {"ann": 0.2, "bob": 0.1},
    WEEK[2]: {"ann": 0.9, "cat": 0.05, "dan": 0.3},
    WEEK[4]: {"bob": 0.1, "dan": 0.3},
    SUNDAY: {"ann": 0.1, "eve": 0.02},
}


@pytest.fixture
def home(tmp_path):
    """A home with a week of scores. On three of its days nobody did anything."""
    add_bundle(tmp_path)
    for day in WEEK:
        add_scores(tmp_path, RISKS.get(day, {}), day=day, as_of=AS_OF)
    return tmp_path


def publish_on(home, day=SUNDAY, pack=WEEKLY, as_of=AS_OF):
    return publish.run(Run(Settings(home=home), pack, day, as_of))


def report_on(home, day, has_failed=False, outcome="warning"):
    finding = Finding(name="day.user_count", rule="at least 2", outcome=outcome, seen="1", why="A feed broke.")
    report = Report(checkpoint="events", day=day, domain="shop", has_failed=has_failed, findings=[finding])
    write_report(home, report, AS_OF)


def test_an_account_is_on_the_list_once_by_its_worst_day(home):
    publish_on(home)
    rows = read_list(home, SUNDAY)[0].to_pylist()
    listed = [(row["user_id"], row["day"], row["risk"]) for row in rows]
    dan = ("dan", WEEK[4], 0.3)  # of two equal days the later
    assert listed == [("ann", WEEK[2], 0.9), dan, ("bob", WEEK[4], 0.1), ("cat", WEEK[2], 0.05)]


def test_the_reasons_are_those_of_the_day_that_the_row_is_about(home, monkeypatch):
    add_scores(home, {"ann": 0.9}, day=WEEK[2], as_of=AS_OF, users=["abe", "ann", "zoe"], salt="again")
    monkeypatch.setattr(publish, "sentences", lambda row, *others: [f"{row['event_count']:g} events"])
    publish_on(home, pack=WEEKLY.model_copy(update={"list_size": 1}))
    [row] = read_list(home, SUNDAY)[0].to_pylist()
    assert (row["day"], row["reason_1"]) == (WEEK[2], "11 events"), "on other days it had 10"


def test_other_days_have_no_list_and_say_when_there_is_one(home):
    receipt = publish_on(home, WEEK[2])
    assert receipt.details == {"no_list": "until 2026-11-22 is over; the pack makes one every 7 days"}
    assert not (home / "lists").exists()


def test_the_same_inputs_are_the_same_bytes(home, tmp_path_factory):
    publish_on(home)
    again = tmp_path_factory.mktemp("again")
    add_bundle(again)
    for day in reversed(WEEK):
        add_scores(again, RISKS.get(day, {}), day=day, as_of=AS_OF)
    publish_on(again)
    assert files(again) == files(home)
    assert not publish_on(home, as_of=AS_OF).details["is_new"]


def test_the_manifest_names_the_snapshots_of_all_days(home):
    publish_on(home)
    manifest = read_list(home, SUNDAY)[1]
    assert (manifest["first_day"], manifest["day"]) == ("2026-11-16", "2026-11-22")
    assert list(manifest["earlier_snapshots"]) == [str(day) for day in WEEK[:-1]]
    assert manifest["rows"]["scored"] == 5, "accounts, each once"


def test_a_change_on_any_day_is_a_new_revision(home):
    publish_on(home)
    before = read_list(home, SUNDAY)[1]["revision"]
    add_scores(home, RISKS[MONDAY] | {"fay": 0.5}, day=MONDAY, as_of=AS_OF, salt="late")
    publish_on(home)
    assert read_list(home, SUNDAY)[1]["revision"] != before
    assert "fay" in users(home, SUNDAY)


def test_all_days_are_of_one_bundle_that_learned_from_none_of_them(home):
    of_midweek = Entry(
        at=datetime(2026, 11, 19, tzinfo=UTC), action="promoted", bundle="midweek", until=WEEK[2], why="better"
    )
    write(home, of_midweek)
    publish_on(home)
    assert read_list(home, SUNDAY)[1]["bundle"]["id"] == "2026-11-01-abc"
    add_bundle(home, "2026-11-01-new", at=datetime(2026, 11, 20, tzinfo=UTC))
    with pytest.raises(InputError, match="no snapshot of scores for 2026-11-16"):
        publish_on(home)


def test_a_day_that_failed_its_checkpoint_stops_the_list_of_its_week(home):
    report_on(home, MONDAY, has_failed=True, outcome="critical")
    with pytest.raises(CheckpointFailedError, match="the events of 2026-11-16"):
        publish_on(home)


def test_warnings_name_their_day_and_days_that_were_never_validated(home):
    report_on(home, MONDAY)
    report_on(home, SUNDAY)
    publish_on(home)
    warnings = read_list(home, SUNDAY)[1]["warnings"]
    assert "2026-11-16: events: day.user_count: 1, expected at least 2. A feed broke." in warnings
    assert "events: day.user_count: 1, expected at least 2. A feed broke." in warnings
    assert "2026-11-17: events: not validated, the day was never run" in warnings


def test_audit_rows_are_drawn_among_the_accounts_of_all_days(home):
    everyone = {f"u{n:02}": 0.01 for n in range(40)}
    add_scores(home, everyone, day=WEEK[5], as_of=AS_OF, salt="many")
    publish_on(home, pack=WEEKLY.model_copy(update={"list_size": 10, "audit_share": 0.2}))
    table, manifest = read_list(home, SUNDAY)
    strata, rows = manifest["audit"]["strata"], manifest["rows"]
    assert [row["picked_by"] for row in table.to_pylist()].count("audit") == rows["audit"] == 2
    assert sum(stratum["accounts"] for stratum in strata) == 45 - rows["picked"]


def test_a_list_is_the_one_to_work_from_until_the_next_is_due(home):
    publish_on(home)
    saturday = SUNDAY + timedelta(days=6)
    assert not latest_good(home, saturday)[1]["is_stale"]
    stale = latest_good(home, saturday + timedelta(days=1))[1]
    assert stale["stale_why"] == "2026-11-23 to 2026-11-29 has no list yet; this is the list of 2026-11-22"


def test_a_list_is_stale_if_one_of_its_days_failed_since(home):
    publish_on(home)
    report_on(home, WEEK[3], has_failed=True, outcome="critical")
    assert "2026-11-19 failed at the checkpoint 'events'" in latest_good(home, SUNDAY)[1]["stale_why"]


def test_before_the_first_list_the_message_names_the_day_to_run(home):
    with pytest.raises(InputError) as error:
        latest_good(home, SUNDAY + timedelta(days=3), every=7)
    assert error.value.fix == "dawnlist run --day 2026-11-22"


def test_the_ranking_behind_it_has_each_account_once_with_its_day(home):
    publish_on(home)
    ranking = ranking_behind(home, *read_list(home, SUNDAY)).to_pylist()
    assert [row["user_id"] for row in ranking] == ["ann", "dan", "bob", "cat", "eve"]
    assert ranking[0]["day"] == WEEK[2] and ranking[-1]["is_listed"] is False


LEVEL_NAMES = ("risk", "surprise_percentile", "surprise")
LEVELS = st.sampled_from([0.0, 0.25, 0.5, 1.0])
SCORES = st.dictionaries(st.sampled_from("abcdef"), st.tuples(LEVELS, LEVELS, LEVELS))


def table_of(scores):
    columns = {"user_id": pa.array(list(scores), pa.string())}
    for place, name in enumerate(LEVEL_NAMES):
        columns[name] = pa.array([levels[place] for levels in scores.values()], pa.float64())
    return pa.table(columns)


@given(st.lists(SCORES, min_size=2, max_size=5))
def test_the_worst_day_of_an_account_is_that_with_the_highest_levels(scores):
    by_day = {MONDAY + timedelta(days=n): each for n, each in enumerate(scores)}
    worst = worst_days({day: table_of(each) for day, each in by_day.items()})
    expected = {
        user: max((*each[user], day) for day, each in by_day.items() if user in each)
        for user in {user for each in scores for user in each}
    }
    found = {row["user_id"]: (*(row[name] for name in LEVEL_NAMES), row["day"]) for row in worst.to_pylist()}
    assert found == expected
    assert len(worst) == len(found) and rank(worst).equals(worst)


def test_a_daily_list_says_nothing_of_periods(tmp_path):
    add_bundle(tmp_path)
    add_scores(tmp_path)
    publish.run(Run(Settings(home=tmp_path), small_day.SHOP, small_day.DAY, small_day.AS_OF))
    assert not {"first_day", "earlier_snapshots"} & set(read_list(tmp_path, small_day.DAY)[1])
