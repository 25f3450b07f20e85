"""However the same rows are written, the lake holds the same events."""

import csv
import gzip
import tempfile
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deliveries import FORMATS, SHOP, Shop, as_csv, columns_of, encode, event, utc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.ingest.formats import csv_rows
from pipeline.ingest.formats.blocks import BLOCK, Blocks
from pipeline.ingest.formats.csv_rows import Layout, fast_rows, is_regular, slow_rows
from pipeline.ingest.formats.text_rows import CsvSyntax, RowSplitter


def content(shop: Shop) -> list[dict]:
    return [{name: cell for name, cell in row.items() if name != "batch_id"} for row in shop.events()]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_event(shop: Shop, kind: str) -> None:
    receipt = shop.deliver([event(item_id="Käse, alt", quantity=2)], f"events.{kind}")
    [row] = shop.events()
    assert (receipt.read, receipt.accepted) == (1, 1)
    assert row["event_at"] == utc(2026, 11, 20, 10)
    assert (row["item_id"], row["amount"], row["quantity"]) == ("Käse, alt", Decimal("12.5000"), Decimal("2.0000"))
    assert (row["event_type"], row["role"], row["device_id"]) == ("purchase", "purchase", None)


# Python's csv writer leaves a lone carriage return unquoted, and no reader can put that right.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": st.sampled_from(["ann", "bob", "Zoë"]),
            "event_at": st.datetimes(utc(2026, 11, 1), utc(2026, 11, 21)).map(lambda t: t.isoformat(" ")),
            "event_type": st.sampled_from(["browse", "purchase"]),
            "item_id": TEXT,
            "category": TEXT | st.none(),
            "amount": st.decimals(-(10**6), 10**6, places=3).map(str) | st.none(),
            "device_id": st.sampled_from(["phone", "laptop", None]),
            "ip": st.ip_addresses().map(str) | st.none(),
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=ROWS,
    order=st.randoms(use_true_random=False),
    kind=st.sampled_from(FORMATS[1:]),
    delimiter=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    bom=st.booleans(),
    ends=st.sampled_from(["\n", "\r\n"]),
)
@pytest.mark.slow
def test_any_spelling_gives_the_same_lake(rows, order, kind, delimiter, quoting, bom, ends) -> None:
    names = columns_of(rows)
    order.shuffle(names)
    shuffled = [{name: row[name] for name in names} for row in rows]
    spelled = as_csv(shuffled, delimiter=delimiter, quoting=quoting, lineterminator=ends)
    with tempfile.TemporaryDirectory() as folder:
        plain, other, third = (Shop(Path(folder) / name) for name in "abc")
        plain.deliver(rows, "events.jsonl")
        other.deliver(encode(shuffled, kind), f"events.{kind}")
        third.deliver(b"\xef\xbb\xbf" * bom + spelled)
        assert content(plain) == content(other)
        assert content(plain) == content(third)
        assert len(content(plain)) == len(rows)


HOSTILE = st.lists(
    st.sampled_from(['"', '""', ",", "\n", "\r\n", "\r", "a", "b ", "ü", "\0", "1", '"x"', '","', ',"y",'])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    max_size=30,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(HOSTILE.map(str.encode) | st.binary(max_size=40), st.sampled_from([1, 2, 3]))
def test_both_csv_readers_agree_wherever_the_fast_one_dares(block: bytes, width: int) -> None:
    layout = Layout(",", width, [f"c{i}" for i in range(width)], list(range(width)))
    fast = fast_rows(block, 7, layout) if block else None
    if fast is not None:
        rows = RowSplitter(CsvSyntax(","))
        slow = slow_rows([*rows.feed(7, block), *rows.finish()], layout)
        assert slow.rows.to_pydict() == fast.to_pydict()
        assert not slow.refused


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(*[st.text("ab,\"' ;", max_size=5)] * 3), min_size=1, max_size=6), st.booleans())
def test_the_fast_csv_reader_takes_what_csv_writers_write(rows: list[tuple[str, ...]], all_quoted: bool) -> None:
    named = [dict(zip("abc", row, strict=True)) for row in rows]
    block = as_csv(named, quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL).partition(b"\n")[2]
    if not any("".join(row) == "" for row in rows):
        assert is_regular(block, ",")
        table = fast_rows(block, 2, Layout(",", 3, list("abc"), [0, 1, 2]))
        assert table is not None and table.select(list("abc")).to_pylist() == named


