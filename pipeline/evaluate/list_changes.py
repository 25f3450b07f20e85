"""Which accounts enter and leave the list when one ranking replaces another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from pipeline.arrays import Codes, Doubles, Flags, Ints
from pipeline.evaluate.report.content import DayChange, ListChanges, Move
from pipeline.metrics.scored_labels import ScoredLabels

SHOWN = 5  # accounts a day, entering and leaving


def list_changes(
    labels: ScoredLabels, before: str, after: str, reviews: int = 100, users: Sequence[str] | None = None
) -> ListChanges:
    """Compare the top `reviews` of each day, caught accounts included. `users` names the accounts by number."""
    days = []
    for today in np.unique(labels.day):
        rows = np.flatnonzero(labels.day == today)
        old, new = (_ranks(labels.scores[name][rows], labels.user[rows]) for name in (before, after))
        days.append(_Day(today, labels.user[rows], labels.is_bad[rows], old, new).change(reviews, users))
    return ListChanges(before=before, after=after, reviews=reviews, days=days)


@dataclass(frozen=True)
class _Day:
    """The user-days of one day with their ranks under both rankings."""

    day: np.int32
    user: Codes
    is_bad: Flags
    old: Ints
    new: Ints

    def change(self, reviews: int, users: Sequence[str] | None) -> DayChange:
        was_in, is_in = self.old <= reviews, self.new <= reviews
        enters, leaves = is_in & ~was_in, was_in & ~is_in
        return DayChange(
            day=date(1970, 1, 1) + timedelta(days=int(self.day)),
            stay=int((was_in & is_in).sum()),
            enter=int(enters.sum()),
            leave=int(leaves.sum()),
            bad_enter=int((enters & self.is_bad).sum()),
            bad_leave=int((leaves & self.is_bad).sum()),
            entering=self._moves(enters, self.new, users),
            leaving=self._moves(leaves, self.old, users),
        )

    def _moves(self, chosen: Flags, rank: Ints, users: Sequence[str] | None) -> list[Move]:
        highest = np.flatnonzero(chosen)[np.argsort(rank[chosen], kind="stable")][:SHOWN]
        return [
            Move(
                user=str(self.user[i]) if users is None else users[self.user[i]],
                is_bad=bool(self.is_bad[i]),
                rank_before=int(self.old[i]),
                rank_after=int(self.new[i]),
            )
            for i in highest
        ]


def _ranks(score: Doubles, user: Codes) -> Ints:
    """From 1 for the highest score. Ties in the order of users, unknown scores last."""
    ranks = np.empty(len(score), np.int64)
    ranks[np.lexsort((user, -score))] = np.arange(1, len(score) + 1)
    return ranks
