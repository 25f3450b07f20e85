"""What has been ingested. A batch counts once its manifest exists; files without one are leftovers.

lake/events/event_day=D/<batch_id>.parquet    accepted events, one file per batch and day
lake/labels/<batch_id>.parquet                accepted labels
lake/batches/<kind>-<batch_id>.json           the batch's manifest: written last, so it is the commit
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.files import read_model, write_atomically

Kind = Literal["events", "labels"]


class LakeFile(BaseModel):
    """One Parquet file of a batch. `path` is relative to the home; `event_day` is null for labels.

    `first_arrived`..`last_arrived` bound arrived_at; `first_known` is the smallest known_at of labels.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    event_day: date | None = None
    rows: int
    first_arrived: datetime
    last_arrived: datetime
    first_known: datetime | None = None


class Batch(BaseModel):
    """Manifest of one ingested file. `batch_id` is the first 16 hex digits of its content's SHA-256."""

    model_config = ConfigDict(frozen=True)

    batch_id: str
    kind: Kind
    source: str  # the file's name, for people
    ingested_at: datetime
    is_history: bool
    read: int
    accepted: int
    refused: int
    duplicates: int
    reasons: dict[str, int]  # refusal reason -> rows
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


def files_of(home: Path, kind: Kind, batch_id: str) -> list[Path]:
    """Lake files that bear a batch's id, committed or not."""
    pattern = f"event_day=*/{batch_id}.parquet" if kind == "events" else f"{batch_id}.parquet"
    return sorted((home / "lake" / kind).glob(pattern))


def end_of(day: date) -> datetime:
    """The first moment after a UTC day."""
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)


def event_files(home: Path, first: date | None = None, last: date | None = None) -> list[LakeFile]:
    """Files with events of the days `first`..`last` (inclusive, open where None), sorted by path."""
    files = [
        file
        for batch in batches(home, "events")
        for file in batch.files
        if file.event_day is not None and (first is None or file.event_day >= first)
        if last is None or file.event_day <= last
    ]
    return sorted(files, key=lambda file: file.path)


def label_files(home: Path) -> list[LakeFile]:
    return sorted((file for batch in batches(home, "labels") for file in batch.files), key=lambda file: file.path)


def visible(files: Iterable[LakeFile], as_of: datetime) -> list[str]:
    """Names for what `as_of` can see of each file: equal lists mean equal visible rows."""
    return [
        file.path if file.last_arrived <= as_of else f"{file.path}@{as_of.isoformat()}"
        for file in files
        if file.first_arrived <= as_of
    ]


def rows_per_day(home: Path, first: date, last: date, as_of: datetime) -> dict[date, int]:
    """Events per day in files that had begun to arrive by `as_of`; days without events are absent."""
    rows: dict[date, int] = {}
    for file in event_files(home, first, last):
        if file.event_day is not None and file.first_arrived <= as_of:
            rows[file.event_day] = rows.get(file.event_day, 0) + file.rows
    return rows
