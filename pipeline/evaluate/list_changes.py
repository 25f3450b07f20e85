"""Who enters and who leaves the list when one ranking gives way to another."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.judged import Judged
from pipeline.evaluate.report import DayChange, ListChanges, Move

SHOWN = 5  # accounts a day, entering and leaving


def list_changes(
    judged: Judged, before: str, after: str, reviews: int = 100, users: Sequence[str] | None = None
) -> ListChanges:
    """Compare the top `reviews` of each day, whoever was caught before. `users` names the accounts by number."""
    days = [_day_change(judged, before, after, reviews, users, today) for today in np.unique(judged.day)]
    return ListChanges(before=before, after=after, reviews=reviews, days=days)


def _day_change(
    judged: Judged, before: str, after: str, reviews: int, users: Sequence[str] | None, today: np.int32
) -> DayChange:
    rows = np.flatnonzero(judged.day == today)
    user, is_bad = judged.user[rows], judged.is_bad[rows]
    old, new = (_ranks(judged.scores[name][rows], user) for name in (before, after))
    enters, leaves = (new <= reviews) & (old > reviews), (old <= reviews) & (new > reviews)

    def moves(chosen: NDArray[np.bool_], by: NDArray[np.int64]) -> list[Move]:
        first = np.flatnonzero(chosen)[np.argsort(by[chosen], kind="stable")][:SHOWN]
        return [
            Move(
                user=str(user[i]) if users is None else users[user[i]],
                is_bad=bool(is_bad[i]),
                rank_before=int(old[i]),
                rank_after=int(new[i]),
            )
            for i in first
        ]

    return DayChange(
        day=date(1970, 1, 1) + timedelta(days=int(today)),
        stay=int(((old <= reviews) & (new <= reviews)).sum()),
        enter=int(enters.sum()),
        leave=int(leaves.sum()),
        bad_enter=int((enters & is_bad).sum()),
        bad_leave=int((leaves & is_bad).sum()),
        entering=moves(enters, new),
        leaving=moves(leaves, old),
    )


def _ranks(score: NDArray[np.float64], user: NDArray[np.int32]) -> NDArray[np.int64]:
    """From 1, the highest score first, ties in the order of users, unknown last."""
    ranks = np.empty(len(score), np.int64)
    ranks[np.lexsort((user, -score))] = np.arange(1, len(score) + 1)
    return ranks
