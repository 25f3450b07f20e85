"""Ingest: load delivered files into the lake and refused rows into quarantine. Every row is accounted for.

People write files against these rules:
- Content identifies a file. Its event_id and UTC day identify an event.
- An event without an id gets one from its content and its position among equal rows of the file. Rows repeated within
  a file are different events; the same rows sent again in another file are duplicates.
- Text is trimmed; empty text is no value. Times are ISO 8601: a day, to the minute, or finer.
- A time has an offset, or is local in the domain's time zone. Epoch seconds need an expression in the pack.
- The first fault decides a row's reason of refusal, see `refusals.REASONS`. A file is refused if it cannot be read.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.receipt import Receipt
from pipeline.settings import Settings
from pipeline.storage.lake import Batch, Kind


def run(
    settings: Settings,
    domain: Domain,
    *,
    events: Sequence[Path] = (),
    labels: Sequence[Path] = (),
    history: bool = False,
    progress: bool = False,
) -> Receipt:
    """Ingest files and folders, by default all of landing/events and landing/labels. Events come first.

    `history`: each event counts as arrived when it happened, each label when it became known.
    Raises InputError naming every file that could not be read or had all its rows refused. The other files are then
    in the lake.
    """
    from pipeline.ingest.clock import clock_warnings
    from pipeline.ingest.landing import FOLDERS, astray, check, files_in, is_there
    from pipeline.ingest.load import Delivery, Loader
    from pipeline.ingest.mapping import mapping_of
    from pipeline.ingest.unmatched import unmatched_labels
    from pipeline.storage.files import scratch

    seen, warnings, failed = 0, [], []
    if not events and not labels:
        landing = settings.home / "landing"
        warnings += astray(landing)
        events, labels = ([landing / kind] if is_there(landing / kind) else [] for kind in FOLDERS)
    files: list[tuple[Kind, Path, Sequence[Path]]] = [("events", path, events) for path in files_in(events)]
    files += [("labels", path, labels) for path in files_in(labels)]

    for kind in {kind for kind, _, _ in files}:
        mapping_of(domain, kind)

    done: list[Batch] = []
    with scratch(settings.home, "ingest") as aside, _bar(progress, len(files)) as bar:
        aside.parent.chmod(0o700)  # rows as delivered pass through here
        loader = Loader(settings, domain, aside, history)
        for kind, path, roots in files:
            try:
                check(path, roots)
                batch, more = loader.load(Delivery(kind, path, bar(path.name)))
            except InputError as error:
                failed.append(error)
                continue
            warnings += more
            if batch is None:
                seen += 1
                continue
            done.append(batch)
            if batch.refused and batch.refused == batch.read:
                failed.append(_all_refused(batch, loader.notations))
        loader.contents.save()
        if settings.now is None:  # a pretended clock says nothing about the files' times
            warnings += clock_warnings(loader.now, loader.changed, history)
        warnings += unmatched_labels(settings, done)
    if failed:
        raise _all_failures(failed, done, warnings)
    return _receipt(done, seen, len(files), history, warnings)


def _receipt(done: Sequence[Batch], seen: int, files: int, history: bool, warnings: list[str]) -> Receipt:
    reasons: Counter[str] = Counter()
    for batch in done:
        reasons.update(batch.reasons)
    days = sorted({file.event_day.isoformat() for batch in done for file in batch.files if file.event_day})
    details: dict[str, Any] = {
        "files": files,
        "files_seen_before": seen,
        "reasons": dict(sorted(reasons.items())),
        "batches": {f"{batch.kind}-{batch.batch_id}": batch.source for batch in done},
        "accepted_labels": sum(batch.accepted for batch in done if batch.kind == "labels"),
        "days": days,
    }
    if history:
        details["history"] = "each event counts as arrived when it happened, each label when it became known"
    return Receipt(
        step="ingest",
        read=sum(batch.read for batch in done),
        accepted=sum(batch.accepted for batch in done),
        refused=sum(batch.refused for batch in done),
        duplicates=sum(batch.duplicates for batch in done),
        details=details,
        warnings=warnings,
    )


def _all_refused(batch: Batch, notations: Mapping[tuple[str, str], int]) -> InputError:
    """The error for a file without a usable row. It names what was wanted and the cells' notation, but no cell."""
    from pipeline.ingest.notations import remedy
    from pipeline.ingest.refusals import explain

    reasons = sorted(batch.reasons.items(), key=lambda item: -item[1])[:3]
    found = [f"{explain(reason, column or None)} ({rows:,} rows)" for reason, column, rows in map(_split, reasons)]
    quarantine = f"quarantine/{batch.kind}-{batch.batch_id}.parquet"
    if all(reason == "future_time" for reason, _, _ in map(_split, batch.reasons.items())):
        clock = f"{batch.ingested_at:%Y-%m-%d %H:%M} UTC"
        fix = f"set the clock right if it is behind: it stood at {clock}; then ingest again"
    elif not notations:
        fix = f"look at the rows in {quarantine}, then correct the file or the domain pack"
    else:
        (column, notation), _ = max(notations.items(), key=lambda item: item[1])
        found.append(f"{column}: these look like {notation}")
        fix = f"in the domain pack, map it with an expression such as {remedy(notation)}"
    return InputError(f"{batch.source}: all {batch.refused:,} rows were refused", *found, fix=fix)


def _split(counted: tuple[str, int]) -> tuple[str, str, int]:
    reason, _, column = counted[0].partition(" ")
    return reason, column, counted[1]


def _all_failures(failed: Sequence[InputError], done: Sequence[Batch], warnings: Sequence[str]) -> InputError:
    good = [batch for batch in done if batch.accepted]
    more = [f"loaded all the same: {len(good)} files, {sum(batch.accepted for batch in good):,} rows"] if good else []
    more += [f"warning: {warning}" for warning in warnings]
    if len(failed) == 1:
        error = failed[0]
        return InputError(error.problem, *error.found, *more, fix=error.fix)
    lines = [line for error in failed for line in str(error).splitlines()]
    return InputError(f"{len(failed)} files could not be read", *lines, *more)


Advance = Callable[[float], None]


@contextmanager
def _bar(wanted: bool, files: int) -> Iterator[Callable[[str], Advance]]:
    """Yields a function that begins a file by name. It returns a function to report the share done."""
    if not wanted or not files:
        yield lambda name: lambda share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("ingest {task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=files)
        names: list[str] = []

        def begin(name: str) -> Advance:
            names.append(name)
            before = len(names) - 1
            bar.update(task, description=name, completed=before)
            return lambda share: bar.update(task, completed=before + share)

        yield begin
