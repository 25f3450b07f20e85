"""A Parquet file takes a bounded amount of memory, whatever a few of its bytes stand for."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deliveries import Shop, event

from pipeline.errors import InputError
from pipeline.ingest.formats import parquet_rows
from pipeline.ingest.formats.parquet_pages import measure
from pipeline.ingest.refusals import MAX_ROW
from pipeline.settings import PROJECT

MB = 2**20

# Peak memory over that of an ingest of one ordinary row, so that the libraries themselves do not count.
MEASURE = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from deliveries import Shop, event
from pipeline.errors import InputError
def peak():
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024
shop = Shop(Path({folder!r}))
shop.deliver([event("ordinary")], "ordinary.parquet")
before, said = peak(), ""
try:
    receipt = shop.ingest(Path({file!r}))
    said = f"{{receipt.accepted}} accepted, {{receipt.refused}} refused"
except InputError as error:
    said = error.problem
print(peak() - before, said)
"""


def table(rows: int, **columns: pa.Array) -> pa.Table:
    ordinary = {name: pa.array([cell] * rows) for name, cell in event(None).items() if name not in columns and cell}
    return pa.table({**ordinary, **columns})


def repeated(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))


def one_item_many_times(rows: int, items: int) -> pa.Array:
    offsets = pa.array([0, items, *[items] * (rows - 1)], pa.int32())
    return pa.ListArray.from_arrays(offsets, repeated("x" * 1000, items))


BOMBS: dict[str, tuple[Callable[[], pa.Table], str]] = {
    "wide_values_in_a_dictionary": (
        lambda: table(1000, item_id=repeated("x" * MB, 1000)),
        "all 1,000 rows were refused",
    ),
    "wide_values_nobody_reads": (lambda: table(1000, unused=repeated("x" * MB, 1000)), "all 1,000 rows were refused"),
    "one_huge_value": (lambda: table(2, item_id=pa.array(["x" * 200 * MB, "y"])), "has a page of"),
    "one_huge_value_nobody_reads": (lambda: table(2, unused=pa.array(["x" * 200 * MB, "y"])), "2 accepted"),
    "one_huge_list": (lambda: table(2, item_id=one_item_many_times(2, 10**6)), "has a page of"),
    "one_huge_list_nobody_reads": (lambda: table(2, unused=one_item_many_times(2, 10**6)), "2 accepted"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_memory_stays_bounded(tmp_path: Path, name: str) -> None:
    make, says = BOMBS[name]
    file = tmp_path / "bomb.parquet"
    pq.write_table(make(), file, compression="zstd")
    assert file.stat().st_size < 2 * MB
    script = MEASURE.format(tests=str(Path(__file__).parents[1]), folder=str(tmp_path), file=str(file))
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True
    )
    megabytes, _, result = done.stdout.partition(" ")
    assert says in result, done.stdout + done.stderr
    assert int(megabytes) < 500


def test_the_limit_counts_cells_as_they_are_once_decoded(tmp_path: Path) -> None:
    shop = Shop(tmp_path, max_file_bytes=2 * MB)
    pq.write_table(table(1000, item_id=repeated("x" * 4000, 1000)), shop.folder / "events.parquet")
    with pytest.raises(InputError, match="larger than the limit of 2,097,152 bytes"):
        shop.ingest(shop.folder / "events.parquet")
    assert shop.events() == []


def test_a_bomb_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_rows, "BOMB_BYTES", MB)
    pq.write_table(table(20_000, item_id=repeated("x" * 4000, 20_000)), shop.folder / "events.parquet")
    with pytest.raises(InputError, match="unpacks to more than 500 times its size"):
        shop.ingest(shop.folder / "events.parquet")


def test_a_row_that_is_too_long_is_refused_and_cut(shop: Shop) -> None:
    long = pa.array(["short", "ü" * MAX_ROW, None])
    pq.write_table(table(3, unused=long, many=pa.array([[1], [2] * 5, None])), shop.folder / "events.parquet")
    shop.ingest(shop.folder / "events.parquet")
    assert shop.reasons() == [(2, "line_too_long", None)]
    raw = shop.refused()[0]["raw"]
    assert MAX_ROW / 2 < len(raw) < 1.1 * MAX_ROW
    assert json.loads(raw)["user_id"] == "ann"


@pytest.mark.slow
def test_chunks_by_bytes_give_the_same_rows(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [event(f"e{n}", item_id="i" * (n % 300), amount="x" if n % 7 == 0 else "1") for n in range(3000)]
    other = Shop(shop.folder / "other")
    shop.deliver(rows, "events.parquet")
    for name, value in (("CHUNK", 5000), ("BATCH", 10_000), ("ROWS", 700)):
        monkeypatch.setattr(parquet_rows, name, value)
    other.deliver(rows, "events.parquet")
    assert shop.events() == other.events()
    assert shop.refused() == other.refused()
    assert len(shop.refused()) == 429


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "RLE_DICTIONARY"])
def test_page_headers_are_read_as_they_are_written(tmp_path: Path, version: str, encoding: str) -> None:
    path = tmp_path / "some.parquet"
    packed = encoding == "RLE_DICTIONARY"
    values = pa.table({"a": [f"value {n}" for n in range(5000)], "b": [[n, n] for n in range(5000)]})
    pq.write_table(
        values, path, data_page_version=version, use_dictionary=packed, row_group_size=2000, data_page_size=1000,
        column_encoding=None if packed else {"a": encoding},
    )  # fmt: skip
    text, numbers = measure(path, pq.ParquetFile(path))
    assert sum(count for count, _ in text.pages) == 5000
    assert sum(count for count, _ in numbers.pages) == 10_000
    assert numbers.fullest[0] == 4000
    assert (text.widest >= len("value 4999")) == (encoding != "PLAIN")
    assert text.most_in(10) <= text.most_in(5000)
