"""Which files to read, and how."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pipeline.errors import InputError
from pipeline.ingest.blocks import Blocks, starts_with
from pipeline.ingest.csv_rows import CsvRows
from pipeline.ingest.json_rows import JsonRows
from pipeline.ingest.parquet_rows import ParquetRows
from pipeline.ingest.refusals import Chunk

JSON_NAMES = (".jsonl", ".ndjson", ".json")
CSV_NAMES = (".csv", ".tsv", ".txt")
UNFINISHED = (".tmp", ".part")
PARQUET = b"PAR1"


class Reader(Protocol):
    """A delivered file: its columns, the share of it read so far, and its rows in chunks.

    `is_sparse`: rows may have further columns, and lack some.
    """

    columns: list[str]
    is_sparse: bool

    @property
    def done(self) -> float: ...

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]: ...


def files_in(paths: Sequence[Path]) -> list[Path]:
    """All files of `paths`, folders recursively, by name; without dotfiles and unfinished uploads (.tmp, .part)."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [file for file in path.rglob("*") if not file.is_dir() and _is_delivered(file.relative_to(path))]
            found += sorted(inside)
        else:
            found.append(path)
    return found


def _is_delivered(file: Path) -> bool:
    return not file.name.endswith(UNFINISHED) and not any(part.startswith(".") for part in file.parts)


def check(path: Path, roots: Sequence[Path]) -> None:
    """Raises InputError unless `path` is a regular file, and inside the folder it was found in."""
    if not path.exists():
        raise InputError(f"no file {path}", fix="check the path")
    if not path.name.isprintable():  # a stray byte or a control character: neither fits a manifest
        raise InputError(f"the name {path.name!a} cannot be written down", fix="rename the file")
    if not path.is_file():
        raise InputError(f"{path.name} is not a regular file", fix="deliver a file")
    for root in roots:
        if root.is_dir() and path.is_relative_to(root) and not path.resolve().is_relative_to(root.resolve()):
            raise InputError(f"{path.name} is a link out of {root}", fix="copy the file instead, or name it directly")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path.name} cannot be read", fix="give the file's permissions to this user")


def open_reader(path: Path, max_bytes: int) -> Reader:
    """Decide by content, then by name, what kind of file this is. Raises InputError if it is none we know."""
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
