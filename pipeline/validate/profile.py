"""A day of events in a few dozen numbers. SQL computes them once; they are stored with the reports.

reports/day=D/profile.json    the numbers, and the digest of the files they were made from
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
from pydantic import BaseModel, ConfigDict

from pipeline.domain import DERIVED_EVENT_COLUMNS, EVENT_COLUMNS, REQUIRED_EVENT_COLUMNS, Domain
from pipeline.sql import parquet
from pipeline.storage.files import digest, publish, scratch
from pipeline.storage.lake import Batch, checked, end_of, visible

VERSION = 2  # raise when a measure changes its meaning: stored profiles are then computed again
FEW = 20  # below this many events a share says nothing
FEW_AMOUNTS = 100  # below this many amounts, their median varies by chance
OPTIONAL = tuple(
    DERIVED_EVENT_COLUMNS.get(name, name)
    for name in EVENT_COLUMNS
    if name not in (*REQUIRED_EVENT_COLUMNS, "event_id")  # ingest fills that one
)
# Two events equal in all of these columns are one event under two ids.
SAME_EVENT = ("user_id", "event_at", "event_type", "session_id", "item_id", "amount", "quantity", "counterparty_id")


class TypeProfile(BaseModel):
    event_count: int
    amount_median: float | None  # null with too few amounts above zero


class HourProfile(BaseModel):
    event_count: int
    repeated_share: float | None


class Profile(BaseModel):
    """Measures of one day of events. Shares are of that day's events; null with too few events."""

    model_config = ConfigDict(frozen=True)

    made_from: str
    event_count: int
    user_count: int
    top_user_share: float | None
    midnight_share: float | None
    late_share: float | None
    future_share: float | None
    zero_amount_share: float | None
    common_amount_share: float | None
    refused_share: float | None
    event_types: dict[str, TypeProfile]
    hours: dict[int, HourProfile]  # of the domain's clock
    null_shares: dict[str, float]


@dataclass(frozen=True)
class DayFiles:
    """The lake's files of one day, as of one moment."""

    home: Path
    day: date
    names: list[str]  # see lake.visible
    paths: list[str]
    read: int
    refused: int


def day_files(home: Path, day: date, batches: Sequence[Batch], as_of: datetime) -> DayFiles:
    """The day's files that had begun to arrive by `as_of`, and what their batches read and refused.

    Raises InputError if files are damaged.
    """
    own = [batch for batch in batches if any(f.event_day == day and f.first_arrived <= as_of for f in batch.files)]
    files = checked(home, (f for batch in own for f in batch.files if f.event_day == day and f.first_arrived <= as_of))
    return DayFiles(
        home=home,
        day=day,
        names=visible(files, as_of),
        paths=[str(home / file.path) for file in files],
        read=sum(batch.read for batch in own),
        refused=sum(batch.refused for batch in own),
    )


def profile(con: duckdb.DuckDBPyConnection, files: DayFiles, domain: Domain, as_of: datetime) -> Profile:
    """The day's profile: the stored one if it was made from the same files."""
    made_from = digest([VERSION, domain.timezone, domain.late_days, files.names, files.read, files.refused])
    stored = files.home / "reports" / f"day={files.day}" / "profile.json"
    if stored.is_file():
        try:
            found = Profile.model_validate_json(stored.read_text())
        except ValueError:
            found = None
        if found is not None and found.made_from == made_from:
            return found
    made = _measure(con, files, domain, as_of, made_from)
    with scratch(files.home, "profile") as aside:
        (aside / stored.name).write_text(made.model_dump_json(indent=2) + "\n")
        publish(aside / stored.name, stored)
    return made


def _measure(
    con: duckdb.DuckDBPyConnection, files: DayFiles, domain: Domain, as_of: datetime, made_from: str
) -> Profile:
    refused_share = files.refused / files.read if files.read else None
    if not files.paths:
        return _no_events(made_from, refused_share)
    on_time = end_of(files.day) + timedelta(days=domain.late_days + 1)
    con.execute("set variable as_of = ?::timestamptz::timestamp", [as_of])
    con.execute("set variable on_time = ?::timestamptz::timestamp", [on_time])
    con.execute("set variable zone = ?", [domain.timezone])
    con.execute(f"create or replace temp view day_files as from {parquet(files.paths)}")
    con.execute("""
        create or replace temp view day_events as
        select *, event_at at time zone 'UTC' at time zone getvariable('zone') as local_at
        from day_files
        where arrived_at <= getvariable('as_of')
    """)
    nulls = ", ".join(f"count(*) - count({column}) as {column}" for column in OPTIONAL)
    ((events, midnight, late, future, amounts, zeros, *missing),) = con.sql(f"""
        select
            count(*) as event_count,
            count(*) filter (where event_at = date_trunc('day', event_at) or local_at = date_trunc('day', local_at)),
            count(*) filter (where arrived_at > getvariable('on_time')),
            count(*) filter (where event_at > arrived_at + interval 10 minutes),
            count(amount),
            count(*) filter (where amount = 0),
            {nulls}
        from day_events
    """).fetchall()
    if events == 0:
        return _no_events(made_from, refused_share)
    ((users, top),) = con.sql("""
        select count(*), max(events) from (select count(*) as events from day_events group by user_id)
    """).fetchall()
    ((common,),) = con.sql("""
        select max(events) from (select count(*) as events from day_events where amount > 0 group by amount)
    """).fetchall()
    types = con.sql("""
        select event_type, count(*), count(amount) filter (where amount > 0), median(amount) filter (where amount > 0)
        from day_events group by event_type order by event_type
    """).fetchall()
    hours = con.sql(f"""
        select hour(local_at), count(*), count(distinct hash({", ".join(SAME_EVENT)}))
        from day_events group by 1 order by 1
    """).fetchall()

    def share(part: int, whole: int) -> float | None:
        return round(part / whole, 6) if whole >= FEW else None

    return Profile(
        made_from=made_from,
        event_count=events,
        user_count=users,
        top_user_share=share(top, events) if users >= FEW else None,
        midnight_share=share(midnight, events),
        late_share=share(late, events),
        future_share=share(future, events),
        zero_amount_share=share(zeros, amounts),
        common_amount_share=share(common or 0, amounts - zeros),
        refused_share=refused_share,
        event_types={
            name: TypeProfile(event_count=n, amount_median=float(mid) if paid >= FEW_AMOUNTS else None)
            for name, n, paid, mid in types
        },
        hours={hour: HourProfile(event_count=n, repeated_share=share(n - once, n)) for hour, n, once in hours},
        null_shares={column: round(n / events, 6) for column, n in zip(OPTIONAL, missing, strict=True)},
    )


def _no_events(made_from: str, refused_share: float | None) -> Profile:
    return Profile(
        made_from=made_from,
        event_count=0,
        user_count=0,
        top_user_share=None,
        midnight_share=None,
        late_share=None,
        future_share=None,
        zero_amount_share=None,
        common_amount_share=None,
        refused_share=refused_share,
        event_types={},
        hours={},
        null_shares={},
    )
