"""Labels as they were known at the end of a day."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.sql import parquet
from pipeline.storage import lake

SCHEMA = pa.schema(
    [("user_id", pa.string()), ("event_day", pa.date32()), ("known_at", pa.timestamp("us")), ("typology", pa.string())]
)


def known_bad_user_days(con: duckdb.DuckDBPyConnection, home: Path, until: date, as_of: datetime) -> pa.Table:
    """Bad user-days, sorted, by labels known before the end of `until` that had arrived by `as_of`.

    Of several labels of one event, the latest known counts; of equally late ones, the bad one. A label of a whole day
    overrules earlier labels of its events. A label with an end is one of each day before it on which its account was
    active. `known_at` is when the day was first known to be bad. The features read labels alike: stg_labels.sql.
    """
    files = [str(home / file.path) for file in lake.label_files(home)]
    if not files:
        return SCHEMA.empty_table()
    until_known = {"known_before": lake.end_of(until).replace(tzinfo=None), "as_of": as_of.replace(tzinfo=None)}
    seen = f"(from {parquet(files)} where known_at < $known_before and arrived_at <= $as_of)"
    rows = con.sql(
        f"""
        with by_day as (
            select user_id, event_id, cast(happened_at as date) as event_day, is_bad, known_at, typology
            from {seen} where ends_at is null
            union all
            {_of_several_days(con, home, seen, until_known)}
        ),
        known as (
            from by_day
            qualify row_number() over (
                partition by user_id, event_id, event_day order by known_at desc, is_bad desc, typology
            ) = 1
        ),
        user_days as (
            select
                user_id,
                event_day,
                bool_or(is_bad) filter (where event_id is not null) as has_bad_event,
                max(known_at) filter (where event_id is not null and is_bad) as event_known_at,
                bool_or(is_bad) filter (where event_id is null) as verdict,
                max(known_at) filter (where event_id is null) as verdict_known_at,
                min(known_at) filter (where is_bad) as known_at,
                min(typology) filter (where is_bad) as typology
            from known
            group by user_id, event_day
        )
        select user_id, event_day, known_at, typology
        from user_days
        where case
            when verdict is null then has_bad_event
            when event_known_at is null or verdict_known_at >= event_known_at then verdict
            else has_bad_event
        end
        order by user_id, event_day
        """,
        params=until_known,
    )
    return rows.to_arrow_table().cast(SCHEMA)


def _of_several_days(con: duckdb.DuckDBPyConnection, home: Path, seen: str, parameters: Mapping[str, datetime]) -> str:
    """SQL of labels with an end, one row per day on which the account was active. Events are read if there are any."""
    columns = "distinct user_id, null as event_id, event_day, is_bad, known_at, typology"
    about = f"select min(cast(happened_at as date)), max(cast(ends_at as date)) from {seen} where ends_at is not null"
    [(first, last)] = con.execute(about, parameters).fetchall()
    files = [str(home / file.path) for file in lake.event_files(home, first, last)] if first else []
    if not files:
        return f"select {columns} from (select *, cast(happened_at as date) as event_day from {seen}) where false"
    return f"""
        select {columns}
        from {seen} as labels
        join (
            select user_id, cast(event_at as date) as event_day from {parquet(files)} where arrived_at <= $as_of
        ) as events using (user_id)
        where ends_at is not null and cast(happened_at as date) <= event_day and ends_at > event_day
    """
