"""What the stacker reads of a user-day: its features, and what the sequence model makes of its window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.catalogue import features
from pipeline.errors import InputError
from pipeline.models.arms import Scorer
from pipeline.models.fields import Fields
from pipeline.models.samples import Samples
from pipeline.models.surprise import DECIMALS, Surprise
from pipeline.models.windows import Tokens, Windows, places_of, user_day_key
from pipeline.sql import parquet

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class UserDays:
    """User-days sorted by user and day. `rows` is (n, features) in the catalogue's order, NaN for not known."""

    user_id: pa.Array
    day: NDArray[np.int32]  # days since 1970-01-01
    rows: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.day)


def read_user_days(con: duckdb.DuckDBPyConnection, paths: Sequence[Path], users: pa.Array | None = None) -> UserDays:
    """Read snapshots of user_days, of `users` only where given."""
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


def match(user_days: UserDays, tokens: Tokens, windows: Windows) -> NDArray[np.int64]:
    """The place of each window's user-day in `user_days`.

    Raises InputError where the two tables do not agree: an account without its events would silently go unscored.
    """
    index = pa.compute.index_in(user_days.user_id, value_set=tokens.users).fill_null(-1).to_numpy().astype(np.int64)
    found = places_of(windows.key, user_day_key(index, user_days.day))
    if len(windows) != len(user_days) or np.any(found < 0):
        raise InputError("user_days and event_tokens do not name the same user-days", fix="dawnlist features again")
    return found


def learned_columns(surprise: Surprise, fields: Fields) -> dict[str, Doubles]:
    """What the sequence model adds, by column name: the surprise, its parts, and the code. NaN for not known."""
    return {name: column.to_numpy(zero_copy_only=False) for name, column in surprise.columns(fields).items()}


def column_of(arm: str) -> str:
    """The stacker's column of an arm."""
    return f"arm_{arm}"


def arm_columns(arms: Mapping[str, Scorer], samples: Samples, threads: int) -> dict[str, Doubles]:
    """What each arm that is on says, by column name."""
    return {column_of(name): scorer.score(samples, threads).round(DECIMALS) for name, scorer in arms.items()}


def stacker_rows(columns: Sequence[str], feature_rows: NDArray[np.float32], learned: dict[str, Doubles]) -> Doubles:
    """The stacker's matrix (n, columns)."""
    place = {name: i for i, name in enumerate(features())}
    rows = np.empty((len(feature_rows), len(columns)), np.float64)
    for i, name in enumerate(columns):
        rows[:, i] = feature_rows[:, place[name]] if name in place else learned[name]
    return rows
