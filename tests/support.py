"""A small lake, written as ingest writes it: tests of later steps need no files and no checkpoint."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.schemas import EVENTS, LABELS
from pipeline.storage import lake
from pipeline.storage.files import digest, sha256_of
from pipeline.storage.snapshots import Shelf, Snapshot

Row = dict[str, Any]


def moment(day: date, hour: float = 12) -> datetime:
    """`hour` hours into a UTC day, without a zone, as the lake keeps times."""
    return datetime.combine(day, time()) + timedelta(hours=hour)


def event(user_id: str, at: datetime, event_id: str = "", **values: Any) -> Row:
    """A browsing event of `user_id` that arrived an hour later, unless `values` say otherwise."""
    ordinary = {"event_type": "browse", "role": "browse", "arrived_at": at + timedelta(hours=1)}
    row = {name: None for name in EVENTS.names} | ordinary | {"user_id": user_id, "event_at": at} | values
    row["event_id"] = event_id or digest([user_id, at, values])
    return row


def purchase(user_id: str, at: datetime, amount: float | str | None, event_id: str = "", **values: Any) -> Row:
    money = None if amount is None else Decimal(str(amount))
    return event(user_id, at, event_id, event_type="purchase", role="purchase", amount=money, **values)


def label(user_id: str, happened_at: datetime, known_at: datetime, event_id: str | None = None, **values: Any) -> Row:
    """A bad label that arrived when it became known, unless `values` say otherwise."""
    ordinary = {"is_bad": True, "typology": None, "source": "test", "arrived_at": known_at}
    what = {"user_id": user_id, "event_id": event_id, "happened_at": happened_at, "ends_at": None, "known_at": known_at}
    return ordinary | what | values


def write_events(home: Path, rows: Iterable[Row]) -> None:
    """One more batch of events, committed."""
    rows = sorted(rows, key=lambda row: (row["user_id"], row["event_at"], row["event_id"]))
    batch_id = _batch_id(rows)
    files = []
    for day in sorted({row["event_at"].date() for row in rows}):
        of_day = [row | {"batch_id": batch_id} for row in rows if row["event_at"].date() == day]
        files.append(_write(home, f"lake/events/event_day={day}/{batch_id}.parquet", of_day, EVENTS, event_day=day))
    _commit(home, "events", batch_id, rows, files)


def write_labels(home: Path, rows: Iterable[Row]) -> None:
    """One more batch of labels, committed."""
    rows = list(rows)
    batch_id = _batch_id(rows)
    of_batch = [row | {"batch_id": batch_id} for row in rows]
    known = min(row["known_at"] for row in rows).replace(tzinfo=UTC)
    file = _write(home, f"lake/labels/{batch_id}.parquet", of_batch, LABELS, first_known=known)
    _commit(home, "labels", batch_id, rows, [file])


def snapshot_hashes(home: Path, *tables: str) -> dict[str, str]:
    """SHA-256 of every snapshot of these tables (default: all), by its path."""
    root = home / "snapshots"
    paths = sorted(root.glob("*/day=*/*.parquet"))
    named = {str(path.relative_to(root)): path for path in paths}
    return {name: sha256_of(path) for name, path in named.items() if not tables or name.split("/")[0] in tables}


def _batch_id(rows: list[Row]) -> str:
    return f"{digest(rows)}0000"


def _write(home: Path, name: str, rows: list[Row], schema: pa.Schema, **more: Any) -> lake.LakeFile:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    arrivals = [row["arrived_at"].replace(tzinfo=UTC) for row in rows]
    return lake.LakeFile.of(path, name, rows=len(rows), first_arrived=min(arrivals), last_arrived=max(arrivals), **more)


def _commit(home: Path, kind: lake.Kind, batch_id: str, rows: list[Row], files: list[lake.LakeFile]) -> None:
    lake.commit(
        home,
        lake.Batch(
            batch_id=batch_id,
            content=batch_id,
            kind=kind,
            source=f"{batch_id}.csv",
            ingested_at=max(row["arrived_at"] for row in rows).replace(tzinfo=UTC),
            is_history=False,
            read=len(rows),
            accepted=len(rows),
            refused=0,
            duplicates=0,
            reasons={},
            files=files,
        ),
    )


def add_snapshot(
    home: Path, table: str, day: date, aside: Path, made_from: dict[str, Any], as_of: datetime
) -> Snapshot:
    """Move a Parquet file into the home as a step would that made it at `as_of`."""
    shelf, key, made_id = Shelf(home, as_of), (table, day), digest(made_from)
    shelf.add(key, made_id, made_from, aside)
    shelf.note(key, made_id)
    found = shelf.find(key, made_id)
    assert found is not None
    return found
