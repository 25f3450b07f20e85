"""A bad row is refused with its reason and kept as it came; all others go on."""

import json
import stat
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deliveries import NOW, Shop, as_csv, event, utc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.ingest.notations import notation_of, remedy
from pipeline.ingest.refusals import MAX_ROW, MAX_VALUE, REASONS, explain
from pipeline.storage import lake

LATER = (NOW + timedelta(minutes=6)).isoformat()
SOON = (NOW + timedelta(minutes=4)).isoformat()


@pytest.mark.parametrize(
    ("cells", "reason", "column"),
    [
        ({"amount": "a lot"}, "not_a_number", "amount"),
        ({"amount": "1_000"}, "not_a_number", "amount"),
        ({"amount": "1,5"}, "not_a_number", "amount"),
        ({"amount": "0x1F"}, "not_a_number", "amount"),
        ({"quantity": "NaN"}, "not_finite", "quantity"),
        ({"quantity": "-Infinity"}, "not_finite", "quantity"),
        ({"quantity": "1e999"}, "not_finite", "quantity"),
        ({"amount": "1e13"}, "too_large", "amount"),
        ({"event_at": "yesterday"}, "not_a_time", "event_at"),
        ({"event_at": "1763632800"}, "not_a_time", "event_at"),
        ({"event_at": "2026-02-30T10:00:00Z"}, "not_a_time", "event_at"),
        ({"event_at": "infinity"}, "not_a_time", "event_at"),
        ({"event_at": "2026-11-20T10:00:00+99:99"}, "not_a_time", "event_at"),
        ({"event_at": "2026-11-20T10:00:00+14:01"}, "not_a_time", "event_at"),
        ({"event_at": "2026-11-20T10:00:00-15"}, "not_a_time", "event_at"),
        ({"event_at": "2026-11-20T10:00:00+00:60"}, "not_a_time", "event_at"),
        ({"event_at": "1989-12-31T23:59:59Z"}, "impossible_time", "event_at"),
        ({"event_at": LATER}, "future_time", "event_at"),
        ({"event_at": "9999-12-31T00:00:00Z"}, "future_time", "event_at"),
        ({"event_type": "teleport"}, "unknown_event_type", "event_type"),
        ({"event_type": "Purchase"}, "unknown_event_type", "event_type"),
        ({"user_id": ""}, "missing", "user_id"),
        ({"user_id": " \t"}, "missing", "user_id"),
        ({"event_at": None}, "missing", "event_at"),
        ({"event_type": None}, "missing", "event_type"),
        ({"user_id": "x" * (MAX_VALUE + 1)}, "too_long", "user_id"),
        ({"item_id": "ü" * (MAX_VALUE // 2 + 1)}, "too_long", "item_id"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_bad_cell_refuses_its_row_alone(shop: Shop, cells: dict, reason: str, column: str, kind: str) -> None:
    rows = [{"quantity": None, "item_id": None, **row} for row in (event("good"), event("bad", **cells), event("fine"))]
    receipt = shop.deliver(rows, f"events.{kind}")
    assert [row["event_id"] for row in shop.events()] == ["fine", "good"]
    assert shop.reasons() == [(2 if kind != "csv" else 3, reason, column)]
    assert (receipt.read, receipt.accepted, receipt.refused) == (3, 2, 1)
    assert receipt.details["reasons"] == {f"{reason} {column}": 1}
    assert reason in REASONS


def test_clocks_may_differ_by_a_few_minutes(shop: Shop) -> None:
    assert shop.deliver([event(event_at=SOON)]).accepted == 1


HEADER = b"event_id,user_id,event_at,event_type\n"
GOOD = b"g,ann,2026-11-20,browse\n"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"a,ann,2026-11-20\n", "too_few_fields"),
        (b"a,ann,2026-11-20,browse,more\n", "too_many_fields"),
        (b"   \n", "too_few_fields"),
        (b"a,\xffnn,2026-11-20,browse\n", "bad_utf8"),
        (b"a,a\0n,2026-11-20,browse\n", "nul"),
        (b'a,"ann"x,2026-11-20,browse\n', "broken_quotes"),
        (b"a,a\rn,2026-11-20,browse\n", "broken_quotes"),
        (b"a," + b"n" * MAX_ROW + b",2026-11-20,browse\n", "line_too_long"),
    ],
)
def test_a_broken_csv_row_is_kept_as_it_came(shop: Shop, broken: bytes, reason: str) -> None:
    receipt = shop.deliver(HEADER + broken + GOOD)
    [row] = shop.refused()
    assert (row["file"], row["line"], row["reason"], row["detail"]) == ("events.csv", 2, reason, None)
    assert row["raw"] == broken.removesuffix(b"\n")[:MAX_ROW].decode(errors="backslashreplace")
    assert row["batch_id"] in next(iter(receipt.details["batches"]))
    assert (receipt.read, receipt.accepted) == (2, 1)


def test_a_quote_that_never_ends_makes_one_refused_row_of_all_that_follows(shop: Shop) -> None:
    receipt = shop.deliver(HEADER + GOOD + b'a,"ann,2026-11-20,browse\n' + GOOD * 200)
    assert shop.reasons() == [(3, "broken_quotes", None)]
    assert shop.refused()[0]["raw"].startswith('a,"ann,2026-11-20,browse\ng,ann')
    assert (receipt.read, receipt.accepted) == (2, 1)


def test_a_quote_that_never_ends_on_the_last_line_costs_one_line(shop: Shop) -> None:
    shop.deliver(HEADER + GOOD + b'a,"ann,2026-11-20,browse')
    assert shop.reasons() == [(3, "broken_quotes", None)]


def test_blank_lines_are_not_rows(shop: Shop) -> None:
    receipt = shop.deliver(HEADER + b"\n\r\n" + GOOD + b"\n")
    assert (receipt.read, receipt.accepted) == (1, 1)


def test_lines_are_counted_through_quoted_line_ends(shop: Shop) -> None:
    shop.deliver(HEADER + b'"a\nb","ann",2026-11-20,browse\n\n"c\nd","ann",2026-11-20,teleport\n')
    [row] = shop.refused()
    assert (row["line"], row["raw"]) == (5, '"c\nd","ann",2026-11-20,teleport')


@pytest.mark.parametrize(
    ("broken", "reason", "column"),
    [
        (b'{"user_id": "ann"', "not_json", None),
        (b"[1, 2]", "not_an_object", None),
        (b"null", "not_an_object", None),
        (b"17", "not_an_object", None),
        (b"[" * 100_000, "not_json", None),
        (b"1" * 10_000, "not_an_object", None),
        (b'{"user_id": "a\xff"}', "bad_utf8", None),
        (b'{"user_id": "\\ud800", "event_at": "2026-11-20", "event_type": "browse"}', "bad_utf8", None),
        (b'{"user_id": "a\\u0000b", "event_at": "2026-11-20", "event_type": "browse"}', "nul", None),
        (b'{"user_id": ["ann"], "event_at": "2026-11-20", "event_type": "browse"}', "not_text", "user_id"),
        (b'{"user_id": "a", "event_at": "2026-11-20", "event_type": "cart", "amount": NaN}', "not_finite", "amount"),
        (b'{"user_id": "a", "event_at": "2026-11-20", "event_type": "cart", "amount": true}', "not_a_number", "amount"),
        (b'{"user_id": "a", "event_at": 1763632800, "event_type": "cart"}', "not_a_time", "event_at"),
        (b'{"event_at": "2026-11-20", "event_type": "cart"}', "missing", "user_id"),
        (b'{"user_id": "%s"}' % (b"x" * MAX_ROW), "line_too_long", None),
    ],
)
def test_a_broken_json_row_is_kept_as_it_came(shop: Shop, broken: bytes, reason: str, column: str | None) -> None:
    good = json.dumps(event(user_id=17850, amount=12.5)).encode()
    receipt = shop.deliver(good + b"\n\n" + broken + b"\n", "events.jsonl")
    [row] = shop.refused()
    assert (row["line"], row["reason"], row["detail"]) == (3, reason, column)
    assert row["raw"] == broken[:MAX_ROW].decode(errors="backslashreplace")
    assert shop.events()[0]["user_id"] == "17850"
    assert (receipt.read, receipt.accepted) == (2, 1)


def test_a_refused_parquet_row_is_kept_as_json(shop: Shop) -> None:
    rows = [event("a"), event("b", amount="x", extra=[1, 2])]
    table = pa.Table.from_pylist([{"extra": None, **row} for row in rows])
    pq.write_table(table, shop.folder / "events.parquet")
    shop.ingest(shop.folder / "events.parquet")
    [row] = shop.refused()
    assert row["line"] == 2
    assert json.loads(row["raw"]) == {"extra": [1, 2], **event("b", amount="x")}


def test_bytes_that_are_no_text_in_parquet_refuse_their_row(shop: Shop) -> None:
    users = pa.array([b"ann", b"\xff\xfe", b"bob"], pa.binary()).view(pa.string())
    table = pa.table({"user_id": users, "event_at": ["2026-11-20"] * 3, "event_type": ["browse"] * 3})
    pq.write_table(table, shop.folder / "events.parquet")
    receipt = shop.ingest(shop.folder / "events.parquet")
    assert shop.reasons() == [(2, "bad_utf8", None)]
    assert receipt.accepted == 2


def test_parquet_values_that_can_never_fit_refuse_their_rows(shop: Shop) -> None:
    table = pa.table(
        {
            "user_id": ["a", "b", "c", "d", "e"],
            "event_at": pa.array([utc(2026, 11, 20)] * 5),
            "event_type": ["cart"] * 5,
            "amount": [True, None, True, None, None],
            "quantity": [None, float("nan"), None, 1.5, float("inf")],
        }
    )
    pq.write_table(table, shop.folder / "events.parquet")
    shop.ingest(shop.folder / "events.parquet")
    assert shop.reasons() == [
        (1, "not_a_number", "amount"),
        (2, "not_finite", "quantity"),
        (3, "not_a_number", "amount"),
        (5, "not_finite", "quantity"),
    ]
    assert shop.events()[0]["quantity"] == Decimal("1.5")


def test_only_the_owner_may_read_the_quarantine(shop: Shop) -> None:
    shop.deliver([event(), event(user_id="")])
    folder = shop.home / "quarantine"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())]
    assert modes == [0o700, 0o600]


