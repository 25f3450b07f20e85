"""Who would be reviewed on each day, and who is caught: an account caught leaves the days after it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int32]


def reviewed_rows(score: Doubles, is_bad: Flags, day: Ints, user: Ints, reviews: int) -> Flags:
    """Which user-days are among the `reviews` highest of their day, accounts caught on an earlier day left out.

    An account is caught where it is reviewed on a bad day. Equal scores are reviewed in the order of users; one that
    is not known (NaN) comes last.
    """
    return Queue.of(score, is_bad, day, accounts_of(user)).reviewed(reviews)


def recall_of_accounts(is_caught: Flags, is_bad: Flags, user: Ints) -> float:
    """Share of the accounts with a bad day of which one was caught. NaN without any."""
    bad = np.unique(user[is_bad])
    return float(np.isin(bad, user[is_caught & is_bad]).mean()) if len(bad) else float("nan")


def accounts_of(user: Ints) -> Ints:
    """Users numbered from 0 up, in their order."""
    return np.unique(user, return_inverse=True)[1].astype(np.int32)


@dataclass(frozen=True)
class Queue:
    """n user-days in the order of review: day by day, the highest score first, ties by account, NaN last.

    An account has one user-day a day at most.
    """

    order: NDArray[np.int64]  # (n,), rows
    ends: tuple[int, ...]  # of each day, in the order
    account: Ints  # (n,), in the order, from 0 up
    is_bad: Flags  # (n,), in the order

    @classmethod
    def of(cls, score: Doubles, is_bad: Flags, day: Ints, account: Ints) -> Self:
        order = np.lexsort((account, -score, day))
        ends = (*(np.flatnonzero(np.diff(day[order])) + 1).tolist(), len(order)) if len(order) else ()
        return cls(order, ends, account[order], is_bad[order])

    def reviewed(self, reviews: int) -> Flags:
        """Which rows are reviewed, as `reviewed_rows` says."""
        is_caught = np.zeros(self.account.max(initial=-1) + 1, np.bool_)
        found = np.zeros(len(self.order), np.bool_)
        caught = 0
        for start, end in self._days():
            front = self.account[start : min(end, start + reviews + caught)]
            top = start + np.flatnonzero(~is_caught[front])[:reviews]
            found[self.order[top]] = True
            newly = self.account[top[self.is_bad[top]]]
            is_caught[newly] = True
            caught += len(newly)
        return found

    def caught(self, copies: NDArray[np.uint8] | Doubles, reviews: int) -> NDArray[Any]:
        """How many of each account are caught where it stands `copies[i]` times, each taking a review of its own.

        What is drawn in a bootstrap over accounts: the budget stays, so the lists reach deeper where few are drawn.
        Not whole where an account of a sample stands for others.
        """
        left: NDArray[Any] = copies.astype(np.int32 if copies.dtype.kind == "u" else np.float64)
        gone = 0.0
        for start, end in self._days():
            size = 2 * reviews + int(gone)
            while True:
                front = slice(start, min(end, start + size))
                waiting = left[self.account[front]]
                before = np.cumsum(waiting) - waiting
                if front.stop == end or before[-1] >= reviews:
                    break
                size *= 2
            caught = np.clip(reviews - before, 0, waiting) * self.is_bad[front]
            left[self.account[front]] -= caught
            gone += float(caught.sum())
        caught_of: NDArray[Any] = copies - left
        return caught_of

    def _days(self) -> Iterator[tuple[int, int]]:
        return zip((0, *self.ends), self.ends, strict=False)
