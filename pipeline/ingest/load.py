"""Load one delivered file: read it, check its rows, write them, commit."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from queue import Queue
from tempfile import mkdtemp
from typing import NamedTuple, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain import Domain
from pipeline.errors import InputError, PipelineError, UsageError
from pipeline.ingest import store
from pipeline.ingest.contents import Contents
from pipeline.ingest.formats.reader import open_reader
from pipeline.ingest.mapping import FileColumns, FileMapping, fit, mapping_of
from pipeline.ingest.pseudonyms import key_of
from pipeline.ingest.refusals import Chunk, Refusal, count
from pipeline.ingest.row_checks import Contract, RowChecker
from pipeline.settings import Settings
from pipeline.storage import lake
from pipeline.storage.files import publish
from pipeline.storage.lake import KINDS, Batch, Kind
from pipeline.warehouse import connect

MOST_CHECKERS = 4
MEMORY = 400_000_000  # bytes for DuckDB, so that ingest stays below 1 GB; beyond it DuckDB spills to disk

# What libraries raise on an odd cell. Any other error on the way to the lake is our bug.
LIBRARIES = (pa.ArrowException, duckdb.Error, UnicodeError, OverflowError)

T = TypeVar("T")
R = TypeVar("R")


def in_order(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """Results of `work` in the order of `items`. At most `ahead` items are worked on beyond the current one."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@contextmanager
def refusing(path: Path, errors: tuple[type[Exception], ...] = (Exception,)) -> Iterator[None]:
    """Turn `errors` into the refusal of this file: the other files still load.

    Faults of this machine, such as too little memory, pass through.
    """
    try:
        yield
    except (PipelineError, MemoryError, duckdb.OutOfMemoryException, duckdb.IOException):
        raise
    except errors as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise InputError(f"{path.name} cannot be read: {what}", fix="deliver the file again, whole") from None


