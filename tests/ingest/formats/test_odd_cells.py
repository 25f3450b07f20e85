"""One odd cell of a Parquet file costs at most its row or its file, never the other files."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deliveries import Shop, event

from pipeline.domain import SourceType
from pipeline.errors import InputError
from pipeline.ingest.formats.parquet_cells import as_json, as_short_json, plain, sizes
from pipeline.ingest.refusals import REASONS
from pipeline.ingest.values import typed

LARGEST = 2**63 - 1
NOT_TEXT = b"\xff\xfe"


def numbers(kind: pa.DataType, *values: int | None) -> pa.Array:
    """Cells of a time-like type by the number behind them, possible or not."""
    return pa.array(values, pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)


def broken(kind: pa.DataType) -> pa.Array:
    """A cell of text that is no text."""
    as_bytes = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
    return pa.array([NOT_TEXT], as_bytes[kind]).view(kind)


ODD: dict[str, pa.Array] = {
    "nothing": pa.nulls(1),
    "truth": pa.array([True]),
    **{f"int{n}": pa.array([1], kind) for n, kind in ((8, pa.int8()), (16, pa.int16()), (64, pa.int64()))},
    **{f"uint{n}": pa.array([1], kind) for n, kind in ((8, pa.uint8()), (64, pa.uint64()))},
    "float16": pa.array(np.array([1.5], np.float16)),
    "not a number": pa.array([float("nan")]),
    "decimal32": pa.array([Decimal("1.5")], pa.decimal32(5, 1)),
    "decimal64": pa.array([Decimal("1.5")], pa.decimal64(12, 1)),
    "decimal128": pa.array([Decimal("1.5")], pa.decimal128(38, 38 - 3)),
    "decimal256": pa.array([Decimal("1" * 60)], pa.decimal256(76, 2)),
    **{f"text as {kind}": pa.array(["mug"], kind) for kind in (pa.string(), pa.large_string(), pa.string_view())},
    **{f"bytes as {kind}": pa.array([b"mug"], kind) for kind in (pa.binary(3), pa.large_binary(), pa.binary_view())},
    "bytes that are no text": pa.array([NOT_TEXT]),
    "view of bytes that are no text": pa.array([NOT_TEXT], pa.binary_view()),
    **{f"{kind} that is no text": broken(kind) for kind in (pa.string(), pa.large_string(), pa.string_view())},
    "dictionary": pa.array(["mug"]).dictionary_encode(),
    "dictionary of numbers": pa.array([7]).dictionary_encode(),
    "dictionary that is no text": broken(pa.string()).dictionary_encode(),
    "year 10000": numbers(pa.date32(), 2_932_897),
    "year 10000, in ms": numbers(pa.date64(), 2_932_897 * 86_400_000),
    "last date32": numbers(pa.date32(), 2**31 - 1),
    "first date32": numbers(pa.date32(), -(2**31)),
    **{
        f"{kind} at {n}": numbers(kind, n)
        for kind in (*map(pa.timestamp, ("ms", "us", "ns")), *map(pa.duration, ("ms", "us", "ns")), pa.date64())
        for n in (LARGEST, LARGEST - 1, -LARGEST)
        if not (pa.types.is_date64(kind) or (n == LARGEST and kind.unit == "ns"))
    },
    "after year 9999": numbers(pa.timestamp("us"), 253_402_300_800_000_000),
    "after year 9999 in Tokyo": numbers(pa.timestamp("us", "Asia/Tokyo"), 253_402_300_800_000_000),
    "zone of Mars": numbers(pa.timestamp("us", "Mars/Olympus"), 1_763_632_800_000_000),
    "duration": pa.array([timedelta(seconds=5)]),
    "no time of day": numbers(pa.time64("us"), 86_400_000_000),
    "no time of day, in ms": numbers(pa.time32("ms"), -1),
    "time of day": numbers(pa.time64("ns"), 1000),
    "list": pa.array([["a", None]]),
    "large list": pa.array([[1]], pa.large_list(pa.int64())),
    "fixed list": pa.array([[1, 2]], pa.list_(pa.int64(), 2)),
    "list that is no text": pa.ListArray.from_arrays([0, 1], broken(pa.string())),
    "list of times": pa.ListArray.from_arrays([0, 1], numbers(pa.timestamp("us"), LARGEST)),
    "struct": pa.array([{"a": 1, "b": [{"c": None}]}]),
    "struct of times": pa.StructArray.from_arrays([numbers(pa.date32(), 2**31 - 1)], ["day"]),
    "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    "map that is no text": pa.MapArray.from_arrays([0, 1], broken(pa.string()), pa.array([NOT_TEXT])),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([NOT_TEXT * 8], pa.binary(16))),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"])),
}


def with_odd(cells: pa.Array, column: str, name: str = "odd") -> pa.Table:
    """Two ordinary rows, and between them one with the odd cell."""
    rows = [event(f"{name} {n}") for n in range(3)]
    ordinary = pa.table({key: [row[key] for row in rows] for key in rows[0] if key != column})
    gap = pa.nulls(1, cells.type)
    around = cells if pa.types.is_null(cells.type) else pa.concat_arrays([gap, cells, gap])
    return ordinary.append_column(column, pa.nulls(3) if pa.types.is_null(cells.type) else around)


@pytest.mark.slow
def test_any_type_costs_a_row_at_most(shop: Shop) -> None:
    files = []
    for n, (name, cells) in enumerate(ODD.items()):
        files.append(shop.folder / f"{n:03}.parquet")
        pq.write_table(with_odd(cells, "item_id", name), files[-1])
    receipt = shop.ingest(*files)
    refused = shop.refused()
    assert receipt.read == 3 * len(ODD) == receipt.accepted + receipt.refused
    assert {row["line"] for row in refused} == {2}
    assert {row["reason"] for row in refused} == {"bad_utf8", "not_a_time", "not_text"}
    assert all(json.loads(row["raw"])["user_id"] == "ann" for row in refused)


def test_any_type_may_stand_in_a_column_nobody_reads(shop: Shop) -> None:
    table = with_odd(ODD["truth"], "unused")
    for name, cells in ODD.items():
        table = table.append_column(name, with_odd(cells, "odd")["odd"])
    table = table.set_column(table.column_names.index("amount"), "amount", [["x", "y", "3"]])
    pq.write_table(table, shop.folder / "events.parquet")
    assert shop.ingest(shop.folder / "events.parquet").refused == 2
    assert [set(json.loads(row["raw"])) for row in shop.refused()] == [set(table.column_names)] * 2


@pytest.mark.parametrize("wanted", ["string", "number", "timestamp", "boolean"])
def test_any_type_is_read_as_any_other_or_has_a_reason(wanted: SourceType) -> None:
    with duckdb.connect() as con:
        for name, cells in ODD.items():
            made = plain(cells)
            if made.bad is not None and made.bad[0]:
                continue  # its row is refused before SQL sees it
            con.register("chunk", pa.table({"raw": made.cells}))
            cell = typed("raw", made.cells.type, wanted, "value", "Europe/Berlin")
            [(reason,)] = con.execute(
                f"select {cell.reason} from (select *, {cell.value} as value from chunk)"
            ).fetchall()
            assert reason is None or reason in REASONS, name


@pytest.mark.parametrize("name", ODD)
def test_any_cell_is_written_down_as_it_came(name: str) -> None:
    cells = ODD[name]
    [raw] = as_json(["x"], [cells], [0])
    assert raw.encode()
    assert ('"x": null' in raw) == (name == "nothing")
    assert as_short_json(["x"], [cells], 0, 10).encode()
    assert len(sizes(cells)) == len(plain(cells).cells) == 1


@pytest.mark.parametrize(
    ("cells", "raw"),
    [
        (numbers(pa.timestamp("us"), LARGEST), f'{{"x": "{LARGEST} timestamp[us]"}}'),
        (numbers(pa.date32(), 2_932_897), '{"x": "2932897 date32[day]"}'),
        (ODD["list that is no text"], r'{"x": ["\\xff\\xfe"]}'),
        (ODD["struct"], '{"x": {"a": 1, "b": [{"c": null}]}}'),
        (ODD["map"], '{"x": [["a", 1]]}'),
        (ODD["view of bytes that are no text"], r'{"x": "\\xff\\xfe"}'),
    ],
)
def test_odd_cells_stay_readable(cells: pa.Array, raw: str) -> None:
    assert as_json(["x"], [cells], [0]) == [raw]


def test_a_time_beyond_the_calendar_is_no_time(shop: Shop) -> None:
    path = shop.folder / "events.parquet"
    pq.write_table(with_odd(numbers(pa.timestamp("us"), 253_402_300_800_000_000), "item_id"), path)
    shop.ingest(path)
    assert shop.reasons() == [(2, "not_a_time", "item_id")]
    assert len(shop.events()) == 2


def test_a_zone_nobody_knows_changes_no_moment(shop: Shop) -> None:
    table = pa.table({"user_id": ["ann"], "event_type": ["cart"], "event_at": ODD["zone of Mars"]})
    pq.write_table(table, shop.folder / "events.parquet")
    shop.ingest(shop.folder / "events.parquet")
    assert str(shop.events()[0]["event_at"]) == "2025-11-20 10:00:00"


def test_whatever_reading_one_file_raises_the_others_load(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.ingest import load

    def odd(path: Path, max_bytes: int) -> Any:
        if path.name == "b.csv":
            raise RuntimeError("4111111111111111")
        return real(path, max_bytes)

    real = load.open_reader
    monkeypatch.setattr(load, "open_reader", odd)
    files = [shop.file([event(name)], f"{name}.csv") for name in "abc"]
    with pytest.raises(InputError, match=r"b\.csv cannot be read: RuntimeError") as caught:
        shop.ingest(*files)
    assert "4111" not in str(caught.value)
    assert [row["event_id"] for row in shop.events()] == ["a", "c"]


def test_too_little_memory_is_no_files_fault(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.ingest import load

    def starved(path: Path, max_bytes: int) -> Any:
        raise MemoryError

    monkeypatch.setattr(load, "open_reader", starved)
    with pytest.raises(MemoryError):
        shop.deliver([event()])
