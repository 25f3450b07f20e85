"""Check that a home's files are as they were written. Changes nothing.

A check yields the faults of one file. Files that may be missing, or that the next run makes again, are not checked.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow.parquet as pq
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.checkpoints import CHECKPOINTS, Report
from pipeline.errors import InputError, UsageError
from pipeline.ingest.store import quarantine_path
from pipeline.models import bundle as bundles
from pipeline.models import registry
from pipeline.publish import revisions
from pipeline.receipt import Receipt
from pipeline.storage import lake, snapshots
from pipeline.storage.files import read_model, sha256_of, unfinished
from pipeline.storage.lake import Batch, LakeFile
from pipeline.storage.snapshots import Snapshot
from pipeline.warehouse import OWNER, Owner

BACKUP = "restore it from your backup"
M = TypeVar("M", bound=BaseModel)


class Fault(NamedTuple):
    """A file that is not as it was written. `path` is relative to the home."""

    path: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path} {self.problem}; to fix: {self.fix}"


Faults = Iterator[Fault]


def run(home: Path, now: datetime, progress: bool = False) -> Receipt:
    """Check a whole home. The receipt's `found` lists each fault and its fix. Raises UsageError if there is no home."""
    if not home.is_dir():
        raise UsageError(f"there is no home {home}", fix="set RISK_HOME, or use --home")
    checks = list(checks_of(home, now))
    with _bar(progress, len(checks)) as advance:
        found: list[Fault] = []
        for check in checks:
            found += check()
            advance()
    details = {"checks": len(checks), "faults": len(found), "found": [fault._asdict() for fault in found]}
    return Receipt(step="doctor", details=details, warnings=_gone_from_quarantine(home))


def _gone_from_quarantine(home: Path) -> list[str]:
    """A warning for each batch whose refused rows are gone. Clearing quarantine/ is allowed, so it is no fault."""
    batches = [batch for path in sorted(home.glob("lake/batches/*.json")) for batch in _readable(path) if batch.refused]
    gone = {quarantine_path(home, batch.kind, batch.batch_id): batch.refused for batch in batches}
    return [
        f"{_name(home, path)} is missing: the originals of {rows:,} refused rows are gone"
        for path, rows in gone.items()
        if not path.is_file()
    ]


def checks_of(home: Path, now: datetime) -> Iterator[Callable[[], Faults]]:
    """All checks, file by file."""
    yield from _lake_checks(home, now)
    of_one_file: dict[str, Callable[[Path, Path], Faults]] = {
        OWNER: owner_faults,
        "models/registry.jsonl": registry_faults,
        "models/*/bundle.json": bundle_faults,
        "lists/revisions/day=*/*/": revision_faults,
        "lists/day=*": link_faults,
        "snapshots/*/day=*/*.json": snapshot_faults,
        "snapshots/*/day=*/seen.jsonl": seen_faults,
        "reports/day=*/**/*.json": report_faults,
        "verdicts/*.parquet": table_faults,
        "quarantine/*.parquet": table_faults,
    }
    for pattern, check in of_one_file.items():
        for path in sorted(home.glob(pattern)):
            yield partial(check, home, path)


def _lake_checks(home: Path, now: datetime) -> Iterator[Callable[[], Faults]]:
    manifests = sorted(home.glob("lake/batches/*.json"))
    for manifest in manifests:
        yield partial(batch_faults, home, now, manifest)
        for batch in _readable(manifest):
            for file in batch.files:
                yield partial(lake_file_faults, home, file)
    batch_ids = {manifest.stem.partition("-")[2] for manifest in manifests}
    for path in sorted([*home.glob("lake/events/event_day=*/*.parquet"), *home.glob("lake/labels/*.parquet")]):
        if path.stem not in batch_ids:
            yield partial(_leftover, home, path)


def _readable(manifest: Path) -> list[Batch]:
    """The batch, or nothing if its manifest is damaged."""
    try:
        return [read_model(manifest, Batch)]
    except InputError:
        return []


def _leftover(home: Path, path: Path) -> Faults:
    problem = "belongs to no batch, so it does not count"
    yield Fault(_name(home, path), problem, "ingest its file again, or restore lake/batches/ from your backup")


def batch_faults(home: Path, now: datetime, manifest: Path) -> Faults:
    try:
        batch = read_model(manifest, Batch)
    except InputError:
        yield _damaged(home, manifest)
        return
    if batch.ingested_at > now + lake.AHEAD:
        problem = f"was ingested at {batch.ingested_at:%Y-%m-%d %H:%M} UTC, which the clock has not reached"
        fix = f"set the clock right; if it was wrong then, remove the manifest and ingest {batch.source} again"
        yield Fault(_name(home, manifest), problem, fix)


