"""The clock sets arrival times: a wrong one is noticed, and rows it refused can be delivered again."""

from datetime import UTC, datetime, timedelta

import pytest
from deliveries import NOW, Shop, event, label

from pipeline import doctor
from pipeline.errors import InputError, UsageError
from pipeline.ingest.clock import clock_warnings
from pipeline.settings import Settings
from pipeline.storage import lake

HOUR = timedelta(hours=1)
ROWS = [
    event("over"),
    event("soon", event_at=(NOW + HOUR).isoformat()),
    event("broken", amount="a lot"),
    event("later", event_at=(NOW + 3 * HOUR).isoformat()),
    event("later and unknown", event_at=(NOW + 3 * HOUR).isoformat(), event_type="teleport"),
]


def at(shop: Shop, now: datetime) -> Shop:
    """The same home at another time."""
    return Shop(shop.folder, now=now)


def counts(receipt) -> tuple[int, int, int, int]:
    return receipt.read, receipt.accepted, receipt.refused, receipt.duplicates


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_from_the_future_is_read_again_once_its_rows_have_happened(shop, kind):
    path = shop.file(ROWS, f"events.{kind}")
    assert counts(shop.ingest(path)) == (5, 1, 4, 0)
    assert counts(at(shop, NOW + HOUR / 2).ingest(path)) == (0, 0, 0, 0), "nothing more has happened"
    assert counts(at(shop, NOW + HOUR).ingest(path)) == (5, 1, 2, 2)
    assert counts(at(shop, NOW + 3 * HOUR).ingest(path)) == (5, 1, 1, 3)
    assert counts(at(shop, NOW + 9 * HOUR).ingest(path)) == (0, 0, 0, 0), "everything has been judged"
    assert [row["event_id"] for row in shop.events()] == ["over", "soon", "later"]
    arrived = {row["event_id"]: row["arrived_at"].replace(tzinfo=UTC) for row in shop.events()}
    assert arrived == {"over": NOW, "soon": NOW + HOUR, "later": NOW + 3 * HOUR}
    last = sorted(reason for _, reason, _ in shop.reasons())
    assert last == ["future_time"] * 5 + ["not_a_number", "unknown_event_type"]


def test_rows_that_have_no_id_and_come_twice_are_all_accepted_when_they_have_happened(shop):
    twice = event(None, event_at=(NOW + HOUR).isoformat())
    path = shop.file([twice, event(None), event(None), twice])
    shop.ingest(path)
    assert counts(at(shop, NOW + HOUR).ingest(path)) == (4, 2, 0, 2)
    assert len({row["event_id"] for row in shop.events()}) == 4


def test_rows_that_another_file_has_brought_meanwhile_are_duplicates(shop):
    path = shop.file(ROWS)
    shop.ingest(path)
    later = at(shop, NOW + HOUR)
    later.deliver([ROWS[1]], "other.csv")
    assert counts(later.ingest(path)) == (5, 0, 2, 3)


def test_with_its_quarantine_cleared_away_a_file_is_read_again_as_a_whole(shop):
    path = shop.file(ROWS)
    shop.ingest(path)
    for refused in (shop.home / "quarantine").iterdir():
        refused.unlink()
    assert counts(at(shop, NOW + HOUR).ingest(path)) == (5, 1, 3, 1)
    assert [row["event_id"] for row in shop.events()] == ["over", "soon"]


def test_labels_from_the_future_are_read_again_too(shop):
    far = {"known_at": (NOW + timedelta(days=367)).isoformat()}
    soon = {"happened_at": (NOW + HOUR).isoformat(), "known_at": (NOW + 2 * HOUR).isoformat()}
    rows = [label(), label(user_id="bob", **far), label(user_id="cat", **soon)]
    assert counts(shop.deliver_labels(rows)) == (3, 1, 2, 0)
    assert counts(at(shop, NOW + HOUR).deliver_labels(rows)) == (3, 1, 1, 1)
    assert counts(at(shop, NOW + timedelta(days=1)).deliver_labels(rows)) == (3, 1, 0, 2)
    assert sorted(row["user_id"] for row in shop.labels()) == ["ann", "bob", "cat"]


def test_a_row_at_the_end_of_time_is_not_waited_for(shop):
    path = shop.file([event("now"), event("never", event_at="9999-12-31T23:00:00Z")])
    assert counts(shop.ingest(path)) == (2, 1, 1, 0)
    assert counts(at(shop, NOW + timedelta(days=999)).ingest(path)) == (0, 0, 0, 0)


