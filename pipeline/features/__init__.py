"""Build the features: one dbt run over a range of days, then one immutable snapshot per table and day.

Reads   lake/
Writes  snapshots/user_days, snapshots/event_tokens
Rerun   a day whose inputs have not changed is left as it is
"""

import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipeline.context import Run
from pipeline.domain import ROLES
from pipeline.errors import InputError
from pipeline.features.identity import Inputs, made_from
from pipeline.receipt import Receipt
from pipeline.settings import in_order
from pipeline.storage import lake, snapshots
from pipeline.storage.lake import LakeFile
from pipeline.storage.memo import made_once
from pipeline.warehouse import dbt_build

WINDOW_DAYS = 28
CHUNK_EVENTS = 2_000_000  # built in one go: as many as fit into the default memory limit

TableDay = tuple[str, date]

TABLES = {"user_days": "fct_user_days", "event_tokens": "fct_event_tokens"}


def run(run: Run, first: date | None = None) -> Receipt:
    """Build the snapshots of every day from `first` to the run's day. By default, of all days that the run scores.

    Missing event tokens of the 27 days before are built too: a window needs them.
    """
    home, last, first = run.home, run.day, first or run.scored_days[0]
    in_order(first, last)
    inputs = Inputs(lake.event_files(home), lake.label_files(home))
    if not any(file.event_day and file.event_day <= last for file in inputs.events):
        raise InputError(f"no events up to {last} in {home}", fix="dawnlist ingest --events PATH")
    days = _days(first, last)
    table_days = {"user_days": days, "event_tokens": _days(first - timedelta(days=WINDOW_DAYS - 1), last)}
    wanted = {
        (table, day): made_from(run, table, day, inputs) for table, its_days in table_days.items() for day in its_days
    }
    seconds: Counter[str] = Counter()

    def build(missing: Mapping[TableDay, str], folder: Path) -> Iterator[tuple[TableDay, Path]]:
        for chunk in _chunks(sorted({day for _, day in missing}), inputs.events):
            aside = folder / str(chunk[0])
            aside.mkdir()
            models = dbt_build(run.settings, _variables(run, chunk, missing, inputs, aside))
            seconds.update({name: model["seconds"] for name, model in models.items()})
            for table, day in missing:
                if day in chunk:
                    yield (table, day), aside / f"{TABLES[table]}-{day}.parquet"
            shutil.rmtree(aside)

    made = made_once(home, "features", wanted, snapshots.Shelf(home, run.as_of), build)
    user_days = [made["user_days", day] for day in days]
    details: dict[str, Any] = {
        "days_built": sum(each.is_new for each in user_days),
        "days_unchanged": sum(not each.is_new for each in user_days),
        "user_days": sum(each.result.rows for each in user_days),
        "model_seconds": {name: round(value, 2) for name, value in seconds.items()},
    }
    return Receipt(step="features", day=last, details=details)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _chunks(days: list[date], events: Sequence[LakeFile]) -> Iterator[list[date]]:
    """Split a long range into parts that fit into memory. Each part is one dbt run."""
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
    run: Run,
    chunk: list[date],
    missing: Collection[TableDay],
    inputs: Inputs,
    folder: Path,
) -> dict[str, Any]:
    """The variables of a dbt run. Event files reach back by a window and the label delay."""
    home, domain = run.home, run.domain
    last = chunk[-1]
    user_days = [day for table, day in missing if table == "user_days" and day in chunk]
    oldest = chunk[0] - timedelta(days=WINDOW_DAYS + domain.label_delay_days)
    files = [file for file in inputs.events if file.event_day and oldest <= file.event_day <= last]
    present = set(domain.event_types.values())
    return {
        "first_day": str(user_days[0] if user_days else last + timedelta(days=1)),  # after the last: tokens only
        "last_day": str(last),
        "token_first_day": str(chunk[0]),
        "as_of": run.as_of.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "event_files": [str(home / file.path) for file in files],
        "has_later_arrivals": any(file.last_arrived > run.as_of for file in files),
        "all_event_files": [str(home / file.path) for file in inputs.events],
        "label_files": [str(home / file.path) for file in inputs.labels],
        "label_delay_days": domain.label_delay_days,
        "has_labels": domain.labels is not None,
        "roles": [role for role in ROLES if role in present],
        "timezone": domain.timezone,
        "window_days": WINDOW_DAYS,
        "history_first_day": str(inputs.first_day(run.as_of) or last),
        "export_folder": str(folder),
    }