def lake_file_faults(home: Path, file: LakeFile) -> Faults:
    if problem := lake.fault_of(home, file):
        yield Fault(file.path, problem, BACKUP)
    elif not lake.is_unchanged(home, file):
        yield Fault(file.path, "is not what was ingested", BACKUP)


def owner_faults(home: Path, path: Path) -> Faults:
    yield from _faults_of_reading(home, path, Owner)


def registry_faults(home: Path, path: Path) -> Faults:
    yield from _unfinished_line(home, path, "decide about the bundle again")
    try:
        standing = registry.champions(home, datetime.max.replace(tzinfo=UTC))
    except InputError:
        yield _damaged(home, path)
        return
    for entry in standing[-1:]:
        if not (bundles.folder(home, entry.bundle) / "bundle.json").is_file():
            yield Fault(
                f"models/{entry.bundle}", "is the champion, and missing", f"{BACKUP}, or dawnlist models rollback"
            )


def bundle_faults(home: Path, path: Path) -> Faults:
    try:
        files = read_model(path, bundles.Manifest).files
    except InputError:
        yield _damaged(home, path)
        return
    for name, sha256 in files.items():
        if problem := _difference(path.parent / name, sha256):
            yield Fault(_name(home, path.parent / name), problem, f"{BACKUP}, or dawnlist models rollback")


def revision_faults(home: Path, path: Path) -> Faults:
    day = path.parent.name.removeprefix("day=")
    try:
        outputs = revisions.read_manifest(path)["outputs"]
    except (InputError, OSError):
        yield _damaged(home, path / "manifest.json")
        return
    for name, sha256 in outputs.items():
        if problem := _difference(path / name, sha256):
            yield Fault(_name(home, path / name), problem, f"dawnlist publish --day {day}, or {BACKUP}")


def link_faults(home: Path, path: Path) -> Faults:
    day = path.name.removeprefix("day=")
    note = home / "lists" / "revisions" / path.name / revisions.CURRENT
    if not path.exists():
        yield Fault(_name(home, path), "shows a revision that is missing", f"dawnlist publish --day {day}")
    elif note.is_file():
        yield from _faults_of_reading(home, note, revisions.Current)


def snapshot_faults(home: Path, path: Path) -> Faults:
    try:
        snapshot = read_model(path, Snapshot)
    except InputError:
        yield _damaged(home, path)
        return
    if problem := _difference(snapshot.path(home), snapshot.sha256):
        again = _again(snapshot.table, snapshot.day)
        yield Fault(_name(home, snapshot.path(home)), problem, f"remove {path.with_suffix('')}*, then {again}")


def seen_faults(home: Path, path: Path) -> Faults:
    table, day = path.parent.parent.name, path.parent.name.removeprefix("day=")
    yield from _unfinished_line(home, path, _again(table, day))
    try:
        names = {line.id for line in snapshots.read_seen(path)}
    except InputError:
        yield _damaged(home, path)
        return
    for name in sorted(names):
        if not path.with_name(f"{name}.json").is_file():
            yield Fault(_name(home, path.with_name(f"{name}.json")), "is missing", _again(table, day))


def report_faults(home: Path, path: Path) -> Faults:
    if path.stem in CHECKPOINTS:
        yield from _faults_of_reading(home, path, Report)


def table_faults(home: Path, path: Path) -> Faults:
    try:
        pq.ParquetFile(path).close()
    except (OSError, ValueError):
        yield _damaged(home, path)


def _again(table: str, day: date | str) -> str:
    is_feature = table in ("user_days", "event_tokens")
    return f"dawnlist features --from {day} --to {day}" if is_feature else f"dawnlist score --day {day}"


def _unfinished_line(home: Path, path: Path, fix: str) -> Faults:
    if unfinished(path):
        yield Fault(_name(home, path), "ends in an unfinished line, which does not count", fix)


def _faults_of_reading(home: Path, path: Path, model: type[M]) -> Faults:
    try:
        read_model(path, model)
    except InputError:
        yield _damaged(home, path)


def _damaged(home: Path, path: Path) -> Fault:
    return Fault(_name(home, path), "is missing or damaged", BACKUP)


def _difference(path: Path, sha256: str) -> str | None:
    if not path.is_file():
        return "is missing"
    return None if sha256_of(path) == sha256 else "is not what was written"


def _name(home: Path, path: Path) -> str:
    return str(path.relative_to(home))


@contextmanager
def _bar(wanted: bool, checks: int) -> Iterator[Callable[[], None]]:
    """Yields a function to call after each check."""
    if not wanted:
        yield lambda: None
        return
    columns = (TextColumn("checking"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=checks)
        yield lambda: bar.advance(task)
