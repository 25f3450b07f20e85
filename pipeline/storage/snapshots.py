"""Snapshots: tables that Python reads. Immutable Parquet files, one per day, named by a digest of their inputs.

snapshots/<table>/day=D/<id>.parquet    the rows
snapshots/<table>/day=D/<id>.json       written after the rows: their inputs, hash and count
snapshots/<table>/day=D/seen.jsonl      which snapshot the day had, as of when; each run appends a line
"""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from pipeline.errors import InputError
from pipeline.storage.files import append_line, publish, read_lines, read_model, sha256_of, write_atomically


class Snapshot(BaseModel):
    """One day of one table. `id` is a digest of `made_from`: same inputs, same id."""

    model_config = ConfigDict(frozen=True)

    table: str
    day: date
    id: str
    as_of: datetime  # of the run that made it; later runs may have found it unchanged
    rows: int
    sha256: str
    made_from: dict[str, Any]

    def path(self, home: Path) -> Path:
        return folder(home, self.table, self.day) / f"{self.id}.parquet"


class Seen(BaseModel):
    """A line of seen.jsonl: as of `as_of`, the day had the snapshot `id`."""

    model_config = ConfigDict(frozen=True)

    as_of: AwareDatetime
    id: str


def folder(home: Path, table: str, day: date) -> Path:
    return home / "snapshots" / table / f"day={day}"


def find(home: Path, table: str, day: date, snapshot_id: str) -> Snapshot | None:
    meta = folder(home, table, day) / f"{snapshot_id}.json"
    return read_model(meta, Snapshot) if meta.is_file() else None


def newest(home: Path, table: str, day: date, as_of: datetime) -> Snapshot | None:
    """The day's snapshot of the last run whose own `as_of` was not after `as_of`. None without such a run."""
    runs = [(moment, place, name) for place, (moment, name) in enumerate(_seen(home, table, day)) if moment <= as_of]
    return find(home, table, day, max(runs)[2]) if runs else None


def between(home: Path, table: str, first: date, last: date, as_of: datetime) -> list[Snapshot]:
    """The snapshots of the days `first`..`last`, as in `newest`. Days without a run are left out."""
    found = (newest(home, table, day, as_of) for day in days(home, table) if first <= day <= last)
    return [snapshot for snapshot in found if snapshot is not None]


def paths(home: Path, table: str, first: date, last: date, as_of: datetime) -> dict[date, Path]:
    """The files of `between`, for days that have rows."""
    return {each.day: each.path(home) for each in between(home, table, first, last, as_of) if each.rows}


def see(home: Path, table: str, day: date, snapshot_id: str, as_of: datetime) -> None:
    """Record that as of `as_of` the day has this snapshot."""
    lines = [(moment, name) for moment, name in _seen(home, table, day) if moment == as_of]
    if lines and lines[-1][1] == snapshot_id:
        return
    append_line(seen_path(home, table, day), {"as_of": as_of.isoformat(), "id": snapshot_id})


def seen_path(home: Path, table: str, day: date) -> Path:
    return folder(home, table, day) / "seen.jsonl"


def _seen(home: Path, table: str, day: date) -> list[tuple[datetime, str]]:
    return [(line.as_of, line.id) for line in read_seen(seen_path(home, table, day))]


def read_seen(path: Path) -> list[Seen]:
    """Raises InputError if the file is damaged."""
    return read_lines(path, Seen)


def days(home: Path, table: str) -> list[date]:
    """Days that have a snapshot of this table, in order."""
    found = {meta.parent.name.removeprefix("day=") for meta in (home / "snapshots" / table).glob("day=*/*.json")}
    return sorted(date.fromisoformat(day) for day in found)


@dataclass(frozen=True)
class Shelf:
    """Where a run with this `as_of` keeps its snapshots. A key is a table and a day."""

    home: Path
    as_of: datetime

    def find(self, key: tuple[str, date], made_id: str) -> Snapshot | None:
        return find(self.home, *key, made_id)

    def add(self, key: tuple[str, date], made_id: str, made_from: dict[str, Any], aside: Path) -> None:
        """Rename the Parquet file into place, then write its JSON: without that the snapshot does not count."""
        table, day = key
        made = Snapshot(
            table=table,
            day=day,
            id=made_id,
            as_of=self.as_of,
            rows=_rows_of(aside),
            sha256=sha256_of(aside),
            made_from=made_from,
        )
        target = made.path(self.home)
        publish(aside, target)
        write_atomically(target.with_suffix(".json"), made.model_dump_json(indent=2) + "\n")

    def note(self, key: tuple[str, date], made_id: str) -> None:
        see(self.home, *key, made_id, self.as_of)


def _rows_of(path: Path) -> int:
    """Rows of a Parquet file, from its footer."""
    import pyarrow.parquet as pq

    return int(pq.ParquetFile(path).metadata.num_rows)


def require(snapshot: Snapshot | None, home: Path, table: str, day: date, fix: str) -> Snapshot:
    """The snapshot. Raises InputError if it is missing or damaged."""
    if snapshot is None:
        raise InputError(f"no snapshot of {table} for {day} fits what is known now", fix=fix)
    if not snapshot.path(home).is_file() or sha256_of(snapshot.path(home)) != snapshot.sha256:
        raise InputError(
            f"snapshot {snapshot.id} of {table} for {day} is damaged",
            fix=f"remove {snapshot.path(home).with_suffix('')}*, then {fix}",
        )
    return snapshot
