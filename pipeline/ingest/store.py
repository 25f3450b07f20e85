"""Write a file's good rows to the lake and its refused rows to quarantine. Duplicates are dropped first."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.ingest.refusals import Refusal
from pipeline.schemas import EVENTS, LABELS, QUARANTINE
from pipeline.sql import parquet, quoted
from pipeline.storage.files import publish
from pipeline.storage.lake import Batch, Kind, LakeFile

ROW_GROUP = 122_880  # DuckDB reads this size fastest
PRIVATE = 0o600
PENDING = ("future_time", "unknown_event")  # reasons that time or later events may remove


class Quarantine:
    """Refused rows of one file, written as they come. Only the owner may read them."""

    def __init__(self, aside: Path, file: str, batch_id: str) -> None:
        self.aside, self.file, self.batch_id = aside, file, batch_id
        self.writer: Any = None
        self.rows = 0

    def add(self, refusals: Sequence[Refusal]) -> None:
        if not refusals:
            return
        if self.writer is None:
            self.sink = os.fdopen(os.open(self.aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb")
            self.writer = pq.ParquetWriter(self.sink, QUARANTINE, compression="zstd")
        lines, reasons, columns, raws, _ = zip(*refusals, strict=True)
        cells = [[self.file] * len(lines), lines, reasons, columns, raws, [self.batch_id] * len(lines)]
        arrays = [pa.array(values, field.type) for values, field in zip(cells, QUARANTINE, strict=True)]
        self.writer.write_table(pa.Table.from_arrays(arrays, schema=QUARANTINE))
        self.rows += len(lines)

    def publish(self, target: Path) -> None:
        target.unlink(missing_ok=True)  # of a killed run
        if self.writer is not None:
            self.writer.close()
            self.sink.close()
            publish(self.aside, target)


def pending_reasons(batch: Batch) -> dict[str, int]:
    """Refused rows of a reading that may be accepted later, by 'reason column'."""
    return {reason: rows for reason, rows in batch.reasons.items() if reason.partition(" ")[0] in PENDING}


def pending_lines(home: Path, batch: Batch) -> frozenset[int] | None:
    """Lines that a reading refused for such a reason. None if its quarantine file is gone."""
    path = quarantine_path(home, batch.kind, batch.batch_id)
    if not path.is_file():
        return None
    table = pq.ParquetFile(path).read(columns=["line", "reason"])
    return frozenset(table.filter(pc.is_in(table["reason"], value_set=pa.array(PENDING)))["line"].to_pylist())


def quarantine_path(home: Path, kind: Kind, batch_id: str) -> Path:
    return home / "quarantine" / f"{kind}-{batch_id}.parquet"


def drop_event_duplicates(con: duckdb.DuckDBPyConnection, lake: Sequence[str]) -> int:
    """Number repeated derived ids, then drop duplicates: same event_id on the same UTC day."""
    # Equal rows of one file are different events. Only ids that occur twice need sorting.
    con.execute(
        """
        create or replace temp table numbered as
        select _line, left(sha256(event_id || '#' || position), 32) as event_id
        from (
            select _line, event_id, row_number() over (partition by event_id order by _line) as position
            from staged
            where _is_derived and event_id in (
                select event_id from staged where _is_derived group by event_id having count(*) > 1
            )
        )
        where position > 1
        """
    )
    con.execute("update staged set event_id = numbered.event_id from numbered where staged._line = numbered._line")
    con.execute(
        """
        create or replace temp table duplicates as
        select _line
        from (
            select _line, row_number() over (partition by event_id, cast(event_at as date) order by _line) as position
            from staged
            where event_id in (select event_id from staged group by event_id having count(*) > 1)
        )
        where position > 1
        """
    )
    if lake:
        con.execute(
            f"""
            insert into duplicates
            select _line from staged
            where (event_id, cast(event_at as date)) in (
                select (event_id, cast(event_at as date)) from {parquet(lake)}
            )
            """
        )
    return _drop_duplicates(con)


def drop_label_duplicates(con: duckdb.DuckDBPyConnection, lake: Sequence[str]) -> int:
    """Drop labels that repeat a label: same user, event, times and is_bad."""
    same = ["user_id", "event_id", "happened_at", "ends_at", "known_at", "is_bad"]
    con.execute(
        f"""
        create or replace temp table duplicates as
        select _line
        from (select _line, row_number() over (partition by {", ".join(same)} order by _line) as position from staged)
        where position > 1
        """
    )
    if lake:
        equal = " and ".join(f"staged.{name} is not distinct from earlier.{name}" for name in same)
        con.execute(
            f"""
            insert into duplicates
            select _line from staged
            where exists (select 1 from {parquet(lake)} as earlier where {equal})
            """
        )
    return _drop_duplicates(con)


def _drop_duplicates(con: duckdb.DuckDBPyConnection) -> int:
    con.execute("delete from staged where _line in (select _line from duplicates)")
    [(dropped,)] = con.execute("select count(distinct _line) from duplicates").fetchall()
    return int(dropped)


def write_events(
    con: duckdb.DuckDBPyConnection, aside: Path, batch_id: str, arrived: str
) -> list[tuple[Path, LakeFile]]:
    """Write one sorted file per day under `aside`. `arrived` is the SQL of arrived_at."""
    summary = f"cast(event_at as date) as day, count(*), min({arrived}), max({arrived})"
    days = con.execute(f"select {summary} from staged group by day order by day").fetchall()
    stream = _sorted(con, EVENTS, arrived, batch_id, "cast(event_at as date), user_id, event_at, event_id")
    written = []
    for day, rows, first, last in days:
        path = aside / f"{day}.parquet"
        stream.write(path, rows)
        target = f"lake/events/event_day={day}/{batch_id}.parquet"
        written.append((path, _lake_file(path, target, rows, (first, last), event_day=day)))
    return written


def write_labels(
    con: duckdb.DuckDBPyConnection, aside: Path, batch_id: str, arrived: str
) -> list[tuple[Path, LakeFile]]:
    """Write one sorted file of labels, if there are any. `arrived` is the SQL of arrived_at."""
    summary = f"select count(*), min({arrived}), max({arrived}), min(known_at) from staged"
    [(rows, first, last, first_known)] = con.execute(summary).fetchall()
    if not rows:
        return []
    path = aside / "labels.parquet"
    _sorted(con, LABELS, arrived, batch_id, "user_id, happened_at, ends_at, event_id, known_at, is_bad").write(
        path, rows
    )
    target = f"lake/labels/{batch_id}.parquet"
    return [(path, _lake_file(path, target, rows, (first, last), first_known=first_known.replace(tzinfo=UTC)))]


def _lake_file(written: Path, path: str, rows: int, arrived: tuple[datetime, datetime], **more: Any) -> LakeFile:
    first, last = (moment.replace(tzinfo=UTC) for moment in arrived)
    return LakeFile.of(written, path, rows=rows, first_arrived=first, last_arrived=last, **more)


def _sorted(con: duckdb.DuckDBPyConnection, schema: pa.Schema, arrived: str, batch_id: str, order: str) -> "Stream":
    added = {"arrived_at": arrived, "batch_id": f"'{batch_id}'"}
    columns = ", ".join(f"{added.get(name, quoted(name))} as {quoted(name)}" for name in schema.names)
    return Stream(con.sql(f"select {columns} from staged order by {order}").to_arrow_reader(ROW_GROUP), schema)


class Stream:
    """Sorted rows in row groups of a fixed size, whatever batches DuckDB returns: equal rows make equal bytes."""

    def __init__(self, reader: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
        self.reader, self.schema = reader, schema
        self.rest = schema.empty_table()

    def write(self, path: Path, rows: int) -> None:
        """Write the next `rows` rows to a new file."""
        with pq.ParquetWriter(path, self.schema, compression="zstd") as writer:
            for start in range(0, rows, ROW_GROUP):
                writer.write_table(self._take(min(ROW_GROUP, rows - start)), row_group_size=ROW_GROUP)

    def _take(self, rows: int) -> pa.Table:
        tables = [self.rest]
        while sum(map(len, tables)) < rows:
            tables.append(pa.Table.from_batches([next(self.reader)]).cast(self.schema))
        whole = pa.concat_tables(tables)
        self.rest = whole.slice(rows)
        return whole.slice(0, rows).combine_chunks()
