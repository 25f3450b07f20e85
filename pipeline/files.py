"""Files that are either whole or absent, whatever happens while they are written."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from pipeline.errors import InputError

M = TypeVar("M", bound=BaseModel)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Twelve hex digits naming a JSON-like value; equal values have equal digests."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sync(path: Path) -> None:
    """Flush a file or folder to disk, so that a later rename cannot outlive its content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write aside, flush, rename: readers see the old file or the new one, never a part.

    What a killed run left aside is overwritten by the next one: only one process works in a home at a time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_bytes(content.encode() if isinstance(content, str) else content)
    publish(aside, path)


def write_json(path: Path, value: Any) -> None:
    write_atomically(path, json.dumps(value, indent=2, sort_keys=True, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Raises InputError if the file is damaged."""
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        raise damaged(path) from None


def read_model(path: Path, model: type[M]) -> M:
    """A file that `model` wrote. Raises InputError if it is damaged."""
    try:
        return model.model_validate_json(path.read_bytes())
    except ValueError:
        raise damaged(path) from None


def damaged(path: Path) -> InputError:
    """We write no such file: a disk, or somebody's editor, did this."""
    return InputError(f"{path} is damaged", fix="restore it from your backup")


def append_line(path: Path, value: Any) -> None:
    """Add one JSON object to a ledger, durably. A last line cut short by a crash is dropped first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
        file.write(json.dumps(value, sort_keys=True, default=str).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[Any]:
    """The objects of a ledger, in order; a last line cut short by a crash was never decided and does not count."""
    if not path.is_file():
        return []
    try:
        return [json.loads(line) for line in path.read_bytes().rpartition(b"\n")[0].splitlines() if line.strip()]
    except ValueError:
        raise damaged(path) from None


def publish(aside: Path, target: Path) -> None:
    """Rename a finished file or folder into place, durably."""
    for part in [*aside.rglob("*"), aside] if aside.is_dir() else [aside]:
        sync(part)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside.rename(target)
    sync(target.parent)


@contextmanager
def scratch(home: Path, name: str) -> Iterator[Path]:
    """An empty folder under `home`, on the same file system as the results, gone afterwards.

    What a killed run left there is cleared when the next one takes the home's lock.
    """
    folder = home / "scratch" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
