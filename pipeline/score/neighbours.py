"""Embeddings: one vector per user-day, and the accounts whose days lie nearest to a given one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.arrays import Doubles
from pipeline.errors import InputError
from pipeline.safe_text import one_line
from pipeline.settings import Settings
from pipeline.sql import parquet
from pipeline.storage import snapshots
from pipeline.storage.snapshots import Snapshot
from pipeline.warehouse import connect

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from rich.console import RenderableType

EMBEDDINGS = "embeddings"  # the snapshot table

# Two things here are DuckDB's own: list functions, and the least of several pairs.
NEAREST = """
    with vectors as (
        select user_id, event_day, embedding::double[] as embedding from {files} where bundle = $bundle
    ),
    target as (select embedding from vectors where user_id = $user and event_day = $day),
    others as (
        select
            vectors.user_id,
            round(greatest(list_cosine_distance(vectors.embedding, target.embedding), 0), 6) as distance,
            $day - vectors.event_day as days_ago
        from vectors cross join target
        where vectors.user_id <> $user
    ),
    nearest as (
        select user_id, min(row(distance, days_ago)) as pair
        from others
        where not isnan(distance)
        group by user_id
    )
    select user_id, pair[1] as distance, pair[2] as days_ago from nearest order by distance, days_ago, user_id
    limit $limit
"""
KNOWN_BAD = """
    select user_id, list(event_day) as days, list(distinct typology order by typology) as typologies
    from bad semi join wanted using (user_id)
    group by user_id
"""


@dataclass(frozen=True)
class Neighbour:
    """Another account by its nearest user-day. `distance` is 1 - cosine, from 0 (alike) to 2."""

    user_id: str
    day: date
    distance: float
    is_bad_that_day: bool  # known by the end of the queried day
    known_bad_days: int
    typologies: tuple[str, ...]


@dataclass(frozen=True)
class Neighbours:
    """The answer to one look-up, nearest first, and the days of the look-back that it could not compare."""

    user_id: str
    day: date
    bundle: str
    back: int
    nearest: tuple[Neighbour, ...] = ()
    days_seen: int = 0
    of_other_bundles: tuple[date, ...] = ()
    not_scored: tuple[date, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def embeddings(bundle: str, day: date, users: "pa.Array", code: Doubles) -> "pa.Table":
    """The snapshot table of one day: `code` (n, D) of the autoencoder as float32, each number in -1..1.

    Only vectors of one bundle can be compared: another training run has other axes.
    """
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(code, np.float32).ravel())
    columns = {
        "user_id": users,
        "event_day": pa.array([day] * len(users), pa.date32()),
        "embedding": pa.FixedSizeListArray.from_arrays(flat, code.shape[1]),
        "bundle": pa.array([bundle] * len(users), pa.string()),
    }
    return pa.table(columns)


def neighbours(settings: Settings, day: date, user_id: str, back: int, limit: int, as_of: datetime) -> Neighbours:
    """The accounts whose days within `back` days up to `day` lie nearest to this account's, each once.

    Labels count if known by the end of `day` and arrived by `as_of`. Days embedded by another bundle are left out and
    named. Raises InputError if the day has no embeddings, or none of this account.
    """
    from pipeline.models.labels import known_bad_user_days

    home, fix = settings.home, f"dawnlist score --day {day}"
    wanted = [day - timedelta(days=n) for n in range(back, -1, -1)]
    newest = {each: snapshots.newest(home, EMBEDDINGS, each, as_of) for each in wanted}
    today = snapshots.require(newest[day], home, EMBEDDINGS, day, fix)
    bundle = str(today.made_from["bundle"])
    comparable = [each for each in newest.values() if each is not None and each.made_from["bundle"] == bundle]
    paths = [_whole(home, each) for each in comparable if each.rows]
    query = {"bundle": bundle, "user": user_id, "day": day, "limit": limit}
    with connect(settings) as con:
        if not con.execute(f"from {parquet([today.path(home)])} where user_id = ? limit 1", [user_id]).fetchall():
            raise InputError(
                f"account {user_id!r} was not active on {day}",
                fix=f"choose one that was: dawnlist show --day {day}",
            )
        rows = con.execute(NEAREST.format(files=parquet(paths)), query).fetchall()
        bad = known_bad_user_days(con, home, day, as_of)
        nearest = _with_labels(con, rows, bad, day)
    return Neighbours(
        user_id=user_id,
        day=day,
        bundle=bundle,
        back=back,
        nearest=nearest,
        days_seen=len(comparable),
        of_other_bundles=tuple(d for d, each in newest.items() if each and each.made_from["bundle"] != bundle),
        not_scored=tuple(d for d, each in newest.items() if each is None),
    )


def _whole(home: Path, snapshot: Snapshot) -> str:
    fix = f"dawnlist score --day {snapshot.day}"
    return str(snapshots.require(snapshot, home, EMBEDDINGS, snapshot.day, fix).path(home))


def _with_labels(
    con: "duckdb.DuckDBPyConnection", rows: list[tuple[str, float, int]], bad: "pa.Table", day: date
) -> tuple[Neighbour, ...]:
    """Neighbours from `rows` of NEAREST, each with the days `bad` that are known of it."""
    import pyarrow as pa

    con.register("wanted", pa.table({"user_id": pa.array([row[0] for row in rows], pa.string())}))
    con.register("bad", bad)
    known = {user: (days, typologies) for user, days, typologies in con.execute(KNOWN_BAD).fetchall()}
    labelled = []
    for user, distance, days_ago in rows:
        that_day = day - timedelta(days=days_ago)
        bad_days, typologies = known.get(user, ([], []))
        labelled.append(
            Neighbour(
                user_id=user,
                day=that_day,
                distance=distance,
                is_bad_that_day=that_day in bad_days,
                known_bad_days=len(bad_days),
                typologies=tuple(name for name in typologies if name is not None),
            )
        )
    return tuple(labelled)


def render(answer: Neighbours) -> "RenderableType":
    """The answer as a table for a terminal. Names from outside are never taken for markup or codes."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    title = f"Accounts that behave like {one_line(answer.user_id)} on {answer.day}"
    grid = Table(title=Text(title), title_justify="left")
    for name in ("account", "on", "distance", "known bad by then"):
        grid.add_column(name, justify="right" if name == "distance" else "left", overflow="fold")
    for each in answer.nearest:
        grid.add_row(Text(one_line(each.user_id)), str(each.day), f"{each.distance:.4f}", Text(_known_bad(each)))
    return Group(grid, *(Text(line, style="dim") for line in _notes(answer)))


def _known_bad(neighbour: Neighbour) -> str:
    if not neighbour.known_bad_days:
        return ""
    when = "that day" if neighbour.is_bad_that_day else f"on {neighbour.known_bad_days} other day(s)"
    kinds = ", ".join(map(one_line, neighbour.typologies))
    return f"{when}: {kinds}" if kinds else when


def _notes(answer: Neighbours) -> list[str]:
    days = f"{answer.days_seen} of the last {answer.back + 1} days"
    notes = [f"distance: 1 - cosine of the embeddings, 0 is alike; {days} compared, bundle {answer.bundle}"]
    if answer.of_other_bundles:
        first, last = answer.of_other_bundles[0], answer.of_other_bundles[-1]
        notes.append(f"{_days(answer.of_other_bundles)} of {first}..{last} skipped: another bundle's vectors")
    if answer.not_scored:
        notes.append(f"not scored: {_days(answer.not_scored)}")
    return notes


def _days(days: Sequence[date]) -> str:
    return f"{len(days)} day" + ("s" if len(days) > 1 else "")