def test_receipts_and_manifests_never_carry_a_value(shop: Shop) -> None:
    bad = [event(amount="4111-1111", device_id="phone-7"), event(event_type="4111-1111")]
    receipt = shop.deliver([event(), *bad])
    manifests = "".join(path.read_text() for path in (shop.home / "lake" / "batches").iterdir())
    assert "4111" not in receipt.model_dump_json() + manifests
    assert explain("not_a_number", "amount") == "amount: wanted a number"


MESSY = st.lists(
    st.sampled_from([b"e1", b"ann", b"2026-11-20", b"browse", b",", b",", b"\n", b"\n", b'"', b"\xff", b"\0", GOOD]),
    max_size=60,
).map(b"".join)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=MESSY)
def test_every_row_is_accounted_for(tmp_path_factory, body: bytes) -> None:
    shop = Shop(Path(tmp_path_factory.mktemp("shop")))
    content = HEADER + GOOD + body
    receipt = shop.deliver(content)
    assert receipt.accepted == len(shop.events())
    assert receipt.refused == len(shop.refused()) == sum(receipt.details["reasons"].values())
    assert receipt.read == receipt.accepted + receipt.refused + receipt.duplicates
    lines = [row["line"] for row in shop.refused()]
    assert lines == sorted(set(lines))
    for row in shop.refused():  # what came is found again where the receipt says
        assert row["raw"].split("\n")[0] in as_text(content).split("\n")[row["line"] - 1]