def test_a_killed_second_reading_is_made_good_by_the_next(shop, monkeypatch):
    path = shop.file(ROWS)
    shop.ingest(path)
    later = at(shop, NOW + HOUR)
    with monkeypatch.context() as broken:
        broken.setattr(lake, "commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            later.ingest(path)
    assert len(shop.events()) == 1
    assert counts(later.ingest(path)) == (5, 1, 2, 2)
    assert len(shop.events()) == 2


def test_a_clock_before_the_newest_batch_is_refused_and_nothing_is_loaded(shop):
    shop.deliver([event()])
    before, past = shop.content(), at(shop, NOW - HOUR)
    with pytest.raises(UsageError, match="before the newest batch") as error:
        past.deliver([event("e2")], "more.csv")
    assert "events.csv was ingested at 2026-11-22 04:00 UTC" in str(error.value)
    assert "set the clock right" in str(error.value)
    with pytest.raises(UsageError, match="before the newest batch"):
        past.deliver_labels([label()])
    assert shop.content() == before


def test_what_it_says_to_do_about_a_batch_of_a_clock_that_was_ahead_mends_it(shop):
    path = shop.file([event()])
    at(shop, NOW + timedelta(days=3650)).ingest(path)
    with pytest.raises(UsageError) as error:
        shop.deliver([event("e2")], "more.csv")
    manifest = error.value.fix.partition("remove ")[2].partition(" and")[0]
    assert manifest in {str(each) for each in (shop.home / "lake" / "batches").iterdir()}
    lake.manifest_path(shop.home, "events", lake.batches(shop.home, "events")[0].batch_id).unlink()
    shop.ingest(path, shop.file([event("e2")], "more.csv"))
    assert {row["arrived_at"].replace(tzinfo=UTC) for row in shop.events()} == {NOW}


def test_a_few_minutes_back_are_no_wrong_clock(shop):
    shop.deliver([event()])
    assert at(shop, NOW - timedelta(minutes=4)).deliver([event("e2")], "more.csv").accepted == 1


def test_a_clock_before_the_newest_batch_is_refused_without_new_files_too(shop):
    path = shop.file([event()])
    shop.ingest(path)
    for files in ([path], []):
        with pytest.raises(UsageError, match="before the newest batch"):
            at(shop, NOW - HOUR).ingest(*files)


def test_the_doctor_names_a_batch_of_a_clock_that_was_ahead(shop):
    shop.deliver([event()])
    assert doctor.run(shop.home, NOW).details["found"] == []
    [fault] = doctor.run(shop.home, NOW - HOUR).details["found"]
    assert fault["path"].startswith("lake/batches/events-")
    assert fault["problem"] == "was ingested at 2026-11-22 04:00 UTC, which the clock has not reached"
    assert "set the clock right" in fault["fix"]


@pytest.mark.parametrize(
    ("written", "is_history", "words"),
    [
        (NOW - HOUR, False, None),
        (NOW + timedelta(minutes=4), False, None),
        (NOW + HOUR, False, "is the clock behind?"),
        (NOW + HOUR, True, "is the clock behind?"),
        (NOW - timedelta(days=31), False, "is the clock ahead?"),
        (NOW - timedelta(days=3650), True, None),
    ],
)
def test_the_clock_is_compared_with_the_files_own_times(written, is_history, words):
    old = NOW - timedelta(days=99)
    warnings = clock_warnings(NOW, [old, written], is_history)
    assert [words in warning for warning in warnings] == ([True] if words else [])


def test_without_new_files_the_clock_is_as_it_is():
    assert clock_warnings(NOW, [], False) == []


def test_a_real_clock_that_is_wrong_is_warned_of_and_a_pretended_one_is_not(shop, monkeypatch):
    assert shop.deliver([event()]).warnings == []
    real = Shop(shop.folder / "real", now=None)
    ahead = datetime.now(UTC) + timedelta(days=99)
    monkeypatch.setattr(Settings, "clock", lambda _: ahead)
    [warning] = real.deliver([event()]).warnings
    assert "is the clock ahead?" in warning


def test_labels_about_nothing_we_know_are_counted(shop):
    shop.deliver([event("e1"), event("e2", user_id="bob")])
    rows = [
        label(),
        label(user_id="bob", event_id="e2"),
        label(user_id="ANN"),
        label(user_id="bob", happened_at="2026-11-19T10:00:00Z"),
    ]
    [warning] = shop.deliver_labels(rows).warnings
    assert warning.startswith("2 of 4 new labels match no event of their account on their day")
    assert shop.deliver_labels([label(), label(known_at="2026-11-21T10:00:00Z")], "more.csv").warnings == []


def test_labels_before_any_event_are_counted(shop):
    [warning] = shop.deliver_labels([label()]).warnings
    assert warning.startswith("1 of 1 new labels")


def test_a_file_that_lies_wholly_in_the_future_is_blamed_on_the_clock(shop):
    with pytest.raises(InputError, match="all 1 rows were refused") as error:
        shop.deliver([event(event_at=(NOW + HOUR).isoformat())])
    assert error.value.fix == "set the clock right if it is behind: it stood at 2026-11-22 04:00 UTC; then ingest again"


def test_a_warning_is_not_lost_when_a_file_fails(shop, monkeypatch):
    real, behind = Shop(shop.folder / "real", now=None), datetime.now(UTC) - timedelta(days=99)
    monkeypatch.setattr(Settings, "clock", lambda _: behind)
    with pytest.raises(InputError) as error:
        real.deliver([event(event_at=datetime.now(UTC).isoformat())])
    assert "warning: the clock stands at" in str(error.value) and "is the clock behind?" in str(error.value)
