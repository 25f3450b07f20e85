"""Writes a simulated shop to a folder: events and labels per day, and the truth apart."""

import shutil
from collections import Counter
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.simulate.output.tables import BAD_EVENTS, USER_DAYS, Day
from pipeline.simulate.settings import ShopSettings
from pipeline.storage.files import sha256_of, write_json

FOLDERS = ("events", "labels", "truth")


class Writer:
    """Writes one day after the other. At the end it writes `truth/simulation.json`: settings, counts and hashes."""

    def __init__(self, out: Path, settings: ShopSettings, days: int, format: str) -> None:
        _make_folders(out)
        self.out, self.settings, self.days, self.format = out, settings, days, format
        truth = out / "truth"
        self.user_days = pq.ParquetWriter(_aside(truth / "user_days.parquet"), USER_DAYS, compression="zstd")
        self.bad_events = pq.ParquetWriter(_aside(truth / "events.parquet"), BAD_EVENTS, compression="zstd")
        self.counts: Counter[str] = Counter()
        self.of_typology: Counter[str] = Counter()
        self.of_look_alike: Counter[str] = Counter()
        self.sha256: dict[str, str] = {}

    def write(self, day: Day) -> None:
        events = self.out / "events" / f"{day.day}.{self.format}"
        if self.format == "csv":
            _write_csv(_with_times_as_text(day.events), _aside(events))
        else:
            repeated = ["event_type", "category", "channel"]
            pq.write_table(day.events, _aside(events), compression="zstd", use_dictionary=repeated)
        labels = self.out / "labels" / f"{day.day}.csv"
        _write_csv(day.labels, _aside(labels))
        for path in (events, labels):
            _aside(path).rename(path)
            self.sha256[str(path.relative_to(self.out))] = sha256_of(path)
        for writer, table in ((self.user_days, day.true_user_days), (self.bad_events, day.true_events)):
            if len(table):
                writer.write_table(table)
        self.counts.update(events=len(day.events), user_days=day.user_days, labels=len(day.labels))
        self.counts.update(bad_events=len(day.true_events))
        self.of_typology.update(name for name in day.true_user_days["typology"].to_pylist() if name)
        self.of_look_alike.update(name for name in day.true_user_days["look_alike"].to_pylist() if name)

    def totals(self) -> dict[str, Any]:
        bad, alike = self.of_typology.total(), self.of_look_alike.total()
        share = f"{bad / max(1, self.counts['user_days']):.3%}"
        return {**self.counts, "bad_user_days": bad, "look_alike_user_days": alike, "bad_share": share}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.user_days.close()
        self.bad_events.close()
        if kind is not None:  # half a shop would block the next try
            for name in FOLDERS:
                shutil.rmtree(self.out / name)
            return
        for name in ("user_days", "events"):
            path = self.out / "truth" / f"{name}.parquet"
            _aside(path).rename(path)
            self.sha256[str(path.relative_to(self.out))] = sha256_of(path)
        s = self.settings
        settings = {
            **{name: getattr(s, name) for name in ("users", "seed", "bad_share", "quiet", "intensity")},
            **{"first_day": str(s.first_day), "days": self.days, "format": self.format},
            **{"typologies": list(s.typologies), "reads_lists": s.lists is not None},
        }
        counts = {**self.totals(), "by_typology": dict(self.of_typology), "by_look_alike": dict(self.of_look_alike)}
        write_json(
            self.out / "truth" / "simulation.json", {"settings": settings, "counts": counts, "sha256": self.sha256}
        )


def _make_folders(out: Path) -> None:
    """Make the folders of a shop. Raises UsageError if `out` is not empty."""
    try:
        there = {path.name for path in out.iterdir()} if out.exists() else set()
        if there and there <= set(FOLDERS) and not (out / "truth" / "simulation.json").exists():
            raise UsageError(
                f"{out} is an unfinished shop: it has no truth/simulation.json",
                fix=f"rm -r {quote(str(out))}, or give --out a new folder",
            )
        if there:
            raise UsageError(f"{out} is not an empty folder", fix="give --out a new folder")
        for name in FOLDERS:
            (out / name).mkdir(parents=True, exist_ok=True)
    except NotADirectoryError:
        raise UsageError(f"{out} is not an empty folder", fix="give --out a new folder") from None
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", fix="give --out a new folder") from None


def _aside(path: Path) -> Path:
    """The path of a file while it is written."""
    return path.with_name(f".{path.name}.tmp")


def _write_csv(table: pa.Table, path: Path) -> None:
    pa_csv.write_csv(table, path, pa_csv.WriteOptions(quoting_style="needed"))


def _with_times_as_text(events: pa.Table) -> pa.Table:
    """Times as ISO 8601 with a Z, for readers of CSV."""
    at = pc.strftime(events["event_at"], format="%Y-%m-%dT%H:%M:%SZ")
    return events.set_column(events.column_names.index("event_at"), "event_at", at)
