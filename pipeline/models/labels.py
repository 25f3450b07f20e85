"""Labels as they were known at the end of a day."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.arrays import Ints
from pipeline.models.samples import NEVER, LabelledDays
from pipeline.schemas import VERDICT
from pipeline.sql import parquet
from pipeline.storage import lake

SPELLS = pa.schema(
    [
        ("user_id", pa.string()),
        ("event_day", pa.date32()),
        ("known_at", pa.timestamp("us")),
        ("cleared_at", pa.timestamp("us")),
        ("typology", pa.string()),
        ("is_bad", pa.bool_()),
        ("source", pa.string()),
        ("named_at", pa.timestamp("us")),
    ]
)
SCHEMA = pa.schema([field for field in SPELLS if field.name != "is_bad"])
ARRIVALS = pa.schema(
    [("source", pa.string()), ("event_day", pa.date32()), ("known_day", pa.date32()), ("user_days", pa.int64())]
)
UNNAMED = "unnamed"  # labels without a source


def known_bad_user_days(con: duckdb.DuckDBPyConnection, home: Path, until: date, as_of: datetime) -> pa.Table:
    """Bad user-days, sorted, by labels known before the end of `until` that had arrived by `as_of`.

    `known_at` is when the day became known to be bad; if it was cleared in between, since then.
    """
    return bad_in_force(label_spells(con, home, until, as_of))


def known_bad_accounts(con: duckdb.DuckDBPyConnection, home: Path, day: date, as_of: datetime) -> pa.Array:
    """Accounts with a day that was known to be bad before `day` began, sorted. A label had arrived by `as_of`.

    No events are read, so that it costs little each day.
    """
    spells = label_spells(con, home, day - timedelta(days=1), as_of, with_activity=False)
    accounts = pc.unique(bad_in_force(spells).column("user_id"))
    return accounts.take(pc.sort_indices(accounts))


def bad_in_force(spells: pa.Table) -> pa.Table:
    """The user-days that count as bad still."""
    return spells.filter(pc.and_(spells["is_bad"], pc.is_null(spells["cleared_at"]))).select(SCHEMA.names)


def named(bad: pa.Table) -> pa.Table:
    """Those of the user-days that a label named, without those that only a label of their account covers."""
    return bad.filter(pc.is_valid(bad["named_at"]))


def labelled_days(spells: pa.Table, users: pa.Array) -> LabelledDays:
    """The spells of these accounts, sorted by account and day."""
    user = pc.index_in(spells.column("user_id"), value_set=users).fill_null(-1).to_numpy()
    day, known_day, cleared_day, named_day = (
        _days(spells.column(name)) for name in ("event_day", "known_at", "cleared_at", "named_at")
    )
    source = spells.column("source").to_numpy().astype(np.str_)
    found = LabelledDays(user.astype(np.int64), day, known_day, cleared_day, source, named_day).take(user >= 0)
    return found.take(np.argsort(found.key, kind="stable"))


def _days(column: pa.ChunkedArray) -> Ints:
    """Days since 1970, NEVER for null."""
    number = column.cast(pa.date32(), safe=False).cast(pa.int32()).fill_null(int(NEVER))
    days: Ints = number.to_numpy().astype(np.int64)
    return days


def label_spells(
    con: duckdb.DuckDBPyConnection, home: Path, until: date, as_of: datetime, with_activity: bool = True
) -> pa.Table:
    """When each user-day counted as bad, or as good because of a label of the whole day. Sorted.

    From `known_at` to `cleared_at`, null while it holds. `source` is that of the first label. `named_at`: since when
    the day itself was named; null where only a label of the account covers it, which names the first active day and the
    last. The last is the one that an analyst looked at.

    Of several labels of one event, the latest known counts; of equally late ones, the bad one. A label of a whole day
    overrules earlier labels of its events. A label with an end is one of each day before it on which its account was
    active; without `with_activity`, of the day on which it begins. The features read labels alike: stg_labels.sql.
    """
    known = _Known.of(con, home, until, as_of, with_activity)
    if known is None:
        return SPELLS.empty_table()
    rows = con.sql(
        f"""
        with by_day as ({known.by_day}),
        holding as (
            select
                *,
                coalesce(
                    case
                        when event_id is null then lead(known_at) over same_thing
                        else least(
                            lead(known_at) over same_thing,
                            min(known_at) filter (where event_id is null) over from_then_on
                        )
                    end,
                    timestamp 'infinity'
                ) as overruled_at
            from by_day
            window
                same_thing as (
                    partition by user_id, coalesce(event_id, ''), event_day order by known_at, is_bad, typology
                ),
                from_then_on as (
                    partition by user_id, event_day order by known_at
                    range between current row and unbounded following
                )
        ),
        chosen as (
            select
                *,
                max(overruled_at) over (
                    partition by user_id, event_day, is_bad order by known_at, overruled_at
                    rows between unbounded preceding and 1 preceding
                ) as held_until
            from holding
            where (is_bad or event_id is null) and overruled_at > known_at
        ),
        spells as (
            select
                *,
                count(*) filter (where held_until is null or known_at > held_until) over (
                    partition by user_id, event_day, is_bad order by known_at, overruled_at rows unbounded preceding
                ) as spell
            from chosen
        )
        select
            user_id,
            event_day,
            min(known_at) as known_at,
            nullif(max(overruled_at), timestamp 'infinity') as cleared_at,
            min(typology) as typology,
            is_bad,
            first(source order by known_at, source) as source,
            min(known_at) filter (where is_named) as named_at
        from spells
        group by user_id, event_day, is_bad, spell
        order by user_id, event_day, known_at, is_bad
        """,
        params=known.parameters,
    )
    return rows.to_arrow_table().cast(SPELLS)


def label_arrivals(con: duckdb.DuckDBPyConnection, home: Path, until: date, as_of: datetime) -> pa.Table:
    """How many user-days each source called bad for the first time, by their day and the day it became known. Sorted.

    Rows without a source are of all reports together, which are all labels but verdicts'. Labels that were taken back
    count too: they came.
    """
    known = _Known.of(con, home, until, as_of)
    if known is None:
        return ARRIVALS.empty_table()
    rows = con.sql(
        f"""
        with first_calls as (
            select source, user_id, event_day, cast(min(known_at) as date) as known_day
            from ({known.by_day})
            where is_bad
            group by source, user_id, event_day
        ),
        first_reports as (
            select null as source, user_id, event_day, min(known_day) as known_day
            from first_calls
            where source <> '{VERDICT}'
            group by user_id, event_day
        )
        select source, event_day, known_day, count(*) as user_days
        from (select * from first_calls union all select * from first_reports)
        group by source, event_day, known_day
        order by source nulls first, event_day, known_day
        """,
        params=known.parameters,
    )
    return rows.to_arrow_table().cast(ARRIVALS)


@dataclass(frozen=True)
class _Known:
    """SQL of the labels known by then, one row per event or day that they are about, and its parameters."""

    by_day: str
    parameters: dict[str, datetime]

    @classmethod
    def of(
        cls, con: duckdb.DuckDBPyConnection, home: Path, until: date, as_of: datetime, with_activity: bool = True
    ) -> "_Known | None":
        """None without label files. Events are read if a label has an end: it is about the days of activity before."""
        files = [str(home / file.path) for file in lake.label_files(home)]
        if not files:
            return None
        known = {"known_before": lake.end_of(until).replace(tzinfo=None), "as_of": as_of.replace(tzinfo=None)}
        seen = f"(from {parquet(files)} where known_at < $known_before and arrived_at <= $as_of)"
        columns = f"is_bad, known_at, typology, coalesce(source, '{UNNAMED}') as source"
        by_day = f"""
            select user_id, event_id, cast(happened_at as date) as event_day, {columns}, true as is_named
            from {seen} {"where ends_at is null" if with_activity else ""}
        """
        if not with_activity:
            return cls(by_day, known)
        about = (
            f"select min(cast(happened_at as date)), max(cast(ends_at as date)) from {seen} where ends_at is not null"
        )
        [(first, last)] = con.execute(about, known).fetchall()
        events = [str(home / file.path) for file in lake.event_files(home, first, last)] if first else []
        if events:
            by_day += f"""
                union all
                select distinct
                    user_id, null as event_id, event_day, {columns},
                    event_day in (min(event_day) over of_label, max(event_day) over of_label)
                from {seen} as labels
                join (
                    select user_id, cast(event_at as date) as event_day
                    from {parquet(events)} where arrived_at <= $as_of
                ) as events using (user_id)
                where ends_at is not null and cast(happened_at as date) <= event_day and ends_at > event_day
                window of_label as (partition by user_id, happened_at, ends_at, known_at, is_bad)
            """
        return cls(by_day, known)
