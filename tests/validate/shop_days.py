"""A small shop for the checkpoints: 29 days of about 2,000 events from 200 users, working days much alike."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb

from pipeline.domain import Domain
from pipeline.storage import lake

DAY = date(2026, 11, 19)  # a Thursday
AS_OF = datetime(2026, 11, 20, 4, tzinfo=UTC)
SHOP = Domain(
    name="shop",
    currency="EUR",
    event_types={"browse": "browse", "cart": "cart", "purchase": "purchase", "login": "login"},
    late_days=1,
)

# Everything is drawn from hashes, so a day is the same whenever it is made.
ONE_DAY = """
    select
        'e' || {seed} || '-' || i as event_id,
        'u' || (hash(i, {seed}) % {users}) as user_id,
        timestamp '{day}' + to_microseconds((hash(i, {seed}, 'at') % 86_400_000_000)::bigint) as event_at,
        ['browse', 'browse', 'browse', 'cart', 'login', 'purchase', 'purchase'][
            1 + (hash(i, 'type') % 7)::int
        ] as event_type,
        event_type as role,
        's' || (hash(i, {seed}, 's') % 900) as session_id,
        'i' || (hash(i, {seed}, 'item') % 300) as item_id,
        'c' || (hash(i, {seed}, 'item') % 10) as category,
        'web' as channel,
        case when event_type = 'purchase'
            then (5 + (hash(i, {seed}, 'price') % 9000) / 100.0)::decimal(18, 4) end as amount,
        case when event_type = 'purchase' then 1::decimal(18, 4) end as quantity,
        case when hash(i, {seed}, 'd') % 20 > 0 then 'd' || (hash(i, {seed}) % {users}) end as device_id,
        null::varchar as ip,
        'n' || (hash(i, {seed}) % {users} // 3) as network_id,
        null::varchar as payment_id,
        null::varchar as address_id,
        null::varchar as counterparty_id,
        timestamp '{day}' + interval 26 hours as arrived_at,
        '{batch}' as batch_id
    from range({events}) as numbers (i)
"""


def batch_of(day: date) -> str:
    return f"{day:%Y%m%d}".rjust(16, "0")


def write_day(
    home: Path, day: date, *changes: str, events: int = 2000, users: int = 200, read: int | None = None
) -> None:
    """Put a day into the lake. `changes` are SQL statements on the table `today`, run in order."""
    folder = home / "lake" / "events" / f"event_day={day}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{batch_of(day)}.parquet"
    with duckdb.connect() as con:
        seed = day.toordinal()
        made = ONE_DAY.format(day=day, seed=seed, users=users, events=events, batch=batch_of(day))
        con.execute(f"create table today as {made}")
        for change in changes:
            con.execute(change)
        con.execute(f"copy (from today order by user_id, event_at, event_id) to '{path}' (format parquet)")
        ((rows,),) = con.sql("select count(*) from today").fetchall()
    arrived = datetime.combine(day, time(2), tzinfo=UTC) + timedelta(days=1)
    file = lake.LakeFile.of(
        path, str(path.relative_to(home)), event_day=day, rows=rows, first_arrived=arrived, last_arrived=arrived
    )
    commit(home, day, [file] if rows else [], read or rows, rows, arrived)


def commit(home: Path, day: date, files: list[lake.LakeFile], read: int, rows: int, arrived: datetime) -> None:
    batch = lake.Batch(
        batch_id=batch_of(day),
        content=batch_of(day),
        kind="events",
        source=f"{day}.csv",
        ingested_at=arrived,
        is_history=False,
        read=read,
        accepted=rows,
        refused=read - rows,
        duplicates=0,
        reasons={},
        files=files,
    )
    lake.commit(home, batch)


def write_past(home: Path, days: int = 28) -> None:
    for back in range(1, days + 1):
        day = DAY - timedelta(days=back)
        quiet = day.weekday() >= 5
        write_day(home, day, events=1200 if quiet else 1950 + day.toordinal() % 100, users=140 if quiet else 200)
