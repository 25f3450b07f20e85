"""A team reviews a fixed number of accounts a day. Once caught, an account takes no further review."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Codes, Doubles, Flags, Ints

Copies = NDArray[np.uint8] | Doubles  # how many accounts each account counts as


def number_accounts(user: Codes) -> Codes:
    """Users numbered from 0 up, in their order."""
    return np.unique(user, return_inverse=True)[1].astype(np.int32)


@dataclass(frozen=True)
class Catch:
    """Bad accounts caught within a review budget: the one measure that every report and every gate uses."""

    caught: NDArray[Any]  # (accounts,) how many copies of each were caught
    bad: NDArray[Any]  # (accounts,) how many copies of each are bad: 0 or all
    reviews: int  # the budget of all days together

    @property
    def total(self) -> float:
        return float(self.caught.sum())

    @property
    def precision(self) -> float:
        """Caught accounts per review of the budget, used or not. NaN without days."""
        return self.total / self.reviews if self.reviews else float("nan")

    @property
    def recall(self) -> float:
        """Share of the bad accounts that was caught. NaN without bad accounts."""
        return self.recall_among(np.flatnonzero(self.bad))

    def recall_among(self, accounts: NDArray[np.integer]) -> float:
        """The same among these bad accounts, under the budget of all."""
        bad = float(self.bad[accounts].sum(dtype=np.float64))
        return float(self.caught[accounts].sum()) / bad if bad else float("nan")


@dataclass(frozen=True)
class ReviewQueue:
    """n user-days in the order of review: by day, then highest score, then account. Unknown scores (NaN) come last.

    An account has at most one user-day a day. It is caught when it is reviewed on a bad day.
    """

    order: Ints  # (n,) rows
    ends: tuple[int, ...]  # of each day, in the order
    account: Codes  # (n,) in the order, numbered from 0
    is_bad: Flags  # (n,) in the order

    @classmethod
    def of(cls, score: Doubles, is_bad: Flags, day: Codes, account: Codes) -> Self:
        order = np.lexsort((account, -score, day))
        ends = (*(np.flatnonzero(np.diff(day[order])) + 1).tolist(), len(order)) if len(order) else ()
        return cls(order, ends, account[order], is_bad[order])

    def reviewed(self, reviews: int) -> Flags:
        """Which rows are reviewed with `reviews` a day."""
        is_caught = np.zeros(self.account.max(initial=-1) + 1, np.bool_)
        is_reviewed = np.zeros(len(self.order), np.bool_)
        caught = 0
        for start, end in self._days():
            front = self.account[start : min(end, start + reviews + caught)]
            top = start + np.flatnonzero(~is_caught[front])[:reviews]
            is_reviewed[self.order[top]] = True
            newly = self.account[top[self.is_bad[top]]]
            is_caught[newly] = True
            caught += len(newly)
        return is_reviewed

    def catch(self, reviews: int, copies: Copies | None = None) -> Catch:
        """What `reviews` a day catch, when account i counts as `copies[i]` accounts, each taking its own review.

        A bootstrap draw is such a set of copies. In a sample of accounts, copies are how many each one stands for.
        Fractions arise where the budget ends inside an account's copies.
        """
        accounts = int(self.account.max(initial=-1)) + 1
        copies = np.ones(accounts, np.uint8) if copies is None else copies
        is_bad = np.zeros(accounts, np.bool_)
        is_bad[self.account[self.is_bad]] = True
        return Catch(self._caught(reviews, copies), copies * is_bad, reviews * len(self.ends))

    def _caught(self, reviews: int, copies: Copies) -> NDArray[Any]:
        waiting: NDArray[Any] = copies.astype(np.int32 if copies.dtype.kind == "u" else np.float64)
        gone = 0.0
        for start, end in self._days():
            size = 2 * reviews + int(gone)
            while True:
                front = slice(start, min(end, start + size))
                in_line = waiting[self.account[front]]
                before = np.cumsum(in_line) - in_line
                if front.stop == end or before[-1] >= reviews:
                    break
                size *= 2
            caught = np.clip(reviews - before, 0, in_line) * self.is_bad[front]
            waiting[self.account[front]] -= caught
            gone += float(caught.sum())
        caught_copies: NDArray[Any] = copies - waiting
        return caught_copies

    def _days(self) -> Iterator[tuple[int, int]]:
        return zip((0, *self.ends), self.ends, strict=False)
