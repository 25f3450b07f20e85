"""Write files that are whole or absent, whatever happens meanwhile. Only their owner may read them."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from pipeline.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

M = TypeVar("M", bound=BaseModel)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Twelve hex digits that name a JSON-like value. Equal values have equal digests."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sync(path: Path) -> None:
    """Flush a file or folder to disk, so that a later rename cannot outlive its content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def private() -> Iterator[None]:
    """Files created within this context, by us or by a library, are for their owner alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(path: Path) -> None:
    """Create a folder and those above it, durably. A flushed file would be lost with its folder's entry."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync(path.parent)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write aside, flush, rename: readers see the old file or the new one, never a part.

    The next run overwrites what a killed run left aside. Only one process works in a home at a time.
    """
    make_folder(path.parent)
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_bytes(content.encode() if isinstance(content, str) else content)
    publish(aside, path)


def write_json(path: Path, value: Any) -> None:
    write_atomically(path, json.dumps(value, indent=2, sort_keys=True, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Raises InputError if the file is damaged."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError, IsADirectoryError):
        raise damaged(path) from None


def read_model(path: Path, model: type[M]) -> M:
    """A JSON file of this shape. Raises InputError if it is damaged."""
    try:
        return model.model_validate_json(path.read_bytes())
    except (ValueError, IsADirectoryError):
        raise damaged(path) from None


def damaged(path: Path) -> InputError:
    """The error for a file that we did not write like this: a disk or an editor changed it."""
    return InputError(f"{path} is damaged", fix="restore it from your backup")


def append_line(path: Path, value: Any) -> None:
    """Add one JSON object to a ledger, durably. A last line cut short by a crash is moved to `<name>.torn` first."""
    make_folder(path.parent)
    torn = unfinished(path)
    if torn:
        _append(path.with_name(f"{path.name}.torn"), torn + b"\n")
        os.truncate(path, path.stat().st_size - len(torn))
    _append(path, json.dumps(value, sort_keys=True, default=str).encode() + b"\n")


def _append(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def unfinished(path: Path) -> bytes:
    """The bytes after a ledger's last whole line: a line cut short by a crash, or nothing."""
    return path.read_bytes().rpartition(b"\n")[2] if path.is_file() else b""


def read_lines(path: Path, model: type[M]) -> list[M]:
    """The entries of a ledger, in order. A last line cut short by a crash does not count."""
    if not path.is_file():
        return []
    lines = path.read_bytes().rpartition(b"\n")[0].split(b"\n")
    try:
        return [model.model_validate_json(line) for line in lines if line.strip()]
    except ValueError:
        raise damaged(path) from None


def publish(aside: Path, target: Path) -> None:
    """Rename a finished file or folder into place, durably and for its owner alone."""
    for part in [*aside.rglob("*"), aside] if aside.is_dir() else [aside]:
        part.chmod(0o700 if part.is_dir() else 0o600)
        sync(part)
    make_folder(target.parent)
    aside.rename(target)
    sync(target.parent)


@contextmanager
def scratch(home: Path, name: str) -> Iterator[Path]:
    """An empty folder under `home`, on the same file system as the results. It is removed afterwards.

    The next run that takes the home's lock clears what a killed run left there.
    """
    folder = home / "scratch" / name
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_parquet(path: Path, columns: list[str]) -> "pa.Table":
    """Columns of a Parquet file that we wrote. Raises InputError if it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read(columns=columns)
    except (pa.ArrowException, OSError):
        raise damaged(path) from None
