"""The true labels of user-days: from later labels, or from a simulation's own record. Only the referee reads them."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.arrays import Codes, Doubles, Flags, Names
from pipeline.models.days import places_of, user_day_key
from pipeline.models.labels import known_bad_user_days
from pipeline.sql import parquet
from pipeline.storage import lake

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("event_day", pa.date32()),
        ("typology", pa.string()),
        ("variant", pa.string()),
        ("first_bad_at", pa.timestamp("us")),
    ]
)


@dataclass(frozen=True)
class TrueLabels:
    """The labels of n user-days. `first_bad_at`: hours since 1970 of the account's first bad event, NaN without one."""

    is_bad: Flags
    typology: Names
    variant: Names
    first_bad_at: Doubles


@dataclass(frozen=True)
class Truth:
    """All bad user-days, in the columns of SCHEMA."""

    rows: pa.Table

    def of(self, users: pa.Array, user: Codes, day: Codes) -> TrueLabels:
        """The labels of user-days (n,). `user` are places in `users`."""
        place = pc.index_in(self.rows.column("user_id"), value_set=users).fill_null(-1).to_numpy()
        bad_day = self.rows.column("event_day").cast(pa.int32()).to_numpy()
        first = self.rows.column("first_bad_at").cast(pa.int64()).to_numpy() / 3.6e9
        first_of = np.full(len(users), np.nan)
        first_of[place[place >= 0]] = first[place >= 0]
        row = places_of(user_day_key(user, day), user_day_key(place, bad_day))
        is_bad = row >= 0
        typology, variant = (np.full(len(user), None, object) for _ in range(2))
        typology[is_bad] = self.rows.column("typology").to_numpy()[row[is_bad]]
        variant[is_bad] = self.rows.column("variant").to_numpy()[row[is_bad]]
        return TrueLabels(is_bad, typology, variant, first_of[user])


def read_truth(
    con: duckdb.DuckDBPyConnection, home: Path, simulated: Path | None, until: date, as_of: datetime
) -> Truth:
    """From labels known at the end of `until`, or from a simulation's truth folder."""
    if simulated is not None:
        bad_events = parquet([simulated / "events.parquet"])
        events = parquet(sorted((simulated.parent / "events").glob("*.parquet")))
        rows = con.sql(
            f"""with bad_events as (
                select truth.user_id, min(events.event_at at time zone 'UTC') as first_bad_at
                from {bad_events} as truth join {events} as events using (event_id)
                group by truth.user_id
            )
            select user_id, event_day, typology, variant, first_bad_at
            from {parquet([simulated / "user_days.parquet"])} join bad_events using (user_id)
            where is_bad order by user_id, event_day"""
        )
        return Truth(rows.to_arrow_table().cast(SCHEMA))
    bad = known_bad_user_days(con, home, until, as_of)  # noqa: F841 - DuckDB reads it by name
    rows = con.sql(
        f"""with first_of as (
            select user_id, min(happened_at) as first_bad_at
            from {parquet(_label_files(home))} where is_bad and known_at < $until group by user_id
        )
        select user_id, event_day, typology, null as variant, first_bad_at
        from bad join first_of using (user_id) order by user_id, event_day""",
        params={"until": lake.end_of(until).replace(tzinfo=None)},
    )
    return Truth(rows.to_arrow_table().cast(SCHEMA))


def reported_accounts(
    con: duckdb.DuckDBPyConnection, home: Path, last: date, as_of: datetime, since: date | None
) -> pa.Table:
    """Accounts with a bad label for something they did since `since`: user_id, known_day (days since 1970).

    Correct or not: a reported account is under review already.
    """
    return con.sql(
        f"""select user_id, cast(cast(min(known_at) as date) - date '1970-01-01' as integer) as known_day
        from {parquet(_label_files(home))}
        where is_bad and known_at < $last and arrived_at <= $as_of and happened_at >= $since
        group by user_id order by user_id""",
        params={
            "last": lake.end_of(last).replace(tzinfo=None),
            "as_of": as_of.replace(tzinfo=None),
            "since": datetime.combine(since or date(1970, 1, 1), datetime.min.time()),
        },
    ).to_arrow_table()


def _label_files(home: Path) -> list[str]:
    return [str(home / file.path) for file in lake.label_files(home)]
