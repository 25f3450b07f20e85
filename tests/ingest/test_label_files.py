"""Labels: complete ones as they are, short ones completed from the event they name."""

from datetime import timedelta
from pathlib import Path

import pytest
from deliveries import NOW, SHOP, Shop, as_csv, event, label, utc

from pipeline import ingest
from pipeline.errors import InputError, UsageError
from pipeline.storage import lake


def test_a_complete_label_is_taken_as_it_is(shop: Shop) -> None:
    receipt = shop.deliver_labels([label(typology="card testing", source="chargeback")])
    [row] = shop.labels()
    assert (receipt.read, receipt.accepted, receipt.details["accepted_labels"]) == (1, 1, 1)
    assert row.pop("batch_id")
    assert row == {
        "user_id": "ann",
        "event_id": None,
        "happened_at": utc(2026, 11, 20, 10),
        "ends_at": None,
        "known_at": utc(2026, 11, 21, 9),
        "is_bad": True,
        "typology": "card testing",
        "source": "chargeback",
        "arrived_at": NOW.replace(tzinfo=None),
    }


def test_a_label_may_name_just_an_event(shop: Shop) -> None:
    shop.deliver([event("e1"), event("e2", user_id="bob")])
    receipt = shop.deliver_labels(b"event_id,known_at,is_bad\ne2,2026-11-21,yes\nnone,2026-11-21,yes\n")
    [row] = shop.labels()
    assert (row["user_id"], row["happened_at"]) == ("bob", utc(2026, 11, 20, 10))
    assert receipt.details["reasons"] == {"unknown_event user_id": 1}
    assert shop.refused()[0]["raw"] == "none,2026-11-21,yes"


def test_a_label_cannot_be_completed_from_another_users_event(shop: Shop) -> None:
    shop.deliver([event("e1")])
    receipt = shop.deliver_labels([{**label(event_id="e1", user_id="eve"), "happened_at": None}, label()])
    assert receipt.details["reasons"] == {"unknown_event happened_at": 1}


def test_without_any_event_a_short_label_is_refused(shop: Shop) -> None:
    with pytest.raises(InputError, match="all 2 rows were refused"):
        shop.deliver_labels(b"event_id,known_at,is_bad\ne2,2026-11-21,yes\n,2026-11-21,yes\n")
    assert shop.reasons() == [(2, "unknown_event", "user_id"), (3, "missing", "user_id")]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"is_bad": "perhaps"}, "not_a_boolean is_bad"),
        ({"is_bad": ""}, "missing is_bad"),
        ({"known_at": "2026-11-19T00:00:00Z"}, "known_before_happened known_at"),
        ({"happened_at": "2026-11-25T00:00:00Z", "known_at": "2026-11-26"}, "future_time happened_at"),
        ({"known_at": "2028-01-01"}, "future_time known_at"),
        ({"ends_at": "2026-11-20T10:00:00Z"}, "ends_before_it_begins ends_at"),
        ({"ends_at": "2026-11-21T09:00:01Z"}, "ends_after_known ends_at"),
        ({"ends_at": "2099-12-31T00:00:00Z"}, "ends_after_known ends_at"),
        ({"ends_at": "soon"}, "not_a_time ends_at"),
        ({"ends_at": "2026-11-21T09:00:00Z", "event_id": "e1"}, "event_with_end ends_at"),
        ({"user_id": ""}, "missing user_id"),
    ],
)
def test_a_bad_label_is_refused(shop: Shop, cells: dict, reason: str) -> None:
    assert shop.deliver_labels([label(), label(**cells)]).details["reasons"] == {reason: 1}


@pytest.mark.parametrize(("written", "is_bad"), [("true", True), ("1", True), ("NO", False), ("f", False)])
def test_yes_and_no_in_their_usual_spellings(shop: Shop, written: str, is_bad: bool) -> None:
    shop.deliver_labels([label(is_bad=written)])
    assert shop.labels()[0]["is_bad"] is is_bad


def test_a_label_may_become_known_later(shop: Shop) -> None:
    assert shop.deliver_labels([label(known_at="2026-11-29T00:00:00Z")]).accepted == 1


def test_a_label_may_be_known_at_the_moment_it_is_about(shop: Shop) -> None:
    assert shop.deliver_labels([label(known_at=label()["happened_at"])]).accepted == 1


def test_an_old_label_counts_as_arrived_when_it_became_known(shop: Shop) -> None:
    ingest.run(shop.settings, shop.domain, labels=[shop.file([label()], "labels.csv")], history=True)
    [row] = shop.labels()
    assert row["arrived_at"] == row["known_at"] == utc(2026, 11, 21, 9)


def test_a_label_seen_before_is_a_duplicate_and_a_new_answer_is_not(shop: Shop) -> None:
    shop.deliver_labels([label(), label()])
    receipt = shop.deliver_labels([label(), label(is_bad="false"), label(event_id="e1")], "more.csv")
    assert (receipt.read, receipt.accepted, receipt.duplicates) == (3, 2, 1)
    assert len(shop.labels()) == 3


def test_a_domain_without_labels_says_so(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SHOP.model_copy(update={"labels": None}))
    events, labels = shop.file([event()]), shop.file([label()], "labels.csv")
    with pytest.raises(UsageError, match="has no labels"):
        ingest.run(shop.settings, shop.domain, events=[events], labels=[labels])
    assert shop.events() == []


def test_a_label_file_without_the_answer_is_unreadable(shop: Shop) -> None:
    with pytest.raises(InputError, match="lacks columns that labels of shop need"):
        shop.deliver_labels(b"user_id,happened_at,known_at\n")


def test_events_come_before_labels(shop: Shop) -> None:
    for kind, content in (("events", as_csv([event()])), ("labels", b"event_id,known_at,is_bad\ne1,2026-11-21,1\n")):
        folder = shop.home / "landing" / kind
        folder.mkdir(parents=True)
        (folder / "a.csv").write_bytes(content)
    assert shop.ingest().accepted == 2


def test_labels_that_came_before_their_events_are_read_again_after_them(shop: Shop) -> None:
    labels = b"event_id,known_at,is_bad\ne1,2026-11-21,yes\ne2,2026-11-21,yes\nnone,2026-11-21,yes\n"
    with pytest.raises(InputError, match="all 3 rows were refused"):
        shop.deliver_labels(labels)

    def a_day_later(days: int, rows: list[dict[str, object]]) -> tuple[int, int, int]:
        later = Shop(shop.folder, now=NOW + timedelta(days=days))
        later.deliver(rows, f"{days}.csv")
        receipt = later.deliver_labels(labels)
        return receipt.accepted, receipt.refused, receipt.duplicates

    assert a_day_later(1, [event("e1")]) == (1, 2, 0)
    assert a_day_later(2, [event("other")]) == (0, 0, 0), "nothing has changed, so no batch is made"
    assert a_day_later(3, [event("e2")]) == (1, 1, 1)
    assert [row["event_id"] for row in shop.labels()] == ["e1", "e2"]
    assert len(lake.batches(shop.home, "labels")) == 3
