"""The simulated shops of benchmarks/marketplace.py: made, loaded, trained on, listed and read."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from pipeline import daily, simulate
from pipeline.errors import CheckpointFailedError
from pipeline.models.labels import known_bad_user_days
from pipeline.publish import read_list
from pipeline.storage import snapshots

FIRST = date(2026, 6, 1)
TRAIN_DAYS, TEST_DAYS = 60, 21
UNTIL = FIRST + timedelta(days=TRAIN_DAYS - 1)
TRAIN = [FIRST + timedelta(days=n) for n in range(TRAIN_DAYS)]
TEST = [UNTIL + timedelta(days=n) for n in range(1, TEST_DAYS + 1)]
Given = dict[str, Any]

console = Console(width=140)


@dataclass(frozen=True)
class ShopRun:
    """One simulated shop, and a home for it."""

    folder: Path
    name: str
    users: int
    days: int
    seed: int
    bad_share: float

    @property
    def files(self) -> Path:
        return self.folder / f"{self.name}_shop"

    @property
    def home(self) -> Path:
        return self.folder / f"{self.name}_home"

    @property
    def given(self) -> Given:
        """The clock stands at the last morning, so results do not depend on the machine's clock."""
        now = datetime.combine(FIRST + timedelta(days=self.days), datetime.min.time(), UTC) + timedelta(hours=4)
        return {"home": self.home, "domain": "shop", "now": now, "as_of": now}


@contextmanager
def timed(what: str) -> Iterator[None]:
    before = time.monotonic()
    yield
    console.print(f"{what}: {time.monotonic() - before:.0f} s")


def build(shop: ShopRun, quiet: bool = False) -> dict[str, Any]:
    """Simulate, ingest as history, build features, train and promote. Returns the training receipt's details."""
    simulated(shop, quiet)
    load(shop)
    return train(shop)


def simulated(shop: ShopRun, quiet: bool = False) -> None:
    """The shop's files, made once."""
    if not (shop.files / "truth" / "simulation.json").is_file():
        shutil.rmtree(shop.files, ignore_errors=True)
        made = simulate.run(
            shop.files, days=shop.days, users=shop.users, seed=shop.seed, first_day=FIRST,
            bad_share=shop.bad_share, quiet=quiet,
        )  # fmt: skip
        console.print(made.details)


def load(shop: ShopRun) -> None:
    with timed(f"{shop.name}: ingest"):
        daily.ingest_events(shop.given, events=[shop.files / "events"], labels=[shop.files / "labels"], history=True)
    with timed(f"{shop.name}: features"):
        daily.build_features(shop.given | {"day": TEST[-1]}, FIRST)


def train(shop: ShopRun) -> dict[str, Any]:
    with timed(f"{shop.name}: training"):
        trained = daily.train_challenger(shop.given | {"day": UNTIL})["details"]
    daily.promote(shop.given, trained["bundle"])
    return trained


def publish(shop: ShopRun) -> list[dict[str, Any]]:
    """Validate, score and publish each test day. Returns each list's expected precision and its picked accounts.

    Audit rows are drawn at random: they say nothing of how well the list is picked.
    """
    lists = []
    for day in track(TEST, f"{shop.name}: lists", console=console, transient=True):
        run = shop.given | {"day": day}
        try:
            daily.check_day(run)
            failed = []
        except CheckpointFailedError as error:
            failed = [line.split(":")[0].strip() for line in error.found]
            daily.check_day(run | {"accept": failed})  # as a person would after a look
        daily.score_users(run)
        daily.publish_list(run)
        table, manifest = read_list(shop.home, day)
        picked = manifest["rows"]["picked"]
        users = table["user_id"].to_pylist()[:picked]
        lists.append({"day": day, "users": users, "failed": failed, **manifest["cut"], "listed": picked})
    return lists


def without_labels_of(shop: ShopRun, typology: str) -> ShopRun:
    """The same shop without the labels on true user-days of `typology`, whatever typology they name."""
    other = ShopRun(shop.folder, f"without_{typology}", shop.users, shop.days, shop.seed, shop.bad_share)
    other.files.mkdir(exist_ok=True)
    if not (other.files / "events").exists():
        (other.files / "events").symlink_to(shop.files / "events")
    (other.files / "labels").mkdir(exist_ok=True)
    truth = truth_of(shop)
    excluded = set(zip(*truth.loc[truth["typology"] == typology, ["user_id", "event_day"]].to_numpy().T, strict=True))
    for path in sorted((shop.files / "labels").glob("*.csv")):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        days = pd.to_datetime(rows["happened_at"]).dt.date
        is_kept = np.array([key not in excluded for key in zip(rows["user_id"], days, strict=True)], np.bool_)
        rows[is_kept].to_csv(other.files / "labels" / path.name, index=False)
    return other


def read_days(shop: ShopRun, table: str, days: list[date], columns: str = "*") -> pd.DataFrame:
    """Snapshots of these days as one frame, sorted by day and user."""
    newest = [snapshots.newest(shop.home, table, day, shop.given["as_of"]) for day in days]
    parts = []
    with duckdb.connect() as con:
        for day, snapshot in zip(days, newest, strict=True):
            part = con.sql(f"select {columns} from read_parquet('{snapshot.path(shop.home)}')").df()
            parts.append(part.assign(event_day=day))
    return pd.concat(parts).sort_values(["event_day", "user_id"], ignore_index=True)


def truth_of(shop: ShopRun) -> pd.DataFrame:
    """Bad user-days with their typology."""
    path = shop.files / "truth" / "user_days.parquet"
    frame = duckdb.sql(f"select user_id, event_day, typology from '{path}' where is_bad").df()
    return frame.assign(event_day=frame["event_day"].dt.date)


def first_bad_at(shop: ShopRun) -> pd.Series:
    """When each bad account's first bad event happened."""
    frame = duckdb.sql(
        f"""select bad.user_id, min(event_at at time zone 'UTC') as at
            from '{shop.files / "truth" / "events.parquet"}' bad
            join '{shop.files}/events/*.parquet' events using (event_id) group by 1"""
    ).df()
    return frame.set_index("user_id")["at"]


def known_bad(shop: ShopRun, until: date) -> pd.DataFrame:
    """User-days that were labelled bad at the end of `until`, rightly or wrongly."""
    with duckdb.connect() as con:
        frame = known_bad_user_days(con, shop.home, until, shop.given["as_of"]).to_pandas()
    return frame.assign(event_day=pd.to_datetime(frame["event_day"]).dt.date)
