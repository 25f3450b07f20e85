"""Windows of events: flat arrays sorted by user and time, and slices of them. Nothing is copied per user-day."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.models.fields import FIRST_KNOWN, GAP, MISSING, UNSEEN, Fields, read_tokens_sql, signed_log

MAX_EVENTS = 128
HISTORY_DAYS = 28
DAY_US = 86_400_000_000
EPOCH = date(1970, 1, 1)

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def user_day_key(user: NDArray[np.integer], day: NDArray[np.integer]) -> Ints:
    """One whole number per user-day, in the order of users, then days (since 1970-01-01)."""
    return user.astype(np.int64) * 2**20 + day


def places_of(wanted: Ints, keys: Ints) -> Ints:
    """Where each of `wanted` stands in `keys`, in whatever order these are; -1 where it does not."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    order = np.argsort(keys, kind="stable")
    found = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    return np.where(keys[found] == wanted, found, -1)


@dataclass(frozen=True)
class Tokens:
    """Events of some users over some days, sorted by user, time and event id.

    Shapes: N events, C categorical and M numeric fields in the order of `Fields`.
    """

    users: pa.Array  # user index -> user_id, sorted
    user: NDArray[np.int32]  # (N,)
    at: Ints  # (N,) microseconds since 1970, UTC
    codes: NDArray[np.uint8]  # (N, C)
    numbers: Floats  # (N, M) in robust units; NaN is missing, -inf is exactly zero

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class Windows:
    """User-days and the slice of tokens each one is judged by: events `start`..`end`, its own from `today` on."""

    user: NDArray[np.int32]
    day: NDArray[np.int32]  # days since 1970-01-01
    start: Ints
    today: Ints
    end: Ints

    def __len__(self) -> int:
        return len(self.user)

    @property
    def key(self) -> Ints:
        """As `user_day_key`."""
        return user_day_key(self.user, self.day)

    @property
    def length(self) -> Ints:
        return self.end - self.start

    @property
    def history(self) -> Ints:
        """Events before the day itself."""
        return self.today - self.start

    def take(self, chosen: NDArray[np.bool_] | Ints) -> "Windows":
        """The user-days of a mask, or of positions in their order."""
        return Windows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def between(self, first: date, last: date) -> "Windows":
        """The user-days of the days `first`..`last`."""
        return self.take((self.day >= day_number(first)) & (self.day <= day_number(last)))


class Batch(NamedTuple):
    """Windows side by side, newest event first, short ones padded at the end.

    Shapes: B windows, T events, C and M fields.
    """

    codes: NDArray[np.int32]  # (B, T, C), 0 on padding
    numbers: Floats  # (B, T, M), NaN on padding
    lengths: Ints  # (B,)


def distinct_users(
    con: duckdb.DuckDBPyConnection, paths: Sequence[Path], at_most: int | None = None, seed: int = 0
) -> pa.Array:
    """The users of these days in order, or a fixed pseudo-random choice of `at_most` of them."""
    rows = f"(select distinct user_id from {read_tokens_sql(paths)})"
    if at_most is not None:
        rows = f"(from {rows} order by md5(user_id || '|{int(seed)}'), user_id limit {int(at_most)})"
    return con.sql(f"from {rows} order by user_id").to_arrow_table().column("user_id").combine_chunks()


def load_tokens(
    con: duckdb.DuckDBPyConnection, paths: Sequence[Path], fields: Fields, users: pa.Array | None = None
) -> Tokens:
    """Code and sort the tokens of `users` (default: everybody) in one file per day, the days in any order.

    Each file is sorted by user, time and event id already. So a row's place in the result is its user's first
    place, plus the user's rows of earlier days, plus its rank within the user's day: no sort is needed.
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
    """Time since the user's previous event; missing for a user's first. A batch hides it for a window's first."""
    column = fields.gap_column
    if column is None or not len(tokens):
        return
    gap = np.maximum(np.diff(tokens.at, prepend=tokens.at[0]), 0).astype(np.float32) / np.float32(1e6)
    field = fields.numeric[column]
    scaled = (np.log1p(gap) - np.float32(field.median)) / np.float32(field.scale)
    scaled[gap == 0] = -np.inf
    scaled[np.diff(tokens.user, prepend=-1) != 0] = np.nan
    tokens.numbers[:, column] = scaled


def user_day_windows(tokens: Tokens, first: date, last: date) -> Windows:
    """One window per user-day of `first`..`last`: its last 128 events of the 28 days that end with the day."""
    day = (tokens.at // DAY_US).astype(np.int32)
    is_first = np.ones(len(tokens), bool)
    is_first[1:] = (np.diff(tokens.user) != 0) | (np.diff(day) != 0)
    begins = np.flatnonzero(is_first)  # of each user-day
    ends = np.append(begins[1:], len(tokens))
    user, day = tokens.user[begins], day[begins]
    key = user_day_key(user, day)  # sorted, as the tokens are
    chosen = np.flatnonzero((day >= day_number(first)) & (day <= day_number(last)))
    oldest = begins[np.searchsorted(key, key[chosen] - (HISTORY_DAYS - 1))] if len(chosen) else chosen
    # A user's first days reach into the previous user's last ones only if day numbers were below 28: they are not.
    end = ends[chosen]
    start = np.maximum(oldest, end - MAX_EVENTS)
    return Windows(user[chosen], day[chosen], start, np.maximum(begins[chosen], start), end)


def batches(windows: Windows, batch_events: int) -> Iterator[Ints]:
    """Positions of windows to score together: of like length, so that padding is small; about `batch_events` each."""
    order = np.argsort(windows.length, kind="stable")
    length = windows.length[order]
    begin = 0
    while begin < len(order):
        # the longest window of a batch is its last, and all are as wide as it
        upto = np.searchsorted(np.arange(1, len(order) - begin + 1) * length[begin:], batch_events, side="right")
        yield order[begin : begin + max(int(upto), 1)]
        begin += max(int(upto), 1)


def assemble(tokens: Tokens, windows: Windows, gap_column: int | None) -> Batch:
    """Lay windows side by side, newest event first."""
    length = windows.length
    steps = np.arange(int(length.max()))
    is_event = steps < length[:, None]
    place = np.where(is_event, windows.end[:, None] - 1 - steps, windows.start[:, None])
    codes = tokens.codes[place].astype(np.int32)
    numbers = tokens.numbers[place]
    codes[~is_event] = MISSING
    numbers[~is_event] = np.nan
    if gap_column is not None:  # what came before the window is not known
        numbers[np.arange(len(length)), length - 1, gap_column] = np.nan
    return Batch(codes, numbers, length)


def look_up(con: duckdb.DuckDBPyConnection, path: Path, user_ids: Sequence[str], ranks: Iterable[int]) -> pa.Table:
    """The stored tokens of a day by user and rank within the user's day (0 is the first), in the order asked."""
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


def window_days(day: date) -> list[date]:
    """The days whose events a window of `day` may hold, in order."""
    return [day - timedelta(days=back) for back in range(HISTORY_DAYS - 1, -1, -1)]