def as_text(content: bytes) -> str:
    return content.decode(errors="backslashreplace")


def test_a_file_of_only_a_header_is_an_empty_day(shop: Shop) -> None:
    receipt = shop.deliver(as_csv([event()]).partition(b"\n")[0])
    assert receipt.read == 0
    assert shop.events() == []


@pytest.mark.parametrize(
    ("cells", "says", "hint"),
    [
        ({"event_at": "1763632800"}, "event_at: these look like epoch seconds", "make_timestamp(cast(x * 1000000"),
        ({"event_at": "1763632800123"}, "event_at: these look like epoch milliseconds", "make_timestamp"),
        ({"event_at": "20.11.2026 10:00"}, "event_at: these look like day-first dates", "strptime"),
        ({"event_at": "11/20/2026"}, "event_at: these look like month-first dates", "strptime"),
        ({"event_at": "46346"}, "event_at: these look like a spreadsheet's day numbers", "1899-12-30"),
        ({"amount": "1.234,50"}, "amount: these look like decimal commas", "replace"),
        ({"amount": "17 EUR"}, "amount: these look like numbers with a unit", "replace"),
        ({"event_type": "KAUF"}, "event_type: is not in the domain's vocabulary (3 rows)", "quarantine/events-"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_with_all_rows_refused_says_what_they_look_like(
    shop: Shop, cells: dict, says: str, hint: str, kind: str
) -> None:
    with pytest.raises(InputError, match=rf"events\.{kind}: all 3 rows were refused") as caught:
        shop.deliver([event(f"e{i}", **cells) for i in range(3)], f"events.{kind}")
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert says in message
    assert hint in message
    assert not any(cell in message for cell in cells.values())
    assert len(shop.refused()) == 3
    [batch] = lake.batches(shop.home, "events")
    assert (batch.read, batch.refused) == (3, 3)


def test_files_beside_one_with_all_rows_refused_are_loaded(shop: Shop) -> None:
    files = [shop.file([event("a")], "a.csv"), shop.file([event(user_id="")], "b.csv"), shop.file(b"", "c.csv")]
    with pytest.raises(InputError, match="2 files could not be read") as caught:
        shop.ingest(*files)
    assert "b.csv: all 1 rows were refused" in str(caught.value)
    assert len(shop.events()) == 1


@pytest.mark.parametrize(
    ("reason", "cell", "notation"),
    [
        ("not_a_time", "1763632800.25", "epoch seconds"),
        ("not_a_time", 1763632800, "epoch seconds"),
        ("not_a_time", "11-10-2026", "dates with the year last"),
        ("not_a_time", "20261121", "dates without hyphens"),
        ("not_a_time", "21 Nov 2026", "dates with the month's name"),
        ("not_a_time", "2026-11-20 10:00 PM", "times of twelve hours"),
        ("not_a_time", "yesterday", None),
        ("not_a_number", "1,234.50", "thousands separators"),
        ("not_a_number", "$17", "numbers with a unit"),
        ("missing", "", None),
        ("not_a_time", "1" * 10**6, None),
    ],
)
def test_what_a_refused_cell_looks_like(reason: str, cell: object, notation: str | None) -> None:
    assert notation_of(reason, cell) == notation
    assert notation is None or remedy(notation)
