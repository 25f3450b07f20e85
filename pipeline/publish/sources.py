"""Read what a list is made from: the snapshots of its days, for the listed accounts only."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.models.registry import Entry
from pipeline.publish.entries import SCORE_COLUMNS, Contribution
from pipeline.settings import Settings
from pipeline.sql import parquet
from pipeline.storage import snapshots
from pipeline.storage.snapshots import Snapshot
from pipeline.warehouse import connect

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = ("user_id", "user_day_id", "event_day")

Used = Mapping[date, Mapping[str, Snapshot]]  # by day and table
Listed = Mapping[Path, list[str]]  # the accounts to look up in each file


def choose_snapshots(home: Path, day: date, as_of: datetime, champion: Entry, list_size: int) -> dict[str, Snapshot]:
    """The day's scores as of `as_of`, with their contributions and user-days.

    Raises InputError if another bundle or other user-days made the scores, such as before a rollback, or the same
    bundle with its stacker instead of without. Also if they explain fewer accounts than the list may hold.
    """
    fix = f"dawnlist score --day {day}"
    user_days = snapshots.require(snapshots.newest(home, "user_days", day, as_of), home, "user_days", day, fix)
    newest = snapshots.newest(home, "scores", day, as_of)
    if newest is not None and (
        newest.made_from["bundle"] != champion.bundle
        or newest.made_from.get("leaves_stacker_out", False) != champion.leaves_stacker_out
        or newest.made_from["user_days"] != user_days.id
        or newest.made_from["candidates"] < list_size
    ):
        newest = None
    scores = snapshots.require(newest, home, "scores", day, fix)
    beside = snapshots.find(home, "contributions", day, scores.id)
    contributions = snapshots.require(beside, home, "contributions", day, fix)
    return {"scores": scores, "contributions": contributions, "user_days": user_days}


def read_scores(path: Path) -> "pa.Table":
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    names = file.schema_arrow.names
    return file.read(columns=[name for name in names if name in SCORE_COLUMNS or name.startswith("score_")])


def listed_in(home: Path, used: Used, table: str, rows: "pa.Table") -> Listed:
    """Where this table has the user-days of a list's rows."""
    users: dict[Path, list[str]] = {}
    for user, day in zip(rows["user_id"].to_pylist(), rows["day"].to_pylist(), strict=True):
        users.setdefault(used[day][table].path(home), []).append(user)
    return users


def _rows_of(settings: Settings, listed: Listed, columns: str = "*") -> list[dict[str, Any]]:
    import pyarrow as pa

    result: list[dict[str, Any]] = []
    with connect(settings) as con:
        for path, users in listed.items():
            con.register("wanted", pa.table({"user_id": pa.array(users, pa.string())}))
            rows = con.sql(f"select {columns} from {parquet([path])} where user_id in (select user_id from wanted)")
            result += rows.to_arrow_table().to_pylist()
    return result


def features_of(settings: Settings, listed: Listed) -> dict[str, dict[str, float | None]]:
    rows = _rows_of(settings, listed)
    return {row["user_id"]: {name: value for name, value in row.items() if name not in KEYS} for row in rows}


def contributions_of(settings: Settings, listed: Listed) -> dict[str, list[Contribution]]:
    """Each user's contributions, largest first; ties by name."""
    contributions: dict[str, list[Contribution]] = {}
    for row in _rows_of(settings, listed, "user_id, feature, value, contribution"):
        contributions.setdefault(row["user_id"], []).append((row["feature"], row["value"], row["contribution"]))
    return {user: sorted(own, key=lambda item: (-item[2], item[0])) for user, own in contributions.items()}


def active_among(settings: Settings, listed: Listed) -> list[str]:
    return sorted(row["user_id"] for row in _rows_of(settings, listed, "user_id"))
