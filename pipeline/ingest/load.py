"""One delivered file, from its bytes to its commit."""

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
from typing import TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import lake
from pipeline.domain import Domain
from pipeline.errors import InputError, PipelineError, UsageError
from pipeline.files import publish
from pipeline.ingest import store
from pipeline.ingest.contents import Contents
from pipeline.ingest.contract import Rows
from pipeline.ingest.landing import open_reader
from pipeline.ingest.mapping import FileMapping, fit, mapping_of
from pipeline.ingest.pseudonyms import key_of
from pipeline.ingest.refusals import Chunk, Refusal, count
from pipeline.lake import Batch, Kind
from pipeline.settings import Settings
from pipeline.warehouse import connect

KINDS: tuple[Kind, ...] = ("events", "labels")
MOST_JUDGES = 4
MEMORY = 400_000_000  # of DuckDB, in bytes, so that ingest stays below 1 GB: it spills in order

# What the libraries make of an odd cell. Any other error on the way to the lake is a bug of ours.
LIBRARIES = (pa.ArrowException, duckdb.Error, UnicodeError, OverflowError)

T = TypeVar("T")
R = TypeVar("R")


def in_order(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """Results of `work` in the order of `items`, which are taken only a little `ahead`."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@contextmanager
def blamed(path: Path, errors: tuple[type[Exception], ...] = (Exception,)) -> Iterator[None]:
    """Turn `errors` into the refusal of this file: the others still load.

    What a person has to mend on this machine stays what it is.
    """
    try:
        yield
    except (PipelineError, MemoryError, duckdb.OutOfMemoryException, duckdb.IOException):
        raise
    except errors as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise InputError(f"{path.name} cannot be read: {what}", fix="deliver the file again, whole") from None


def _blamed_on(path: Path, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    while True:
        with blamed(path):
            if (chunk := next(chunks, None)) is None:
                return
        yield chunk


def _sweep(home: Path) -> None:
    """Remove what a killed run left half written beside its files; only one process works in a home at a time."""
    for leftover in [*home.glob(".key.*.tmp"), *home.glob("lake/.*.tmp"), *home.glob("lake/batches/.*.tmp")]:
        leftover.unlink()


def _seen_before(path: Path, batch: Batch) -> list[str]:
    """A word about a file that came to nothing when it was read: the pack may have been mended since."""
    if batch.accepted or not batch.refused:
        return []
    manifest = f"lake/batches/{batch.kind}-{batch.batch_id}.json"
    return [f"{path.name} was read before and every row refused: to have it read again, remove {manifest}"]


def reading_id(content: str, earlier: int) -> str:
    """A batch's id: the file's content, but for one that was read before, some of its rows being in the future then."""
    return content if not earlier else hashlib.sha256(f"{content} {earlier}".encode()).hexdigest()[:16]


def only(chunk: Chunk, lines: Collection[int]) -> Chunk:
    wanted = pc.is_in(chunk.rows.column(0), value_set=pa.array(lines, pa.int64()))
    return replace(chunk, rows=chunk.rows.filter(wanted), refused=[row for row in chunk.refused if row.line in lines])


@dataclass
class Reading:
    """What reading a file came to; `known` are rows that an earlier reading has accounted for."""

    fitted: FileMapping
    rows: int = 0
    known: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    again_from: datetime | None = None


class Loader:
    """Loads files one after the other; knows what the lake holds by then."""

    def __init__(self, settings: Settings, domain: Domain, aside: Path, is_history: bool) -> None:
        self.settings, self.domain, self.aside, self.is_history = settings, domain, aside, is_history
        self.home, self.now = settings.home, settings.clock()
        self.changed: list[datetime] = []  # when the files that were loaded were last written to
        _sweep(self.home)
        self.contents = Contents(self.home)
        self.looks = Counter[tuple[str, str]]()  # columns and notations of refused cells in the file loaded last
        self.key = key_of(settings, domain)
        self.known: dict[Kind, list[Batch]] = {kind: lake.batches(self.home, kind) for kind in KINDS}

    def load(self, kind: Kind, path: Path, advance: Callable[[float], None]) -> tuple[Batch | None, list[str]]:
        """Ingest one file; no batch if the same content was ingested before. Also returns warnings."""
        try:
            return self._load(kind, path, advance)
        except duckdb.OutOfMemoryException:
            raise UsageError(
                f"DuckDB ran out of memory or disk over {path.name}", fix="raise RISK_MEMORY_LIMIT, or free disk space"
            ) from None

    def _load(self, kind: Kind, path: Path, advance: Callable[[float], None]) -> tuple[Batch | None, list[str]]:
        with blamed(path):
            before = path.stat()
            content = self.contents.id_of(path)
        readings = sorted((b for b in self.known[kind] if b.content == content), key=lambda batch: batch.ingested_at)
        last = readings[-1] if readings else None
        if last is not None and (last.again_from is None or last.again_from > self.now):
            return None, _seen_before(path, last)
        lake.refuse_a_clock_gone_back(self.home, [b for kind in KINDS for b in self.known[kind]], self.now)
        batch_id = reading_id(content, len(readings))
        folder = Path(mkdtemp(dir=self.aside))  # a copy of this file may have been refused before it
        quarantine = store.Quarantine(folder / "quarantine.parquet", path.name, batch_id)
        with self._connect() as con:
            pending = None if last is None else store.future_lines(self.home, last)
            reading = self._read(con, kind, path, quarantine, pending, advance)
            with blamed(path):
                after = path.stat()
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise InputError(
                    f"{path.name} changed while it was read", fix="deliver it under another name, then rename"
                )
            duplicates = reading.known + self._drop_duplicates(con, kind)
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
        absent = [name for name in reading.fitted.absent if name in mapping_of(self.domain, kind).source]
        return batch, [f"{path.name} has no {', '.join(absent)}: taken as not known"] if absent else []

    def _read(
        self,
        con: duckdb.DuckDBPyConnection,
        kind: Kind,
        path: Path,
        quarantine: store.Quarantine,
        pending: Collection[int] | None,
        advance: Callable[[float], None],
    ) -> Reading:
        """Judge the file's rows; of a file read before only the `pending` lines, which were in the future then."""
        self.looks.clear()
        with blamed(path):
            reader = open_reader(path, self.settings.max_file_bytes)
        fitted = fit(con, self.domain, kind, path.name, reader.columns, reader.is_sparse)
        events = self._lake_paths("events") if kind == "labels" else ()
        judges: Queue[Rows] = Queue()
        everyone = []
        for _ in range(min(self.settings.threads, MOST_JUDGES)):
            judge = Rows(self._cursor(con), self.domain, fitted, self.now, self.key, events)
            if judges.empty():
                judge.stage()
            judges.put(judge)
            everyone.append(judge)

        def judged(chunk: Chunk) -> tuple[int, int, list[Refusal]]:
            rows = len(chunk)
            chunk = chunk if pending is None else only(chunk, pending)
            judge = judges.get()
            try:
                with blamed(path, LIBRARIES):
                    return rows, rows - len(chunk), judge.add(chunk)
            finally:
                judges.put(judge)

        reading = Reading(fitted)
        # One thread reads the file ahead of the others, which judge: DuckDB works outside Python's lock.
        with ThreadPoolExecutor(judges.qsize()) as pool:
            chunks = _blamed_on(path, reader.chunks(fitted.wanted))
            for rows, known, refused in in_order(pool, judged, chunks, ahead=judges.qsize()):
                with blamed(path, LIBRARIES):
                    quarantine.add(refused)
                reading.reasons += count(refused)
                self.looks.update((row.column, row.look) for row in refused if row.column and row.look)
                reading.rows += rows
                reading.known += known
                advance(0.9 * reader.done)
        reading.again_from = min((judge.again_from for judge in everyone if judge.again_from), default=None)
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
        files = [file for batch in self.known[kind] for file in batch.files]
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
        """Rename everything into place; the manifest comes last and makes it count."""
        for leftover in lake.files_of(self.home, batch.kind, batch.batch_id):
            leftover.unlink()  # a killed run's
        for aside, file in written:
            publish(aside, self.home / file.path)
        quarantine.publish(store.quarantine_path(self.home, batch.kind, batch.batch_id))
        lake.commit(self.home, batch)
        self.known[batch.kind].append(batch)
