"""Read event tokens from Parquet: coded, and sorted by user and time."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.arrays import Ints
from pipeline.errors import InputError
from pipeline.models.tokens.fields import FIRST_KNOWN, GAP, MISSING, UNSEEN, Fields
from pipeline.models.tokens.sql import read_tokens_sql, signed_log
from pipeline.models.tokens.windows import Tokens


def distinct_users(
    con: duckdb.DuckDBPyConnection, paths: Sequence[Path], at_most: int | None = None, seed: int = 0
) -> pa.Array:
    """The users of these days in order, or a fixed pseudo-random sample of `at_most` of them."""
    rows = f"(select distinct user_id from {read_tokens_sql(paths)})"
    if at_most is not None:
        rows = f"(from {rows} order by md5(user_id || '|{int(seed)}'), user_id limit {int(at_most)})"
    return con.sql(f"from {rows} order by user_id").to_arrow_table().column("user_id").combine_chunks()


def load_tokens(
    con: duckdb.DuckDBPyConnection, paths: Sequence[Path], fields: Fields, users: pa.Array | None = None
) -> Tokens:
    """Code and sort the tokens of `users` (default: all). There is one file per day; the days come in any order.

    Each file is already sorted by user, time and event id, so nothing is sorted here. A row's place is its user's
    first place, plus the user's rows of earlier days, plus its rank within the user's day.
    """
    if users is None:
        users = distinct_users(con, paths)
    elif len(users) > 1:
        users = users.take(pc.sort_indices(users))
    _prepare(con, fields, users)
    try:
        counts = {path: _rows_per_user(con, path, len(users)) for path in paths}
        per_user = sum(counts.values(), np.zeros(len(users), np.int64))
        free = np.cumsum(per_user) - per_user  # each user's next free place
        total = int(per_user.sum())
        tokens = Tokens(
            users=users,
            user=np.repeat(np.arange(len(users), dtype=np.int32), per_user),
            at=np.empty(total, np.int64),
            codes=np.empty((total, len(fields.categorical)), np.uint8),
            numbers=np.empty((total, len(fields.numeric)), np.float32),
        )
        for path in sorted(paths, key=lambda path: path.parent.name):  # day=YYYY-MM-DD
            _place(con, path, fields, counts[path], free, tokens)
            free += counts[path]
    finally:
        _clean_up(con, fields)
    _fill_gaps(tokens, fields)
    return tokens


def _prepare(con: duckdb.DuckDBPyConnection, fields: Fields, users: pa.Array) -> None:
    con.register("token_users_arrow", pa.table({"user_id": users, "user": np.arange(len(users), dtype=np.int32)}))
    con.execute("create or replace temp table token_users as from token_users_arrow")
    con.unregister("token_users_arrow")
    for i, field in enumerate(fields.categorical):  # an enum casts by hash: the fastest dictionary DuckDB has
        con.register("vocabulary", pa.table({"value": pa.array(field.values, pa.string())}))
        con.execute(f"create or replace temp type vocabulary_{i} as enum (select value from vocabulary)")
        con.unregister("vocabulary")


def _clean_up(con: duckdb.DuckDBPyConnection, fields: Fields) -> None:
    con.execute("drop table token_users")
    for i, _ in enumerate(fields.categorical):
        con.execute(f"drop type vocabulary_{i}")


def _rows_per_user(con: duckdb.DuckDBPyConnection, path: Path, n_users: int) -> Ints:
    rows = con.execute(
        f"select user, count(*) as n from {read_tokens_sql([path])} join token_users using (user_id) group by user"
    ).fetchnumpy()
    counts = np.zeros(n_users, np.int64)
    counts[rows["user"]] = rows["n"]
    return counts


def _place(con: duckdb.DuckDBPyConnection, path: Path, fields: Fields, count: Ints, free: Ints, tokens: Tokens) -> None:
    """Write one day's rows to their places in `tokens`."""
    columns = [_code_sql(i, field.name) for i, field in enumerate(fields.categorical)]
    stored = [(i, field) for i, field in enumerate(fields.numeric) if field.name != GAP]
    columns += [
        f"""coalesce(cast(case when {f.name} = 0 then '-inf'
            else ({signed_log(f.name)} - {f.median!r}) / {f.scale!r} end as float), 'nan') as number_{i}"""
        for i, f in stored
    ]
    rows = con.execute(
        f"""select file_row_number, user, epoch_us(event_at) as at, {", ".join(columns)}
            from {read_tokens_sql([path])} join token_users using (user_id)"""
    ).fetchnumpy()
    order = np.argsort(rows["file_row_number"], kind="stable")  # a join may deliver rows in another order
    user, at = rows["user"][order], rows["at"][order]
    step = np.diff(user)
    if np.any(step < 0) or np.any(np.diff(at)[step == 0] < 0):
        raise InputError(
            f"event tokens in {path.parent.name}/{path.name} are not sorted by user and time",
            fix="remove that snapshot and make it again with dawnlist features",
        )
    before = np.cumsum(count) - count  # rows of smaller users in this file
    place = np.arange(len(user)) + np.repeat(free - before, count)
    tokens.at[place] = at
    as_delivered = np.empty_like(place)
    as_delivered[order] = place
    if fields.categorical:
        codes = np.stack([rows[f"code_{i}"] for i, _ in enumerate(fields.categorical)], axis=1)
        tokens.codes[as_delivered] = codes
    for i, _ in stored:
        tokens.numbers[as_delivered, i] = rows[f"number_{i}"]


def _code_sql(i: int, name: str) -> str:
    value = f"cast({name} as varchar)"
    return f"""cast(case when {name} is null then {MISSING}
        else coalesce(enum_code(try_cast({value} as vocabulary_{i})) + {FIRST_KNOWN}, {UNSEEN}) end
        as utinyint) as code_{i}"""


def _fill_gaps(tokens: Tokens, fields: Fields) -> None:
    """Time since the user's previous event. It is missing for a user's first event; a batch hides it for a window's."""
    column = fields.gap_column
    if column is None or not len(tokens):
        return
    gap = np.maximum(np.diff(tokens.at, prepend=tokens.at[0]), 0).astype(np.float32) / np.float32(1e6)
    field = fields.numeric[column]
    scaled = (np.log1p(gap) - np.float32(field.median)) / np.float32(field.scale)
    scaled[gap == 0] = -np.inf
    scaled[np.diff(tokens.user, prepend=-1) != 0] = np.nan
    tokens.numbers[:, column] = scaled


def look_up(con: duckdb.DuckDBPyConnection, path: Path, user_ids: Sequence[str], ranks: Iterable[int]) -> pa.Table:
    """Stored tokens of a day by user and rank within the user's day (0 is the first), in the order of the arguments."""
    wanted = pa.table({"ask": range(len(user_ids)), "user_id": list(user_ids), "rank": list(ranks)})
    con.register("wanted", wanted)
    try:
        return con.sql(
            f"""with rows as (
                    select *, row_number() over (partition by user_id order by file_row_number) - 1 as rank
                    from {read_tokens_sql([path])} semi join wanted using (user_id)
                )
                select rows.* exclude (rank, file_row_number) from rows join wanted using (user_id, rank) order by ask
            """
        ).to_arrow_table()
    finally:
        con.unregister("wanted")
