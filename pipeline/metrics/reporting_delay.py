"""How long labels take to come, from those that have come so far: the slow ones of recent days are not there yet."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Doubles, Ints

FEWEST = 50  # labels, without which nothing is claimed about their pace
FEWEST_MATURED = 20  # of them about days old enough for the slowest label


@dataclass(frozen=True)
class Arrivals:
    """`count` labels each: known `delay` days after the day that they are about, which now lies `age` days back (n,).

    No delay is longer than the age: a label that is still to come is not among them.
    """

    delay: Ints
    age: Ints
    count: Ints

    def within(self, horizon: int) -> "Arrivals":
        """The labels that took no longer."""
        kept = self.delay <= horizon
        return Arrivals(self.delay[kept], self.age[kept], self.count[kept])

    @property
    def labels(self) -> int:
        return int(self.count.sum())


@dataclass(frozen=True)
class ReportingDelay:
    """`known[age]`: share of the labels that are known so many days later, of those known by the last of these ages.

    Estimated from `labels` of them.
    """

    known: tuple[float, ...]
    labels: int

    @classmethod
    def of(cls, arrivals: Arrivals, horizon: int) -> Self | None:
        """From the labels that take at most `horizon` days. None where they are too few."""
        counted = arrivals.within(horizon)
        matured = int(counted.count[counted.age >= horizon].sum())
        if counted.labels < FEWEST or matured < FEWEST_MATURED:
            return None
        return cls(tuple(share_known(arrivals, horizon).tolist()), counted.labels)

    @property
    def median_days(self) -> int:
        return self.days_until(0.5)

    def days_until(self, share: float) -> int:
        """The age in days at which so much is known."""
        return next(age for age, part in enumerate(self.known) if part >= share)

    def share_at(self, age: NDArray[np.integer]) -> Doubles:
        share: Doubles = np.array(self.known)[np.clip(age, 0, len(self.known) - 1)]
        return share


def share_known(arrivals: Arrivals, horizon: int) -> Doubles:
    """Share of the labels known by each age from 0 to `horizon` days, of those that come within `horizon`.

    A delay is seen only if it is at most the age: it is truncated on the right. Looking back from the longest delay,
    the labels that came within d days, about days at least d old, say which share of them took d days exactly. The
    product of the other shares is the answer.
    Kalbfleisch and Lawless, "Inference based on retrospective ascertainment", JASA 84 (1989).
    """
    counted, n = arrivals.within(horizon), horizon + 1
    took = np.bincount(counted.delay, counted.count, n)
    age = np.bincount(np.minimum(counted.age, horizon), counted.count, n)
    at_risk = np.cumsum(took) - np.concatenate([[0], np.cumsum(age)[:-1]])
    sooner = 1 - np.divide(took, at_risk, out=np.zeros(n), where=at_risk > 0)
    known: Doubles = np.concatenate([np.cumprod(sooner[:0:-1])[::-1], [1.0]])
    return known
