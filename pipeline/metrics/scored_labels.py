"""User-days with their labels and with the scores of every contender: what all metrics are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pipeline.arrays import Codes, Doubles, Flags, Names
from pipeline.metrics.ranking import average_precision
from pipeline.metrics.review_queue import Catch, ReviewQueue, number_accounts


@dataclass(frozen=True)
class ScoredLabels:
    """n user-days. Higher scores are riskier, NaN is unknown. The scores named in `risks` are probabilities.

    In a sample of accounts, `stands_for` says how many accounts each one represents. `weight` is that, corrected
    for labels that are still to come. None: 1 everywhere.
    """

    user: Codes
    day: Codes  # days since 1970-01-01
    is_bad: Flags
    typology: Names  # None for good user-days and where no typology is given
    is_new: Flags  # the account does not occur in training
    first_bad_at: Doubles  # hours since 1970 of the account's first bad event; NaN without one
    scores: dict[str, Doubles]
    risks: tuple[str, ...] = ()
    weight: Doubles | None = None
    stands_for: Doubles | None = None

    @classmethod
    def of(cls, user: Codes, day: Codes, is_bad: Flags, scores: Mapping[str, Doubles] | None = None) -> "ScoredLabels":
        """User-days with only a bad/good label."""
        n = len(day)
        no_typology, never = np.full(n, None, object), np.full(n, np.nan)
        return cls(user, day, is_bad, no_typology, np.zeros(n, np.bool_), never, dict(scores or {}))

    def __len__(self) -> int:
        return len(self.day)

    @cached_property
    def account(self) -> Codes:
        """Accounts numbered from 0."""
        return number_accounts(self.user)

    @cached_property
    def copies(self) -> Doubles | None:
        """How many accounts each account stands for (accounts,). None: each for itself."""
        if self.stands_for is None or np.all(self.stands_for == 1):
            return None
        copies = np.ones(self.account.max(initial=-1) + 1)
        copies[self.account] = self.stands_for
        return copies

    def take(self, chosen: Flags) -> "ScoredLabels":
        """The user-days of a mask."""
        return replace(
            self,
            user=self.user[chosen],
            day=self.day[chosen],
            is_bad=self.is_bad[chosen],
            typology=self.typology[chosen],
            is_new=self.is_new[chosen],
            first_bad_at=self.first_bad_at[chosen],
            scores={name: score[chosen] for name, score in self.scores.items()},
            weight=None if self.weight is None else self.weight[chosen],
            stands_for=None if self.stands_for is None else self.stands_for[chosen],
        )

    def with_scores(self, scores: Mapping[str, Doubles]) -> "ScoredLabels":
        """The same labels with other scores."""
        return replace(self, scores=dict(scores))

    def bad_by_typology(self, no_typology: str = "(no typology)") -> dict[str, Flags]:
        """The bad user-days of each typology, in the order of names."""
        names = np.array([no_typology if name is None else str(name) for name in self.typology], object)
        return {name: self.is_bad & (names == name) for name in sorted(set(names[self.is_bad]))}

    def queue(self, score: Doubles) -> ReviewQueue:
        return ReviewQueue.of(score, self.is_bad, self.day, self.account)

    def catch(self, score: Doubles, reviews: int) -> Catch:
        """What `reviews` a day catch, if the list is ordered by `score`."""
        return self.queue(score).catch(reviews, self.copies)

    def average_precision(self, score: Doubles) -> float:
        return average_precision(score, self.is_bad, self.weight)
