"""Labels as they were known at the end of a day."""

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

    Of several labels of one event, the latest known counts; of equally late ones, the bad one. A verdict on a whole
    day overrules earlier labels of its events. `known_at` is when the day was first known to be bad.
    """
    files = [str(home / file.path) for file in lake.label_files(home)]
    if not files:
        return SCHEMA.empty_table()
    known_before = lake.end_of(until).replace(tzinfo=None)
    rows = con.sql(
        f"""
        with known as (
            select user_id, event_id, cast(happened_at as date) as event_day, is_bad, known_at, typology
            from {parquet(files)}
            where known_at < $known_before and arrived_at <= $as_of
            qualify row_number() over (
                partition by user_id, event_id, cast(happened_at as date) order by known_at desc, is_bad desc
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
        params={"known_before": known_before, "as_of": as_of.replace(tzinfo=None)},
    )
    return rows.to_arrow_table().cast(SCHEMA)
