"""The lake: what was ingested. A batch counts once its manifest exists; files without one are leftovers.

lake/events/event_day=D/<batch_id>.parquet    accepted events, one file per batch and day
lake/labels/<batch_id>.parquet                accepted labels
lake/batches/<kind>-<batch_id>.json           the batch's manifest: written last, so it is the commit
"""

import os
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pipeline.errors import InputError, UsageError
from pipeline.storage.files import read_model, sha256_of, write_atomically

Kind = Literal["events", "labels"]
KINDS: tuple[Kind, ...] = ("events", "labels")
MAGIC = b"PAR1"  # the first and the last bytes of a Parquet file

AHEAD = timedelta(minutes=5)  # clocks differ


class LakeFile(BaseModel):
    """One Parquet file of a batch. `path` is relative to the home; `event_day` is null for labels.

    `bytes` and `sha256` are the whole file's.
    `first_arrived`..`last_arrived` bound arrived_at; `first_known` is the smallest known_at of labels.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    event_day: date | None = None
    rows: int
    bytes: int
    sha256: str
    first_arrived: datetime
    last_arrived: datetime
    first_known: datetime | None = None

    @classmethod
    def of(cls, written: Path, path: str, **about: Any) -> "LakeFile":
        """The record of the file `written`, whose place in the home is `path`."""
        return cls(path=path, bytes=written.stat().st_size, sha256=sha256_of(written), **about)


class Batch(BaseModel):
    """Manifest of one reading of one delivered file.

    `content` is the first 16 hex digits of the file's SHA-256. At the first reading, `batch_id` is the same.
    `again_from`: from then on a row refused as `future_time` lies in the past. If the file is delivered again after
    that, it is read again; so it is after new events, if rows were refused as `unknown_event`.
    """

    model_config = ConfigDict(frozen=True)

    batch_id: str
    content: str
    kind: Kind
    source: str  # the file's name, for people
    ingested_at: datetime
    is_history: bool
    read: int
    accepted: int
    refused: int
    duplicates: int
    reasons: dict[str, int]  # refusal reason -> rows
    again_from: datetime | None = None
    files: list[LakeFile]


def manifest_path(home: Path, kind: Kind, batch_id: str) -> Path:
    return home / "lake" / "batches" / f"{kind}-{batch_id}.json"


def commit(home: Path, batch: Batch) -> None:
    """Make a batch count. Its files must already be in place."""
    write_atomically(manifest_path(home, batch.kind, batch.batch_id), batch.model_dump_json(indent=2) + "\n")


def batches(home: Path, kind: Kind) -> list[Batch]:
    """All committed batches, in the order of their ids."""
    paths = sorted((home / "lake" / "batches").glob(f"{kind}-*.json"))
    return [read_model(path, Batch) for path in paths]


def refuse_a_clock_gone_back(home: Path, batches: Iterable[Batch], now: datetime) -> None:
    """Raises UsageError if the clock is before the newest batch: new rows would seem older than it."""
    newest = max(batches, key=lambda batch: batch.ingested_at, default=None)
    if newest is None or newest.ingested_at <= now + AHEAD:
        return
    manifest = manifest_path(home, newest.kind, newest.batch_id)
    raise UsageError(
        f"the clock stands at {now:%Y-%m-%d %H:%M} UTC, before the newest batch",
        f"{newest.source} was ingested at {newest.ingested_at:%Y-%m-%d %H:%M} UTC",
        fix=f"set the clock right; if it was wrong then, remove {manifest} and ingest that file again",
    )


def fault_of(home: Path, file: LakeFile) -> str | None:
    """What is wrong with a lake file by its size and its ends. Its hash takes longer, see `is_unchanged`."""
    path = home / file.path
    if not path.is_file():
        return "is missing"
    found = path.stat().st_size
    if found != file.bytes:
        return f"has {found:,} bytes, wanted {file.bytes:,}"
    return None if _is_parquet(path) else "is not a Parquet file"


def _is_parquet(path: Path) -> bool:
    """Whether the file begins and ends as Parquet does: enough to notice junk of the right size."""
    with path.open("rb") as content:
        first = content.read(len(MAGIC))
        content.seek(-len(MAGIC), os.SEEK_END)
        return first == content.read() == MAGIC


def is_unchanged(home: Path, file: LakeFile) -> bool:
    return sha256_of(home / file.path) == file.sha256


def checked(home: Path, files: Iterable[LakeFile]) -> list[LakeFile]:
    """The files, sorted by path. Raises InputError if some are missing, have another size or are not Parquet."""
    files = sorted(files, key=lambda file: file.path)
    if faults := [f"{file.path} {fault}" for file in files if (fault := fault_of(home, file))]:
        raise _damaged(faults)
    return files


def refuse_changed_files(home: Path) -> None:
    """Raises InputError if a file of the lake is not what was ingested. It reads the whole lake."""
    files = [file for kind in KINDS for batch in batches(home, kind) for file in batch.files]
    if changed := [file.path for file in checked(home, files) if not is_unchanged(home, file)]:
        raise _damaged([f"{path} is not what was ingested" for path in changed])


def _damaged(faults: list[str]) -> InputError:
    return InputError(
        f"{len(faults)} of the lake's files are damaged",
        *faults[:5],
        fix="restore them from your backup; dawnlist doctor names all that is wrong in a home",
    )


def files_of(home: Path, kind: Kind, batch_id: str) -> list[Path]:
    """Lake files with a batch's id, committed or not."""
    pattern = f"event_day=*/{batch_id}.parquet" if kind == "events" else f"{batch_id}.parquet"
    return sorted((home / "lake" / kind).glob(pattern))


def end_of(day: date) -> datetime:
    """The first moment after a UTC day."""
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)


def event_files(home: Path, first: date | None = None, last: date | None = None) -> list[LakeFile]:
    """Files with events of the days `first`..`last`, inclusive; None means open. See `checked`."""
    files = (
        file
        for batch in batches(home, "events")
        for file in batch.files
        if file.event_day is not None and (first is None or file.event_day >= first)
        if last is None or file.event_day <= last
    )
    return checked(home, files)


def label_files(home: Path) -> list[LakeFile]:
    return checked(home, (file for batch in batches(home, "labels") for file in batch.files))


def verdict_path(home: Path, batch_id: str) -> Path:
    """The accepted verdicts of a batch of labels, if verdicts made it."""
    return home / "verdicts" / f"{batch_id}.parquet"


def visible(files: Iterable[LakeFile], as_of: datetime) -> list[str]:
    """Names for the rows of each file that are visible as of `as_of`. Equal lists mean equal rows."""
    return [
        file.path if file.last_arrived <= as_of else f"{file.path}@{as_of.isoformat()}"
        for file in files
        if file.first_arrived <= as_of
    ]
