"""Which files to read, and how."""

import os
import stat
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
    """All files of `paths`, folders recursively, by name; without dotfiles and unfinished uploads (.tmp, .part).

    Folders that are not looked into, because they are links or cannot be read, are among them: `check` says why.
    """
    # os.path's way of asking raises nothing, whatever the permissions
    return [file for path in paths for file in (sorted(_below(path)) if os.path.isdir(path) else [path])]  # noqa: PTH112


def _below(folder: Path) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        yield folder
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path))
        elif not entry.name.endswith(UNFINISHED):
            yield Path(entry.path)


def is_there(path: Path) -> bool:
    """Whether something is there, even if it leads nowhere or cannot be read."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        pass
    return True


def check(path: Path, roots: Sequence[Path]) -> None:
    """Raises InputError unless `path` is a regular file, and inside the folder it was found in."""
    root = next((root for root in roots if root != path and path.is_relative_to(root)), path.parent)
    name = str(path.relative_to(root))
    name = name if name.isprintable() else ascii(name)
    if not path.name.isprintable():  # a stray byte or a control character: neither fits a manifest
        raise InputError(f"the name {name} cannot be written down", fix="rename the file")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise InputError(f"{name} is a link to nothing", fix="copy the file instead") from None
        raise InputError(f"no file {path}", fix="check the path") from None
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}", fix="check the path and its permissions") from None
    if stat.S_ISDIR(mode):
        if path.is_symlink():
            raise InputError(f"{name} is a link to a folder", fix="copy the folder instead, or name it directly")
        raise InputError(f"the folder {name} cannot be read", fix="give its permissions to this user")
    if not stat.S_ISREG(mode):
        raise InputError(f"{name} is not a regular file", fix="deliver a file")
    if path not in roots and not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{name} is a link out of {root}", fix="copy the file instead, or name it directly")
    if not os.access(path, os.R_OK):
        raise InputError(f"{name} cannot be read", fix="give the file's permissions to this user")


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
