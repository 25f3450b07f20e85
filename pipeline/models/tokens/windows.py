"""Windows of events: flat arrays sorted by user and time, and slices of them. Nothing is copied per user-day."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrays import Codes, Flags, Floats, Ints
from pipeline.models.days import DAY_US, day_number, user_day_key
from pipeline.models.tokens.fields import Fields

MAX_EVENTS = 128
KEPT_HISTORY = 32  # earlier events that a window keeps, however long its day
HISTORY_DAYS = 28
HALVES = 2  # of the accounts, by a hash of their ids


@dataclass(frozen=True)
class Tokens:
    """Events of some users over some days, sorted by user, time and event id.

    Shapes: N events, C categorical and M numeric fields in the order of `Fields`.
    """

    users: pa.Array  # user index -> user_id, sorted
    user: Codes  # (N,)
    at: Ints  # (N,) microseconds since 1970, UTC
    codes: NDArray[np.uint8]  # (N, C)
    numbers: Floats  # (N, M) in robust units; NaN is missing, -inf is exactly zero

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class Windows:
    """User-days and the tokens each is scored by: earlier events `start`..`history_end`, its own `today`..`end`.

    Of a long day only the last events are its own, so `today` may lie after `history_end`.
    """

    user: Codes
    day: Codes  # days since 1970-01-01
    start: Ints
    history_end: Ints
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
        return self.history + self.own

    @property
    def history(self) -> Ints:
        """Events before the day itself."""
        return self.history_end - self.start

    @property
    def own(self) -> Ints:
        """Events of the day itself."""
        return self.end - self.today

    def places(self, steps: Ints) -> Ints:
        """Places in the tokens (n, steps) of each window's events, newest first: step 0 is its last event."""
        own = self.own[:, None]
        earlier = self.history_end[:, None] - 1 - (steps - own)
        return np.where(steps < own, self.end[:, None] - 1 - steps, earlier)

    def take(self, chosen: Flags | Ints) -> "Windows":
        """The user-days of a mask, or of positions in their order."""
        return Windows(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Sequences:
    """User-days as sequences of events: all tokens, what their fields mean, and each user-day's window."""

    tokens: Tokens
    fields: Fields
    windows: Windows

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def half(self) -> Ints:
        """The half that the account of each user-day belongs to (n,)."""
        return half_of(self.tokens.users)[self.windows.user]

    def take(self, chosen: Flags | Ints) -> "Sequences":
        """The user-days of a mask, or of positions in their order."""
        return replace(self, windows=self.windows.take(chosen))


def half_of(users: pa.Array) -> Ints:
    """The half of each account, 0 or 1: by its id alone, so that it is the same in every training and every scoring."""
    hashes = (blake2b(user.encode(), digest_size=1).digest()[0] for user in users.to_pylist())
    return np.fromiter((value % HALVES for value in hashes), np.int64, len(users))


def user_day_windows(tokens: Tokens, first: date, last: date) -> Windows:
    """One window per user-day of `first`..`last`: its last 128 events of the 28 days that end with the day.

    Of a day of more than 96 events the earliest make room for up to 32 of the days before: what is usual is not lost.
    """
    day = (tokens.at // DAY_US).astype(np.int32)
    is_first = np.ones(len(tokens), bool)
    is_first[1:] = (np.diff(tokens.user) != 0) | (np.diff(day) != 0)
    begins = np.flatnonzero(is_first)  # of each user-day
    ends = np.append(begins[1:], len(tokens))
    user, day = tokens.user[begins], day[begins]
    key = user_day_key(user, day)  # sorted, as the tokens are
    chosen = np.flatnonzero((day >= day_number(first)) & (day <= day_number(last)))
    # Keys of one user cannot reach into those of the user before: day numbers are far above 28.
    oldest = begins[np.searchsorted(key, key[chosen] - (HISTORY_DAYS - 1))] if len(chosen) else chosen
    begin, end = begins[chosen], ends[chosen]
    own = np.minimum(end - begin, MAX_EVENTS - np.minimum(begin - oldest, KEPT_HISTORY))
    start = np.maximum(oldest, begin - (MAX_EVENTS - own))
    return Windows(user[chosen], day[chosen], start, begin, end - own, end)


def batches(windows: Windows, batch_events: int) -> Iterator[Ints]:
    """Positions of windows to read together: of like length, so that padding is small; about `batch_events` each."""
    order = np.argsort(windows.length, kind="stable")
    length = windows.length[order]
    begin = 0
    while begin < len(order):
        # the longest window of a batch is its last, and all are as wide as it
        upto = np.searchsorted(np.arange(1, len(order) - begin + 1) * length[begin:], batch_events, side="right")
        yield order[begin : begin + max(int(upto), 1)]
        begin += max(int(upto), 1)


def window_days(day: date) -> list[date]:
    """The days whose events a window of `day` may hold, in order."""
    return [day - timedelta(days=back) for back in range(HISTORY_DAYS - 1, -1, -1)]