def _chunks_or_refusal(path: Path, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    while True:
        with refusing(path):
            if (chunk := next(chunks, None)) is None:
                return
        yield chunk


def _sweep(home: Path) -> None:
    """Remove unfinished files of a killed run. Only one process works in a home at a time."""
    for leftover in [*home.glob(".key.*.tmp"), *home.glob("lake/.*.tmp"), *home.glob("lake/batches/.*.tmp")]:
        leftover.unlink()


def _seen_before(path: Path, batch: Batch) -> list[str]:
    """A warning if all rows of this file were refused before: the pack may have been corrected since."""
    if batch.accepted or not batch.refused:
        return []
    manifest = f"lake/batches/{batch.kind}-{batch.batch_id}.json"
    return [f"{path.name} was read before and every row refused: to read it again, remove {manifest}"]


def reading_id(content: str, earlier: int) -> str:
    """A batch's id. The first reading takes the content's; a later one, for rows that had to wait, its own."""
    return content if not earlier else hashlib.sha256(f"{content} {earlier}".encode()).hexdigest()[:16]


def rows_at(chunk: Chunk, lines: Collection[int]) -> Chunk:
    wanted = pc.is_in(chunk.rows.column(0), value_set=pa.array(lines, pa.int64()))
    return replace(chunk, rows=chunk.rows.filter(wanted), refused=[row for row in chunk.refused if row.line in lines])


class Delivery(NamedTuple):
    """One file to load. `advance` is called with the share that is done."""

    kind: Kind
    path: Path
    advance: Callable[[float], None]


@dataclass
class Reading:
    """What reading one file gave. `earlier` counts rows that an earlier reading has accounted for."""

    mapping: FileMapping
    rows: int = 0
    earlier: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    again_from: datetime | None = None


class Loader:
    """Loads files one after the other, and keeps track of what the lake holds."""

    def __init__(self, settings: Settings, domain: Domain, aside: Path, is_history: bool) -> None:
        self.settings, self.domain, self.aside, self.is_history = settings, domain, aside, is_history
        self.home, self.now = settings.home, settings.clock()
        self.changed: list[datetime] = []  # when the files that were loaded were last written to
        _sweep(self.home)
        self.contents = Contents(self.home)
        self.notations = Counter[tuple[str, str]]()  # (column, notation) of refused cells in the last file
        self.key = key_of(settings, domain)
        self.batches: dict[Kind, list[Batch]] = {kind: lake.batches(self.home, kind) for kind in KINDS}
        # Without new files, too: a list as of before the newest batch would not see its rows.
        lake.refuse_a_clock_gone_back(self.home, [b for kind in KINDS for b in self.batches[kind]], self.now)

    def load(self, delivery: Delivery) -> tuple[Batch | None, list[str]]:
        """Ingest one file. Returns its batch, or None if the content was ingested before, and warnings."""
        try:
            return self._load(delivery)
        except duckdb.OutOfMemoryException:
            raise UsageError(
                f"DuckDB ran out of memory or disk over {delivery.path.name}",
                fix="raise RISK_MEMORY_LIMIT, or free disk space",
            ) from None

    def _load(self, delivery: Delivery) -> tuple[Batch | None, list[str]]:
        kind, path = delivery.kind, delivery.path
        with refusing(path):
            before = path.stat()
            content = self.contents.id_of(path)
        readings = sorted((b for b in self.batches[kind] if b.content == content), key=lambda batch: batch.ingested_at)
        last = readings[-1] if readings else None
        if last is not None and not self._may_now_do(last):
            return None, _seen_before(path, last)
        batch_id = reading_id(content, len(readings))
        folder = Path(mkdtemp(dir=self.aside))  # a copy of this file may have been refused before it
        quarantine = store.Quarantine(folder / "quarantine.parquet", path.name, batch_id)
        with self._connect() as con:
            pending = None if last is None else store.pending_lines(self.home, last)
            reading = self._read(con, delivery, quarantine, pending)
            if last is not None and reading.reasons == Counter(store.pending_reasons(last)):
                return None, _seen_before(path, last)  # nothing has changed
            with refusing(path):
                after = path.stat()
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise InputError(
                    f"{path.name} changed while it was read", fix="deliver it under another name, then rename"
                )
            duplicates = reading.earlier + self._drop_duplicates(con, kind)
            written = self._write(con, kind, folder, batch_id)
        accepted = sum(file.rows for _, file in written)
        batch = Batch(
            batch_id=batch_id,
            content=content,
            kind=kind,
            source=path.name,
            ingested_at=self.now,
            is_history=self.is_history,
            read=reading.rows,
            accepted=accepted,
            refused=quarantine.rows,
            duplicates=duplicates,
            reasons=dict(sorted(reading.reasons.items())),
            again_from=reading.again_from,
            files=[file for _, file in written],
        )
        if batch.read != batch.accepted + batch.refused + batch.duplicates:
            raise AssertionError(f"{path.name}: read {reading.rows} rows, but accounted for {batch}")
        self._publish(batch, written, quarantine)
        self.changed.append(datetime.fromtimestamp(before.st_mtime, UTC))
        absent = [name for name in reading.mapping.absent if name in mapping_of(self.domain, kind).source]
        return batch, [f"{path.name} has no {', '.join(absent)}: taken as not known"] if absent else []

    def _may_now_do(self, batch: Batch) -> bool:
        """Whether a row of the batch that had to wait may be accepted now."""
        if batch.again_from is not None and batch.again_from <= self.now:
            return True
        waits_for_events = any(reason.startswith("unknown_event ") for reason in batch.reasons)
        return waits_for_events and any(events.ingested_at > batch.ingested_at for events in self.batches["events"])

    def _read(
        self,
        con: duckdb.DuckDBPyConnection,
        delivery: Delivery,
        quarantine: store.Quarantine,
        pending: Collection[int] | None,
    ) -> Reading:
        """Check the file's rows. Of a file read before, check only `pending`, see `store.PENDING`."""
        kind, path = delivery.kind, delivery.path
        self.notations.clear()
        with refusing(path):
            reader = open_reader(path, self.settings.max_file_bytes)
        mapping = fit(con, self.domain, kind, FileColumns(path.name, reader.columns, reader.is_sparse))
        events = self._lake_paths("events") if kind == "labels" else ()
        contract = Contract(self.domain, mapping, self.now, self.key, events)
        checkers = [RowChecker(self._cursor(con), contract) for _ in range(min(self.settings.threads, MOST_CHECKERS))]
        checkers[0].stage()
        idle: Queue[RowChecker] = Queue()
        for checker in checkers:
            idle.put(checker)

        def check(chunk: Chunk) -> tuple[int, int, list[Refusal]]:
            rows = len(chunk)
            chunk = chunk if pending is None else rows_at(chunk, pending)
            checker = idle.get()
            try:
                with refusing(path, LIBRARIES):
                    return rows, rows - len(chunk), checker.add(chunk)
            finally:
                idle.put(checker)

        reading = Reading(mapping)
        # One thread reads the file ahead of the others, which check rows: DuckDB works outside Python's lock.
        with ThreadPoolExecutor(len(checkers)) as pool:
            chunks = _chunks_or_refusal(path, reader.chunks(mapping.wanted))
            for rows, earlier, refused in in_order(pool, check, chunks, ahead=len(checkers)):
                with refusing(path, LIBRARIES):
                    quarantine.add(refused)
                reading.reasons += count(refused)
                self.notations.update((row.column, row.notation) for row in refused if row.column and row.notation)
                reading.rows += rows
                reading.earlier += earlier
                delivery.advance(0.9 * reader.done)
        reading.again_from = min((each.again_from for each in checkers if each.again_from), default=None)
        return reading

    def _connect(self) -> duckdb.DuckDBPyConnection:
        con = connect(self.settings)
        [(limit,)] = con.execute("select parse_formatted_bytes(current_setting('memory_limit'))").fetchall()
        if limit > MEMORY:
            con.execute(f"set memory_limit = '{MEMORY} B'")
        return con

    def _cursor(self, con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        cursor = con.cursor()
        cursor.execute("set TimeZone = 'UTC'")
        return cursor

    def _drop_duplicates(self, con: duckdb.DuckDBPyConnection, kind: Kind) -> int:
        if kind == "labels":
            return store.drop_label_duplicates(con, self._lake_paths("labels"))
        days = {day for (day,) in con.execute("select distinct cast(event_at as date) from staged").fetchall()}
        return store.drop_event_duplicates(con, self._lake_paths("events", days))

    def _lake_paths(self, kind: Kind, days: Collection[date] | None = None) -> list[str]:
        files = [file for batch in self.batches[kind] for file in batch.files]
        chosen = [file for file in files if days is None or file.event_day in days]
        return [str(self.home / file.path) for file in lake.checked(self.home, chosen)]

    def _write(
        self, con: duckdb.DuckDBPyConnection, kind: Kind, folder: Path, batch_id: str
    ) -> list[tuple[Path, lake.LakeFile]]:
        now = f"timestamp '{self.now.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
        if kind == "labels":
            return store.write_labels(con, folder, batch_id, "known_at" if self.is_history else now)
        return store.write_events(con, folder, batch_id, "event_at" if self.is_history else now)

    def _publish(self, batch: Batch, written: list[tuple[Path, lake.LakeFile]], quarantine: store.Quarantine) -> None:
        """Rename everything into place. The manifest comes last: it is the commit."""
        for leftover in lake.files_of(self.home, batch.kind, batch.batch_id):
            leftover.unlink()  # of a killed run
        for aside, file in written:
            publish(aside, self.home / file.path)
        quarantine.publish(store.quarantine_path(self.home, batch.kind, batch.batch_id))
        lake.commit(self.home, batch)
        self.batches[batch.kind].append(batch)
