"""Find the format of a delivered file and open it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pipeline.errors import InputError
from pipeline.ingest.formats.blocks import Blocks, starts_with
from pipeline.ingest.formats.csv_rows import CsvRows
from pipeline.ingest.formats.json_rows import JsonRows
from pipeline.ingest.formats.parquet_rows import ParquetRows
from pipeline.ingest.refusals import Chunk

JSON_NAMES = (".jsonl", ".ndjson", ".json")
CSV_NAMES = (".csv", ".tsv", ".txt")
PARQUET = b"PAR1"


class FileReader(Protocol):
    """A delivered file: its columns, the share of it read so far, and its rows in chunks.

    `is_sparse`: a row may lack columns, or have columns that `columns` does not list.
    """

    columns: list[str]
    is_sparse: bool

    @property
    def done(self) -> float: ...

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]: ...


def open_reader(path: Path, max_bytes: int) -> FileReader:
    """Open a file in its format, known by content or by name. Raises InputError if it is none of ours."""
    if starts_with(path, PARQUET):
        return ParquetRows(path, max_bytes)
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".parquet", ".pq")):
        raise InputError(f"{path.name} is not a readable Parquet file", fix="deliver the file again, whole")
    blocks = Blocks(path, max_bytes)
    if name.endswith(JSON_NAMES) or blocks.peek().lstrip()[:1] == b"{":
        return JsonRows(blocks)
    if name.endswith(CSV_NAMES):
        return CsvRows(blocks)
    blocks.close()
    raise InputError(
        f"{path.name} is of no format we know",
        "wanted CSV, JSON lines (both also as .gz) or Parquet",
        fix="name the file .csv, .jsonl or .parquet",
    )
