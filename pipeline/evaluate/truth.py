"""What is true of user-days: told by later labels, or by a simulation's own record. Only the referee reads it."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import lake
from pipeline.models.labels import known_bad_user_days
from pipeline.models.windows import places_of, user_day_key
from pipeline.sql import parquet

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """Bad user-days: user_id, event_day, typology, variant of it, and when the account's first bad event was."""

    rows: pa.Table

    def of(
        self, users: pa.Array, user: NDArray[np.int32], day: NDArray[np.int32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.object_], NDArray[np.object_], Doubles]:
        """Of user-days (n,): whether bad, the typology and its variant or None, and the hours since 1970 of the
        account's first bad event. `user` are places in `users`."""
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
        return is_bad, typology, variant, first_of[user]


SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("event_day", pa.date32()),
        ("typology", pa.string()),
        ("variant", pa.string()),
        ("first_bad_at", pa.timestamp("us")),
    ]
)


def read_truth(
    con: duckdb.DuckDBPyConnection, home: Path, simulated: Path | None, until: date, as_of: datetime
) -> Truth:
    """From labels known at the end of `until`, or from a simulation's folder of the truth."""
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


def known_from(con: duckdb.DuckDBPyConnection, home: Path, last: date, as_of: datetime, since: date | None) -> pa.Table:
    """The day each account became known as bad (user_id, known_day since 1970), for anything it did since `since`.

    Right or wrong: who was reported is on somebody's desk already.
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
