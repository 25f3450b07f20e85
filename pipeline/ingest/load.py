"""One delivered file, from its bytes to its commit."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from queue import Queue
from typing import TypeVar

import duckdb
import pyarrow as pa

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


class Loader:
    """Loads files one after the other; knows what the lake holds by then."""

    def __init__(self, settings: Settings, domain: Domain, aside: Path, is_history: bool) -> None:
        self.settings, self.domain, self.aside, self.is_history = settings, domain, aside, is_history
        self.home, self.now = settings.home, settings.clock()
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
            batch_id = self.contents.id_of(path)
        if before_it := next((batch for batch in self.known[kind] if batch.batch_id == batch_id), None):
            return None, _seen_before(path, before_it)
        folder = self.aside / f"{kind}-{batch_id}"
        folder.mkdir()
        quarantine = store.Quarantine(folder / "quarantine.parquet", path.name, batch_id)
        with self._connect() as con:
            fitted, read, reasons = self._read(con, kind, path, quarantine, advance)
            with blamed(path):
                after = path.stat()
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise InputError(
                    f"{path.name} changed while it was read", fix="deliver it under another name, then rename"
                )
            duplicates = self._drop_duplicates(con, kind)
            written = self._write(con, kind, folder, batch_id)
        accepted = sum(file.rows for _, file in written)
        batch = Batch(
            batch_id=batch_id,
            kind=kind,
            source=path.name,
            ingested_at=self.now,
            is_history=self.is_history,
            read=read,
            accepted=accepted,
            refused=quarantine.rows,
            duplicates=duplicates,
            reasons=dict(sorted(reasons.items())),
            files=[file for _, file in written],
        )
        if batch.read != batch.accepted + batch.refused + batch.duplicates:
            raise AssertionError(f"{path.name}: read {read} rows, but accounted for {batch}")
        self._publish(batch, written, quarantine)
        absent = [name for name in fitted.absent if name in mapping_of(self.domain, kind).source]
        return batch, [f"{path.name} has no {', '.join(absent)}: taken as not known"] if absent else []

    def _read(
        self,
        con: duckdb.DuckDBPyConnection,
        kind: Kind,
        path: Path,
        quarantine: store.Quarantine,
        advance: Callable[[float], None],
    ) -> tuple[FileMapping, int, Counter[str]]:
        self.looks.clear()
        with blamed(path):
            reader = open_reader(path, self.settings.max_file_bytes)
        fitted = fit(con, self.domain, kind, path.name, reader.columns, reader.is_sparse)
        events = [str(self.home / file.path) for batch in self.known["events"] for file in batch.files]
        judges: Queue[Rows] = Queue()
        for _ in range(min(self.settings.threads, MOST_JUDGES)):
            judge = Rows(self._cursor(con), self.domain, fitted, self.now, self.key, events if kind == "labels" else ())
            if judges.empty():
                judge.stage()
            judges.put(judge)

        def judged(chunk: Chunk) -> tuple[int, list[Refusal]]:
            judge = judges.get()
            try:
                with blamed(path, LIBRARIES):
                    return chunk.rows.num_rows + len(chunk.refused), judge.add(chunk)
            finally:
                judges.put(judge)

        read, reasons = 0, Counter[str]()
        # One thread reads the file ahead of the others, which judge: DuckDB works outside Python's lock.
        with ThreadPoolExecutor(judges.qsize()) as pool:
            for rows, refused in in_order(
                pool, judged, _blamed_on(path, reader.chunks(fitted.wanted)), ahead=judges.qsize()
            ):
                with blamed(path, LIBRARIES):
                    quarantine.add(refused)
                reasons += count(refused)
                self.looks.update((row.column, row.look) for row in refused if row.column and row.look)
                read += rows
                advance(0.9 * reader.done)
        return fitted, read, reasons

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
            known = [str(self.home / file.path) for batch in self.known["labels"] for file in batch.files]
            return store.drop_label_duplicates(con, known)
        days = {day for (day,) in con.execute("select distinct cast(event_at as date) from staged").fetchall()}
        files = [file for batch in self.known["events"] for file in batch.files if file.event_day in days]
        return store.drop_event_duplicates(con, [str(self.home / file.path) for file in files])

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
        quarantine.publish(self.home / "quarantine" / f"{batch.kind}-{batch.batch_id}.parquet")
        lake.commit(self.home, batch)
        self.known[batch.kind].append(batch)
