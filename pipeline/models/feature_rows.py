"""Feature rows of user-days: read from the user_days snapshots, and matched to windows of events."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.arrays import Codes, Floats, Ints
from pipeline.catalogue import features
from pipeline.errors import InputError
from pipeline.models.days import places_of, user_day_key
from pipeline.models.tokens.windows import Tokens, Windows
from pipeline.sql import parquet


@dataclass(frozen=True)
class UserDays:
    """User-days sorted by user and day. `rows` is (n, features) in the catalogue's order, NaN for unknown."""

    user_id: pa.Array
    day: Codes  # days since 1970-01-01
    rows: Floats

    def __len__(self) -> int:
        return len(self.day)


def read_user_days(con: duckdb.DuckDBPyConnection, paths: Sequence[Path], users: pa.Array | None = None) -> UserDays:
    """Read snapshots of user_days, optionally of `users` only."""
    names = list(features())
    source = parquet(paths)
    if users is not None:
        con.register("chosen_users", pa.table({"user_id": users}))
        source = f"(from {source} semi join chosen_users using (user_id))"
    columns = ", ".join(f"cast({name} as float) as {name}" for name in names)
    table = con.sql(
        f"select user_id, cast(event_day - date '1970-01-01' as integer) as day, {columns} "
        f"from {source} order by user_id, day"
    ).to_arrow_table()
    if users is not None:
        con.unregister("chosen_users")
    rows = np.empty((len(table), len(names)), np.float32)
    for i, name in enumerate(names):
        rows[:, i] = table.column(name).combine_chunks().fill_null(float("nan")).to_numpy(zero_copy_only=False)
    return UserDays(table.column("user_id").combine_chunks(), table.column("day").to_numpy().astype(np.int32), rows)


def match(user_days: UserDays, tokens: Tokens, windows: Windows) -> Ints:
    """The place of each window's user-day in `user_days`.

    Raises InputError where the two tables disagree: an account without its events would silently go unscored.
    """
    index = pa.compute.index_in(user_days.user_id, value_set=tokens.users).fill_null(-1).to_numpy().astype(np.int64)
    places = places_of(windows.key, user_day_key(index, user_days.day))
    if len(windows) != len(user_days) or np.any(places < 0):
        raise InputError("user_days and event_tokens do not name the same user-days", fix="dawnlist features again")
    return places
