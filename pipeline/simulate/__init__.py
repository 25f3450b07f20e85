"""Simulate a shop with labelled abuse: the marketplace for demos, tests and benchmarks.

Reads   nothing, or published lists for adaptive abusers
Writes  events/, labels/ and, apart from them, truth/
Rerun   the same settings write the same bytes; more days only add files
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Literal

from pipeline.errors import UsageError
from pipeline.receipt import Receipt
from pipeline.simulate.output.tables import Day
from pipeline.simulate.settings import ShopSettings
from pipeline.simulate.shop import simulate

MOST_DAYS = 3660
Format = Literal["parquet", "csv"]


def run(
    out: Path,
    *,
    days: int = 90,
    users: int = 20_000,
    seed: int = 7,
    first_day: date = date(2026, 6, 1),
    bad_share: float = 0.005,
    quiet: bool = False,
    intensity: float = 0.5,
    typologies: tuple[str, ...] = (),
    lists: Path | None = None,
    format: Format = "parquet",
    progress: bool = False,
) -> Receipt:
    """Write `days` of a shop to the empty folder `out`, one day at a time.

    Raises UsageError for impossible settings, and if the folder is not empty.
    """
    from pipeline.simulate.output.writing import Writer

    settings = ShopSettings(users, seed, first_day, bad_share, quiet, intensity, typologies, lists)
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(f"days: from 1 to {MOST_DAYS}, got {days}", fix="correct this setting")
    if format not in ("parquet", "csv"):
        raise UsageError(f"format: parquet or csv, got {format!r}", fix="correct this setting")
    with _bar(progress, days) as step, Writer(out, settings, days, format) as writer:
        for day in islice(simulate(settings), days):
            writer.write(day)
            step()
    return Receipt(step="simulate", day=settings.day(days - 1), details=writer.totals())


@contextmanager
def _bar(shown: bool, days: int) -> Iterator[Callable[[], None]]:
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TextColumn("days"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=days)
        yield lambda: bar.advance(task)


__all__ = ["Day", "ShopSettings", "run", "simulate"]
