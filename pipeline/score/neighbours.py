"""Embeddings: one vector per user-day, and the accounts whose days lie nearest to a given one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline import snapshots
from pipeline.cells import one_line
from pipeline.errors import InputError
from pipeline.settings import Settings
from pipeline.snapshots import Snapshot
from pipeline.sql import parquet
from pipeline.warehouse import connect

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import RenderableType

EMBEDDINGS = "embeddings"  # the snapshot table

# All that is DuckDB's own: its list functions, and the least of several pairs.
NEAREST = """
    with seen as (
        select user_id, event_day, embedding::double[] as embedding from {files} where bundle = $bundle
    ),
    asked as (select embedding from seen where user_id = $user and event_day = $day),
    others as (
        select
            seen.user_id,
            round(greatest(list_cosine_distance(seen.embedding, asked.embedding), 0), 6) as distance,
            $day - seen.event_day as days_ago
        from seen cross join asked
        where seen.user_id <> $user
    ),
    nearest as (
        select user_id, min(row(distance, days_ago)) as found
        from others
        where not isnan(distance)
        group by user_id
    )
    select user_id, found[1] as distance, found[2] as days_ago from nearest order by distance, days_ago, user_id
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
    is_bad_that_day: bool  # known by the end of the day asked about
    known_bad_days: int
    typologies: tuple[str, ...]


@dataclass(frozen=True)
class Neighbours:
    """The answer to one look-up, nearest first, and the days of the look-back that it could not see."""

    user_id: str
    day: date
    bundle: str
    back: int
    nearest: tuple[Neighbour, ...] = ()
    days_seen: int = 0
    of_other_bundles: tuple[date, ...] = ()
    not_scored: tuple[date, ...] = ()

    def told(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def embeddings(bundle: str, day: date, users: "pa.Array", code: NDArray[np.float64]) -> "pa.Table":
    """The snapshot table of one day: `code` (n, D) of the autoencoder as float32, each number in -1..1, unitless.

    Only vectors of the same bundle can be compared: another training run has other axes.
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

    What is said to be bad was known by the end of `day` and had arrived by `as_of`. Days embedded by another bundle are
    left out, and named. Raises InputError if the day has no embeddings, or not of this account.
    """
    home, fix = settings.home, f"dawnlist score --day {day}"
    wanted = [day - timedelta(days=n) for n in range(back, -1, -1)]
    found = {each: snapshots.newest(home, EMBEDDINGS, each, as_of) for each in wanted}
    today = snapshots.require(found[day], home, EMBEDDINGS, day, fix)
    bundle = str(today.made_from["bundle"])
    seen = [each for each in found.values() if each is not None and each.made_from["bundle"] == bundle]
    paths = [_whole(home, each) for each in seen if each.rows]
    nearest = _look_up(settings, bundle, today.path(home), paths, day, user_id, limit, as_of)
    return Neighbours(
        user_id=user_id,
        day=day,
        bundle=bundle,
        back=back,
        nearest=nearest,
        days_seen=len(seen),
        of_other_bundles=tuple(d for d, each in found.items() if each and each.made_from["bundle"] != bundle),
        not_scored=tuple(d for d, each in found.items() if each is None),
    )


def _whole(home: Path, snapshot: Snapshot) -> str:
    fix = f"dawnlist score --day {snapshot.day}"
    return str(snapshots.require(snapshot, home, EMBEDDINGS, snapshot.day, fix).path(home))


def _look_up(
    settings: Settings,
    bundle: str,
    today: Path,
    paths: Sequence[str],
    day: date,
    user_id: str,
    limit: int,
    as_of: datetime,
) -> tuple[Neighbour, ...]:
    import pyarrow as pa

    from pipeline.models.labels import known_bad_user_days

    with connect(settings) as con:
        if not con.execute(f"from {parquet([today])} where user_id = ? limit 1", [user_id]).fetchall():
            raise InputError(
                f"account {user_id!r} was not active on {day}",
                fix=f"choose one that was: dawnlist show --day {day}",
            )
        asked = {"bundle": bundle, "user": user_id, "day": day, "limit": limit}
        rows = con.execute(NEAREST.format(files=parquet(paths)), asked).fetchall()
        con.register("wanted", pa.table({"user_id": pa.array([row[0] for row in rows], pa.string())}))
        con.register("bad", known_bad_user_days(con, settings.home, day, as_of))
        known = {user: (days, typologies) for user, days, typologies in con.execute(KNOWN_BAD).fetchall()}
    return tuple(
        Neighbour(
            user_id=user,
            day=(that_day := day - timedelta(days=ago)),
            distance=distance,
            is_bad_that_day=that_day in known.get(user, ([], []))[0],
            known_bad_days=len(known.get(user, ([], []))[0]),
            typologies=tuple(name for name in known.get(user, ([], []))[1] if name is not None),
        )
        for user, distance, ago in rows
    )


def render(found: Neighbours) -> "RenderableType":
    """The answer as a table for a terminal. Names from outside are never taken for markup or codes."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    title = f"Accounts that behave like {one_line(found.user_id)} on {found.day}"
    grid = Table(title=Text(title), title_justify="left")
    for name in ("account", "on", "distance", "known bad by then"):
        grid.add_column(name, justify="right" if name == "distance" else "left", overflow="fold")
    for each in found.nearest:
        grid.add_row(Text(one_line(each.user_id)), str(each.day), f"{each.distance:.4f}", Text(_known_bad(each)))
    return Group(grid, *(Text(line, style="dim") for line in _notes(found)))


def _known_bad(neighbour: Neighbour) -> str:
    if not neighbour.known_bad_days:
        return ""
    when = "that day" if neighbour.is_bad_that_day else f"on {neighbour.known_bad_days} other day(s)"
    kinds = ", ".join(map(one_line, neighbour.typologies))
    return f"{when}: {kinds}" if kinds else when


def _notes(found: Neighbours) -> list[str]:
    days = f"{found.days_seen} of the last {found.back + 1} days"
    notes = [f"distance: 1 - cosine of the embeddings, 0 is alike; {days} compared, bundle {found.bundle}"]
    if found.of_other_bundles:
        first, last = found.of_other_bundles[0], found.of_other_bundles[-1]
        notes.append(f"{_days(found.of_other_bundles)} of {first}..{last} skipped: another bundle's vectors")
    if found.not_scored:
        notes.append(f"not scored: {_days(found.not_scored)}")
    return notes


def _days(days: Sequence[date]) -> str:
    return f"{len(days)} day" + ("s" if len(days) > 1 else "")