@settings(max_examples=60, deadline=None)
@given(HOSTILE, st.integers(1, 40))
def test_csv_rows_do_not_depend_on_where_blocks_end(text: str, block_size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.csv"
        path.write_bytes(b"a,b\n" + text.encode())

        def read(size: int) -> tuple[list, list]:
            chunks = list(csv_rows.CsvRows(Blocks(path, 10**6, size)).chunks(["a", "b"]))
            return [row for c in chunks for row in c.rows.to_pylist()], [r for c in chunks for r in c.refused]

        assert read(block_size) == read(10**6)


def test_quoted_fields_may_hold_delimiters_quotes_and_line_ends(shop: Shop) -> None:
    shop.deliver(b'item_id,user_id,event_at,event_type\r\n"a, ""b""\nc",ann,2026-11-20,browse\r\n')
    assert shop.events()[0]["item_id"] == 'a, "b"\nc'


def test_column_names_are_compared_without_case_and_blanks(shop: Shop) -> None:
    shop.deliver(b" USER_ID ;Event_At;event_type\nann;2026-11-20 10:00;browse\n")
    assert shop.events()[0]["user_id"] == "ann"


def test_a_file_is_judged_by_its_content_before_its_name(shop: Shop) -> None:
    shop.deliver(encode([event("a")], "parquet"), "one.csv")
    shop.deliver(encode([event("b")], "jsonl.gz"), "two.csv")
    shop.deliver(encode([event("c")], "csv.gz"), "three.csv")
    assert [row["event_id"] for row in shop.events()] == ["a", "b", "c"]


def test_parquet_types_are_read_as_the_contract_wants(shop: Shop) -> None:
    table = pa.table(
        {
            "event_id": pa.array([1.0, 2.0, None]),  # what pandas makes of whole numbers with gaps
            "user_id": pa.array([17850, 17851, 17852], pa.int64()),
            "event_at": pa.array([utc(2026, 11, 20, 10)] * 3, pa.timestamp("ns", "Asia/Tokyo")),
            "event_type": pa.array(["browse", "cart", "browse"]).dictionary_encode(),
            "amount": pa.array([Decimal("1.23456"), None, Decimal("2")], pa.decimal128(20, 5)),
            "channel": pa.array([b"web", b"app", None], pa.binary()),
            "unused": pa.array([[1], [2], None]),
        }
    )
    path = shop.folder / "events.parquet"
    pq.write_table(table, path)
    assert shop.ingest(path).accepted == 3
    rows = {row["user_id"]: row for row in shop.events()}
    assert rows["17850"]["event_id"] == "1"
    assert len(rows["17852"]["event_id"]) == 32
    assert rows["17850"]["event_at"] == utc(2026, 11, 20, 10)
    assert rows["17850"]["amount"] == Decimal("1.2346")
    assert rows["17851"]["channel"] == "app"


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-11-20T10:00:00Z", utc(2026, 11, 20, 10)),
        ("2026-11-20T10:00:00+02:00", utc(2026, 11, 20, 8)),
        ("2026-11-20 10:00:00.123456-0530", utc(2026, 11, 20, 15, 30, 0, 123456)),
        ("2026-11-20T10:00:00+14:00", utc(2026, 11, 19, 20)),
        ("2026-11-20 10:00:00.123456789", utc(2026, 11, 20, 10, 0, 0, 123456)),
        ("2026-07-20 10:00", utc(2026, 7, 20, 9)),  # summer in London
        ("2026-11-20", utc(2026, 11, 20)),
        ("2026-03-29 01:30:00", utc(2026, 3, 29, 1, 30)),  # skipped by clocks: moves on by an hour
        ("2026-10-25 01:30:00", utc(2026, 10, 25, 1, 30)),  # occurs twice: the later one
        (" 2026-11-20 10:00:00 UTC ", utc(2026, 11, 20, 10)),
    ],
)
def test_times_are_stored_in_utc(tmp_path: Path, written: str, utc: datetime) -> None:
    shop = Shop(tmp_path, SHOP.model_copy(update={"timezone": "Europe/London"}))
    shop.deliver([event(event_at=written)])
    assert [row["event_at"] for row in shop.events()] == [utc], shop.reasons()


def test_several_gzip_members_are_one_file(shop: Shop) -> None:
    whole = as_csv([event("a"), event("b")])
    half = len(whole) // 2
    shop.deliver(gzip.compress(whole[:half]) + gzip.compress(whole[half:]), "events.csv.gz")
    assert [row["event_id"] for row in shop.events()] == ["a", "b"]


def test_a_json_key_may_show_up_late(shop: Shop) -> None:
    rows = [event(f"e{i}") for i in range(1500)]
    shop.deliver([*rows, event("late", item_id="mug")], "events.jsonl")
    assert [row["event_id"] for row in shop.events() if row["item_id"]] == ["late"]


def test_an_empty_parquet_file_is_an_empty_day(shop: Shop) -> None:
    table = pa.table({"user_id": ["ann"], "event_at": ["2026-11-20"], "event_type": ["cart"]}).slice(1)
    pq.write_table(table, shop.folder / "events.parquet")
    assert shop.ingest(shop.folder / "events.parquet").read == 0


def test_a_line_larger_than_any_buffer_costs_one_row(shop: Shop) -> None:
    good = b"user_id,event_at,event_type\nann,2026-11-20,cart\n"
    shop.deliver(good + b"x" * (2 * BLOCK + 5) + b"\nbob,2026-11-20,cart\n")
    assert shop.reasons() == [(3, "line_too_long", None)]
    assert len(shop.refused()[0]["raw"]) < 2 * BLOCK
    assert len(shop.events()) == 2


def test_a_byte_order_mark_where_a_block_begins_is_part_of_its_cell(shop):
    users = [f"\ufeffuser-{n}" for n in range(9)]
    path = shop.file(as_csv([{"user_id": user, **{**event(), "user_id": user, "event_id": user}} for user in users]))
    with patch("pipeline.ingest.formats.reader.Blocks", partial(Blocks, block=64)):
        shop.ingest(path)
    assert [row["user_id"] for row in shop.events()] == users
