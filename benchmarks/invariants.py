"""Do the three invariants hold on the whole of both real sets?

    python benchmarks/invariants.py [--set retail|payments] [--every N]

Point in time: a home with the whole set, seen `as_of` the end of a day, gives the same cells as a home with nothing
later. Range equals daily: all days at once give the same bytes as each day (or every N-th) by itself. Same inputs, same
bytes: two homes that ingest, train and publish apart have the same lists. If one does not hold, it names the days and
exits with 1. Needs $RISK_DATASETS.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from datasets import dataset
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pipeline import daily
from pipeline.errors import CheckpointFailedError
from pipeline.storage import lake, snapshots

DAY = timedelta(days=1)
LATER = datetime.fromisoformat("2026-01-01T00:00:00+00:00")  # both sets are long over by then


@dataclass(frozen=True)
class RealSet:
    name: str
    events: str
    labels: str | None
    first: date
    last: date
    ends: tuple[date, ...]  # last days of the past, for the test of point in time
    until: date  # the last day of training, for the lists


SETS = [
    RealSet(
        "retail",
        "online_retail.parquet",
        None,
        date(2010, 12, 1),
        date(2011, 12, 9),
        (date(2011, 2, 27), date(2011, 7, 14), date(2011, 11, 30)),
        date(2011, 6, 30),
    ),
    RealSet(
        "payments",
        "transactions.parquet",
        "frauds.parquet",
        date(2018, 4, 1),
        date(2018, 8, 14),
        (date(2018, 5, 13), date(2018, 6, 20), date(2018, 8, 7)),
        date(2018, 7, 15),
    ),
]


def given(real: RealSet, home: Path, as_of: datetime = LATER) -> dict[str, Any]:
    return {"home": home, "domain": real.name, "as_of": as_of}


def load(real: RealSet, source: Path, home: Path, last: date | None = None) -> None:
    """Ingest the set, or only what happened (and, of labels, became known) up to the end of `last`."""
    events, labels = source / real.events, source / real.labels if real.labels else None
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        if last is not None:
            events = cut(events, Path(folder) / "events.parquet", last)
        daily.ingest_events(given(real, home), events=[events], labels=[labels] if labels else [], history=True)


def cut(events: Path, part: Path, last: date) -> Path:
    """The rows up to the end of `last` in UTC. Both sets' clocks are at most an hour from UTC."""
    at = "invoice_at" if "retail" in events.name else "transaction_at"
    with duckdb.connect() as con:
        con.execute(
            f"copy (from read_parquet('{events}') where {at} < timestamp '{last + DAY}') to '{part}' (format parquet)"
        )
    return part


def cells(home: Path, days: Iterable[date], as_of: datetime = LATER) -> dict[tuple[str, date], str]:
    """The hash of each day's snapshots."""
    found: dict[tuple[str, date], str] = {}
    for table in ("user_days", "event_tokens"):
        for day in days:
            snapshot = snapshots.newest(home, table, day, as_of)
            found[table, day] = snapshot.sha256 if snapshot else "none"
    return found


def differences(left: dict[Any, str], right: dict[Any, str]) -> list[str]:
    return [f"{table} {day}" for table, day in left if left[table, day] != right[table, day]]


def point_in_time(real: RealSet, source: Path, whole: Path, folder: Path) -> tuple[int, list[str]]:
    """The last week of each past, with and without later rows in the lake."""
    compared, wrong = 0, []
    for last in real.ends:
        days = [last - n * DAY for n in range(6, -1, -1)]
        as_of = lake.end_of(last)
        past = folder / f"past-{last}"
        load(real, source, past, last)
        for home in (whole, past):
            daily.build_features(given(real, home, as_of) | {"day": last}, days[0])
        left, right = cells(whole, days, as_of), cells(past, days, as_of)
        compared += len(left)
        wrong += differences(left, right)
        shutil.rmtree(past)
    return compared, wrong


def range_equals_daily(
    real: RealSet, source: Path, whole: Path, folder: Path, every: int, console: Console
) -> tuple[int, list[str]]:
    """All days at once, against every N-th day by itself."""
    daily.build_features(given(real, whole) | {"day": real.last}, real.first)
    days = [real.first + n * DAY for n in range(0, (real.last - real.first).days + 1, every)]
    stepwise = folder / "stepwise"
    load(real, source, stepwise)
    for day in track(days, f"{real.name}: day by day", console=console):
        daily.build_features(given(real, stepwise) | {"day": day})
    left, right = cells(whole, days), cells(stepwise, days)
    shutil.rmtree(stepwise)
    return len(left), differences(left, right)


def same_bytes(real: RealSet, source: Path, folder: Path) -> tuple[int, list[str]]:
    """Two homes with one key, each from the raw file to seven lists."""
    days = [real.until + n * DAY for n in range(1, 8)]
    lists: list[dict[str, dict[str, str]]] = []
    for name in ("one", "other"):
        home = folder / name
        home.mkdir()
        if name == "other" and (key := folder / "one" / "key").is_file():  # not every set needs a key
            shutil.copy(key, home / "key")
        load(real, source, home)
        daily.build_features(given(real, home) | {"day": days[-1]}, real.until - 59 * DAY)
        bundle = daily.train_challenger(given(real, home) | {"day": real.until})["details"]["bundle"]
        daily.promote_if_better(given(real, home), bundle, at=lake.end_of(real.until))
        lists.append({str(day): publish(real, home, day) for day in days})
    wrong = [day for day in lists[0] if lists[0][day] != lists[1][day]]
    return sum(len(files) for files in lists[0].values()), wrong


def publish(real: RealSet, home: Path, day: date) -> dict[str, str]:
    """The hashes of a day's list, as its manifest has them; empty where the shop was closed."""
    if not any(file.event_day == day for file in lake.event_files(home, day, day)):
        return {}
    run = given(real, home) | {"day": day}
    try:
        daily.check_day(run)
    except CheckpointFailedError as error:
        daily.check_day(run | {"accept": [line.split(":")[0].strip() for line in error.found]})
    daily.score_users(run)
    daily.publish_list(run)
    manifest = json.loads((home / "lists" / f"day={day}" / "manifest.json").read_bytes())
    return dict(manifest["outputs"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=[real.name for real in SETS])
    parser.add_argument("--every", type=int, default=1, help="days built one by one: each, or every N-th")
    options = parser.parse_args()
    console = Console()
    table = Table("set", "invariant", "compared", "different", "seconds")
    failed = False
    for real in SETS:
        if options.set not in (None, real.name):
            continue
        source = dataset(real.name)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            whole = folder / "whole"
            load(real, source, whole)
            checks = {
                "point in time": partial(point_in_time, real, source, whole, folder),
                "range equals daily": partial(range_equals_daily, real, source, whole, folder, options.every, console),
                "same inputs, same bytes": partial(same_bytes, real, source, folder),
            }
            for invariant, check in checks.items():
                before = time.monotonic()
                compared, wrong = check()
                table.add_row(real.name, invariant, str(compared), str(len(wrong)), f"{time.monotonic() - before:.0f}")
                for line in wrong:
                    console.print(f"[red]{real.name}, {invariant}: {line}[/red]")
                failed = failed or bool(wrong)
    console.print(table)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
