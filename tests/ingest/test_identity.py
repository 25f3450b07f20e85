"""What counts as seen before, what as new, and when it counts as arrived."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from deliveries import NOW, Shop, as_csv, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.storage import lake

NO_ID = {name: cell for name, cell in event().items() if name != "event_id"}


def counts(receipt) -> tuple[int, int, int, int]:
    return receipt.read, receipt.accepted, receipt.refused, receipt.duplicates


def test_a_file_seen_before_is_not_read_again(shop: Shop) -> None:
    shop.deliver([event()])
    before = shop.content()
    receipt = shop.deliver([event()], "same content, other name.csv")
    assert counts(receipt) == (0, 0, 0, 0)
    assert receipt.details["files_seen_before"] == 1
    assert shop.content() == before


def test_a_file_that_came_to_nothing_says_how_it_is_read_again(shop: Shop) -> None:
    def deliver() -> Any:
        return shop.deliver([event(event_type="unheard of")])

    with pytest.raises(InputError, match="all 1 rows were refused"):
        deliver()
    receipt = deliver()
    [warning] = receipt.warnings
    assert "every row refused" in warning
    (shop.home / warning.split("remove ")[1]).unlink()
    with pytest.raises(InputError, match="all 1 rows were refused"):
        deliver()


def test_two_equal_files_in_one_run_count_once(shop: Shop) -> None:
    receipt = shop.ingest(shop.file([event()], "a.csv"), shop.file([event()], "b.csv"))
    assert counts(receipt) == (1, 1, 0, 0)
    assert receipt.details["files_seen_before"] == 1


def test_an_event_seen_before_is_a_counted_duplicate(shop: Shop) -> None:
    shop.deliver([event("a"), event("b")])
    receipt = shop.deliver([event("b"), event("c")], "more.jsonl")
    assert counts(receipt) == (2, 1, 0, 1)
    assert [row["event_id"] for row in shop.events()] == ["a", "b", "c"]


def test_the_first_of_equal_ids_in_a_file_is_kept(shop: Shop) -> None:
    receipt = shop.deliver([event("a", user_id="first"), event("a", user_id="second")])
    assert counts(receipt) == (2, 1, 0, 1)
    assert shop.events()[0]["user_id"] == "first"


def test_the_same_id_on_another_day_is_another_event(shop: Shop) -> None:
    shop.deliver([event("a")])
    receipt = shop.deliver([event("a", event_at="2026-11-19T10:00:00Z")], "more.csv")
    assert receipt.accepted == 1


def test_a_refused_row_does_not_make_a_good_one_a_duplicate(shop: Shop) -> None:
    receipt = shop.deliver([event("a", event_type="teleport"), event("a")])
    assert counts(receipt) == (2, 1, 1, 0)


def test_equal_rows_without_id_are_different_events_of_one_file(shop: Shop) -> None:
    assert counts(shop.deliver([NO_ID] * 3)) == (3, 3, 0, 0)
    assert len({row["event_id"] for row in shop.events()}) == 3


def test_the_same_rows_sent_again_in_another_file_are_duplicates(shop: Shop) -> None:
    other = {**NO_ID, "user_id": "bob"}
    shop.deliver([NO_ID, other, NO_ID])
    receipt = shop.deliver([other, NO_ID, NO_ID, NO_ID], "more.jsonl")
    assert counts(receipt) == (4, 1, 0, 3)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.lists(st.sampled_from("abc"), max_size=6), second=st.lists(st.sampled_from("abcd"), max_size=6))
def test_a_file_adds_what_it_has_more_of_than_any_before(tmp_path_factory, first: list[str], second: list[str]) -> None:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.deliver(as_csv([{**NO_ID, "user_id": "-"}, *({**NO_ID, "user_id": user} for user in first)]))
    shop.deliver(as_csv([{**NO_ID, "user_id": "+"}, *({**NO_ID, "user_id": user} for user in second)]))
    found = [row["user_id"] for row in shop.events()]
    assert {user: found.count(user) for user in "abcd"} == {u: max(first.count(u), second.count(u)) for u in "abcd"}


def test_late_events_go_to_their_own_day_with_their_true_arrival(shop: Shop) -> None:
    shop.deliver([event("early", event_at="2026-11-18T23:59:59Z"), event("today")])
    paths = [file.path for file in lake.event_files(shop.home)]
    assert [path.split("/")[2] for path in paths] == ["event_day=2026-11-18", "event_day=2026-11-20"]
    assert {row["arrived_at"] for row in shop.events()} == {NOW.replace(tzinfo=None)}
    early = lake.event_files(shop.home)[0]
    assert lake.visible([early], NOW - timedelta(seconds=1)) == []
    assert lake.visible([early], NOW) == [early.path]


def test_history_counts_as_arrived_when_it_happened(shop: Shop) -> None:
    receipt = shop.deliver([event("a"), event("b", event_at="2026-11-20T12:00:00Z")], history=True)
    assert all(row["arrived_at"] == row["event_at"] for row in shop.events())
    [file] = lake.event_files(shop.home)
    assert file.first_arrived == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert file.last_arrived == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert "when it happened" in receipt.details["history"]
    assert lake.batches(shop.home, "events")[0].is_history


def test_history_may_not_come_from_the_future_either(shop: Shop) -> None:
    receipt = shop.deliver([event(event_at="2026-12-01T00:00:00Z"), event()], history=True)
    assert receipt.details["reasons"] == {"future_time event_at": 1}


def test_lake_files_are_sorted_by_user_time_and_id(shop: Shop) -> None:
    shop.deliver([event("b"), event("a"), event("c", user_id="Ann"), event("d", event_at="2026-11-20T09:00:00Z")])
    [file] = lake.event_files(shop.home)
    table = pq.ParquetFile(shop.home / file.path).read()
    assert table["event_id"].to_pylist() == ["c", "d", "a", "b"]
    assert table.schema.names[:5] == ["event_id", "user_id", "event_at", "event_type", "role"]
    assert table.schema.names[-2:] == ["arrived_at", "batch_id"]


def test_everything_in_landing_is_ingested_in_order_of_name(shop: Shop) -> None:
    landing = shop.home / "landing" / "events"
    landing.mkdir(parents=True)
    (landing / "sub").mkdir()
    (landing / "b.csv").write_bytes(as_csv([event("x", user_id="second")]))
    (landing / "a.csv").write_bytes(as_csv([event("x", user_id="first")]))
    (landing / "sub" / "c.csv").write_bytes(as_csv([event("y")]))
    for unfinished in (".hidden.csv", "upload.csv.part", "upload.csv.tmp"):
        (landing / unfinished).write_bytes(b"rubbish")
    receipt = shop.ingest()
    assert counts(receipt) == (3, 2, 0, 1)
    assert {row["user_id"] for row in shop.events()} == {"first", "ann"}


def test_an_empty_landing_is_no_error(shop: Shop) -> None:
    receipt = shop.ingest()
    assert (receipt.details["files"], receipt.warnings) == (0, [])


@pytest.mark.parametrize("threads", [2, 4])
def test_the_lake_does_not_depend_on_the_number_of_threads(tmp_path, monkeypatch, threads: int) -> None:
    monkeypatch.setattr("pipeline.ingest.formats.blocks.Blocks.__init__.__defaults__", (2000,))
    rows = [event(f"e{i}", user_id=f"u{i % 7}", device_id=f"d{i % 5}", amount=i if i % 9 else "x") for i in range(300)]
    one, many = Shop(tmp_path / "one"), Shop(tmp_path / "many", threads=threads)
    one.deliver(rows)
    many.deliver(rows)
    assert one.content() == many.content()
