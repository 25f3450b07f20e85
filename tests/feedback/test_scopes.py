"""What a verdict is about: an event, the day, or all that the account did since a moment. Listed or not."""

from datetime import UTC, date, datetime, timedelta

import pyarrow.parquet as pq
import pytest
import support

from pipeline import feedback
from pipeline.domain import Domain
from pipeline.models.labels import known_bad_user_days
from pipeline.settings import Settings
from pipeline.storage import lake
from pipeline.warehouse import connect

DAY = date(2026, 11, 19)
HEADER = "day,user_id,verdict,decided_at,scope,event_id,since"
DECIDED = "2026-11-20T10:30:00Z"
BACK = (0, 1, 3, 9)  # days before DAY on which eve did something


@pytest.fixture(autouse=True)
def active(home):
    """Accounts that are on no list: eve on several days, and one that is called as the list's CSV shows another."""
    days = [support.moment(DAY - timedelta(days=back)) for back in BACK]
    rows = [support.event("eve", at, f"e{n}") for at in days for n in (1, 2)]
    support.write_events(home, [*rows, support.event("'=cat", days[0], "c")])
    return rows


def labels(home):
    return [row for file in lake.label_files(home) for row in pq.ParquetFile(home / file.path).read().to_pylist()]


def bad_days(home):
    """How many days before DAY eve is known to have been bad."""
    with connect(Settings(home=home)) as con:
        found = known_bad_user_days(con, home, DAY + timedelta(days=5), datetime(2026, 12, 1, tzinfo=UTC))
    return [(DAY - row["event_day"]).days for row in found.to_pylist() if row["user_id"] == "eve"]


def verdict(user="eve", decided="confirmed", scope="", event_id="", since=""):
    return f"{DAY},{user},{decided},{DECIDED},{scope},{event_id},{since}"


def test_an_account_on_no_list_can_be_judged(home, take):
    assert take(verdict(), header=HEADER).accepted == 1
    assert bad_days(home) == [0]


def test_an_account_called_as_the_csv_shows_another_is_ambiguous(take):
    """An account is listed as =cat, which the CSV shows as '=cat, and another is called that."""
    assert take(verdict("'=cat"), verdict("=cat"), header=HEADER).details["reasons"] == {"ambiguous user_id": 1}


@pytest.mark.parametrize("scope", ["event", ""])
def test_a_verdict_on_an_event_labels_that_event(home, take, scope):
    take(verdict(scope=scope, event_id="e2"), header=HEADER)
    [label] = labels(home)
    assert (label["event_id"], label["happened_at"].date(), label["ends_at"]) == ("e2", DAY, None)
    assert bad_days(home) == [0]


def test_a_day_is_a_utc_day_wherever_the_shop_is(home, take, settings):
    east = Domain(name="retail", currency="JPY", timezone="Asia/Tokyo", event_types={"purchase": "purchase"})
    path = home.parent / "east.csv"
    path.write_text(f"{HEADER}\n{verdict(since=str(DAY))}\n{verdict(since=str(DAY + timedelta(days=1)))}\n")
    receipt = feedback.run(settings, east, path)
    assert receipt.details["reasons"] == {"after_the_day since": 1}
    assert bad_days(home) == [0]


@pytest.mark.parametrize("scope", ["account", ""])
@pytest.mark.parametrize(
    ("since", "bad"), [("2026-11-16", [3, 1, 0]), ("2026-11-19 20:00", [0]), ("2020-01-01", [9, 3, 1, 0])]
)
def test_a_verdict_on_an_account_labels_the_days_since_then_on_which_it_was_active(home, take, scope, since, bad):
    take(verdict(scope=scope, since=since), header=HEADER)
    assert bad_days(home) == bad
    [label] = labels(home)
    assert label["ends_at"] == support.moment(DAY, 24), "nobody has seen what it did later"
    support.write_events(home, [support.event("eve", support.moment(DAY + timedelta(days=1)), "later")])
    assert bad_days(home) == bad


def test_a_later_verdict_on_the_account_clears_all_its_days(home, take):
    take(verdict(), verdict(scope="event", event_id="e1"), header=HEADER)
    assert bad_days(home) == [0]
    cleared = verdict(decided="dismissed", since="2026-11-01").replace("T10:30", "T11:00")
    take(cleared, header=HEADER, name="later.csv")
    assert bad_days(home) == []


def test_an_event_that_is_labelled_after_the_account_was_cleared_is_bad(home, take):
    take(verdict(decided="dismissed", since="2026-11-01"), header=HEADER)
    support.write_labels(home, [support.label("eve", support.moment(DAY), support.moment(DAY + timedelta(4)), "e1")])
    assert bad_days(home) == [0]


REFUSED = {
    "unknown_account user_id": verdict("zoe"),
    "unknown_scope scope": verdict(scope="week"),
    "missing event_id": verdict(scope="event"),
    "missing since": verdict(scope="account"),
    "beside_the_scope since": verdict(event_id="e1", since="2026-11-18"),
    "beside_the_scope event_id": verdict(scope="day", event_id="e1"),
    "unknown_event event_id": verdict(event_id="e9"),
    "not_a_time since": verdict(since="last week"),
    "after_the_day since": verdict(since="2026-11-20"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_scope_that_does_not_fit_is_refused(home, take, reason):
    assert take(REFUSED[reason], verdict(), header=HEADER).details["reasons"] == {reason: 1}
    assert len(labels(home)) == 1


def test_equal_verdicts_of_other_scopes_are_no_duplicates(take):
    rows = [verdict(), verdict(event_id="e1"), verdict(event_id="e2"), verdict(since="2026-11-18"), verdict()]
    receipt = take(*rows, header=HEADER)
    assert (receipt.accepted, receipt.duplicates) == (4, 1)
    assert take(*reversed(rows), header=HEADER, name="again.csv").duplicates == 5
