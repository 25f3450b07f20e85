"""Tables that Python may read: immutable Parquet files, one per day, named by what they were made from.

    snapshots/<table>/day=D/<id>.parquet    the rows
    snapshots/<table>/day=D/<id>.json       written last: what it was made from, as of when, how many rows
"""

from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline.errors import InputError
from pipeline.files import publish, sha256_of, write_atomically


class Snapshot(BaseModel):
    """One day of one table. `id` is a digest of `made_from`: same inputs, same id."""

    model_config = ConfigDict(frozen=True)

    table: str
    day: date
    id: str
    as_of: datetime
    rows: int
    sha256: str
    made_from: dict[str, Any]

    def path(self, home: Path) -> Path:
        return folder(home, self.table, self.day) / f"{self.id}.parquet"


def folder(home: Path, table: str, day: date) -> Path:
    return home / "snapshots" / table / f"day={day}"


def find(home: Path, table: str, day: date, snapshot_id: str) -> Snapshot | None:
    meta = folder(home, table, day) / f"{snapshot_id}.json"
    return Snapshot.model_validate_json(meta.read_text()) if meta.is_file() else None


def newest(home: Path, table: str, day: date, as_of: datetime) -> Snapshot | None:
    """The snapshot of that day with the latest own `as_of` not after `as_of`: what was known then."""
    metas = sorted(folder(home, table, day).glob("*.json"))
    found = [s for meta in metas if (s := Snapshot.model_validate_json(meta.read_text())).as_of <= as_of]
    return max(found, key=lambda s: (s.as_of, s.id), default=None)


def days(home: Path, table: str) -> list[date]:
    """Days that have a snapshot of this table, in order."""
    found = {meta.parent.name.removeprefix("day=") for meta in (home / "snapshots" / table).glob("day=*/*.json")}
    return sorted(date.fromisoformat(day) for day in found)


def add(home: Path, aside: Path, snapshot: Snapshot) -> Snapshot:
    """Move the finished Parquet file `aside` into place. An equal snapshot already there is kept."""
    if existing := find(home, snapshot.table, snapshot.day, snapshot.id):
        if existing.sha256 != snapshot.sha256:
            raise AssertionError(f"{snapshot.table} {snapshot.day} {snapshot.id}: same inputs gave other bytes")
        return existing
    target = snapshot.path(home)
    publish(aside, target)
    write_atomically(target.with_suffix(".json"), snapshot.model_dump_json(indent=2) + "\n")
    return snapshot


def require(snapshot: Snapshot | None, home: Path, table: str, day: date, fix: str) -> Snapshot:
    """The snapshot, whole, or a clear InputError that says how to make it."""
    if snapshot is None:
        raise InputError(f"no snapshot of {table} for {day} fits what is known now", fix=fix)
    if not snapshot.path(home).is_file() or sha256_of(snapshot.path(home)) != snapshot.sha256:
        raise InputError(
            f"snapshot {snapshot.id} of {table} for {day} is damaged", fix=f"remove {snapshot.path(home)}*, then {fix}"
        )
    return snapshot
