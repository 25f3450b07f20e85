"""Build the features: one dbt run over a range of days, then one immutable snapshot per table and day.

Reads   lake/
Writes  snapshots/user_days, snapshots/event_tokens
Rerun   a day whose inputs have not changed is left as it is
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline import lake, snapshots
from pipeline.domain import ROLES, Domain
from pipeline.errors import InputError
from pipeline.features.identity import made_from
from pipeline.files import digest, scratch, sha256_of
from pipeline.lake import LakeFile
from pipeline.receipt import Receipt
from pipeline.settings import Settings
from pipeline.snapshots import Snapshot
from pipeline.warehouse import dbt_build, parquet_rows

WINDOW_DAYS = 28
CHUNK_EVENTS = 2_000_000  # built in one go: what fits into the default memory limit

TABLES = {"user_days": "fct_user_days", "event_tokens": "fct_event_tokens"}


def run(settings: Settings, domain: Domain, first: date, last: date, *, as_of: datetime) -> Receipt:
    """Make sure that every day `first`..`last` has its snapshots as seen at `as_of`.

    Event tokens are also made for those of the 27 days before that lack them: a window needs them.
    """
    home = settings.home
    events, labels = lake.event_files(home), lake.label_files(home)
    if not any(file.event_day and file.event_day <= last for file in events):
        raise InputError(f"no events up to {last} in {home}", fix="dawnlist ingest --events PATH")
    days = _days(first, last)
    wanted = {"user_days": days, "event_tokens": _days(first - timedelta(days=WINDOW_DAYS - 1), last)}
    inputs = {
        (table, day): made_from(table, domain, day, as_of, events, labels)
        for table, table_days in wanted.items()
        for day in table_days
    }
    missing = [key for key, value in inputs.items() if not snapshots.find(home, *key, digest(value))]
    seconds: Counter[str] = Counter()
    for chunk in _chunks(sorted({day for _, day in missing}), events):
        with scratch(home, "features") as folder:
            variables = _variables(settings, domain, as_of, chunk, missing, events, labels, folder)
            models = dbt_build(settings, variables)
            seconds.update({name: model["seconds"] for name, model in models.items()})
            for table, day in missing:
                if day in chunk:
                    aside = folder / f"{TABLES[table]}-{day}.parquet"
                    snapshots.add(home, aside, _snapshot(table, day, as_of, aside, inputs[table, day]))
    for (table, day), value in inputs.items():
        snapshots.see(home, table, day, digest(value), as_of)
    built = sum(table == "user_days" for table, _ in missing)
    rows = [snapshot.rows for day in days if (snapshot := snapshots.newest(home, "user_days", day, as_of))]
    details: dict[str, Any] = {
        "days_built": built,
        "days_unchanged": len(days) - built,
        "user_days": sum(rows),
        "model_seconds": {name: round(value, 2) for name, value in seconds.items()},
    }
    return Receipt(step="features", day=last, details=details)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _chunks(days: list[date], events: Sequence[LakeFile]) -> Iterator[list[date]]:
    """Cut a long range where it would not fit into memory; each part is one query per model all the same."""
    rows: Counter[date] = Counter()
    for file in events:
        if file.event_day:
            rows[file.event_day] += file.rows
    chunk: list[date] = []
    for day in days:
        if chunk and sum(rows[other] for other in [*chunk, day]) > CHUNK_EVENTS:
            yield chunk
            chunk = []
        chunk.append(day)
    if chunk:
        yield chunk


def _variables(
    settings: Settings,
    domain: Domain,
    as_of: datetime,
    chunk: list[date],
    missing: Sequence[tuple[str, date]],
    events: Sequence[LakeFile],
    labels: Sequence[LakeFile],
    folder: Path,
) -> dict[str, Any]:
    """What dbt is told. It reads the files of the window, and further back as far as the label history goes."""
    last = chunk[-1]
    user_days = [day for table, day in missing if table == "user_days" and day in chunk]
    oldest = chunk[0] - timedelta(days=WINDOW_DAYS + domain.label_delay_days)
    present = set(domain.event_types.values())
    return {
        "first_day": str(user_days[0] if user_days else last + timedelta(days=1)),  # after the last: tokens only
        "last_day": str(last),
        "token_first_day": str(chunk[0]),
        "as_of": as_of.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "event_files": [
            str(settings.home / file.path) for file in events if file.event_day and oldest <= file.event_day <= last
        ],
        "all_event_files": [str(settings.home / file.path) for file in events],
        "label_files": [str(settings.home / file.path) for file in labels],
        "label_delay_days": domain.label_delay_days,
        "has_labels": domain.labels is not None,
        "roles": [role for role in ROLES if role in present],
        "timezone": domain.timezone,
        "window_days": WINDOW_DAYS,
        "export_folder": str(folder),
    }


def _snapshot(table: str, day: date, as_of: datetime, path: Path, inputs: dict[str, Any]) -> Snapshot:
    return Snapshot(
        table=table,
        day=day,
        id=digest(inputs),
        as_of=as_of,
        rows=parquet_rows(path),
        sha256=sha256_of(path),
        made_from=inputs,
    )
