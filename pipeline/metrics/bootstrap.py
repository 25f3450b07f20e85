"""Bootstrap intervals over accounts. Days of one account are not independent, so whole accounts are drawn.

Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979); percentile intervals.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Doubles, Flags
from pipeline.metrics.ranking import AreaUnderRoc, AveragePrecision
from pipeline.metrics.review_queue import Catch, Copies
from pipeline.metrics.scored_labels import ScoredLabels

Metric = Literal["average_precision", "precision", "recall", "caught", "roc_auc"]
Statistic = Callable[[Copies], float]

REVIEWS = 100
COVERED = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval. NaN where it cannot be measured."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: Doubles) -> Self:
        """The mean of draws, and where 95 % of them lie."""
        return cls(float(draws.mean()), *_middle(draws))


@dataclass(frozen=True)
class Difference(Estimate):
    """One contender minus another, on the same draws."""

    @property
    def is_better(self) -> bool:
        """The whole interval lies above 0."""
        return self.low > 0

    @property
    def is_worse(self) -> bool:
        return self.high < 0

    @property
    def least_seen(self) -> float:
        """The power of the comparison: a difference smaller than this could not have been told from none."""
        return self.value - self.low

    @property
    def least_loss_seen(self) -> float:
        """A loss smaller than this could not have been told from none."""
        return self.high - self.value


@dataclass(frozen=True)
class Bootstrap:
    """How often accounts are drawn with replacement, and by which seed."""

    repeats: int = 500
    seed: int = 0

    def draws(self, accounts: int) -> Iterator[NDArray[np.uint8]]:
        """How often each account was drawn (accounts,), once per repeat."""
        random = np.random.default_rng(self.seed)
        for _ in range(self.repeats):
            drawn = random.integers(0, accounts, accounts, np.int32) if accounts else np.empty(0, np.int32)
            yield np.bincount(drawn, minlength=accounts).astype(np.uint8)


@dataclass(frozen=True)
class Draws:
    """A metric of C contenders as measured (C,), and on every draw (repeats, C)."""

    names: tuple[str, ...]
    value: Doubles
    drawn: Doubles

    def estimate(self, name: str) -> Estimate:
        i = self.names.index(name)
        return Estimate(float(self.value[i]), *_middle(self.drawn[:, i]))

    def difference(self, a: str, b: str) -> Difference:
        """`a` minus `b`."""
        i, j = self.names.index(a), self.names.index(b)
        return Difference(float(self.value[i] - self.value[j]), *_middle(self.drawn[:, i] - self.drawn[:, j]))


def draw(
    labels: ScoredLabels,
    names: Sequence[str],
    metric: Metric,
    reviews: int = REVIEWS,
    bootstrap: Bootstrap = Bootstrap(),
) -> Draws:
    """A metric of some contenders. `precision`, `recall` and `caught` depend on the budget of `reviews` a day."""
    statistics = [_statistic(labels, name, metric, reviews) for name in names]
    return _measure(labels, names, statistics, bootstrap)


def draw_recalls(
    labels: ScoredLabels,
    names: Sequence[str],
    groups: Mapping[str, Flags],
    reviews: int = REVIEWS,
    bootstrap: Bootstrap = Bootstrap(),
) -> dict[str, Draws]:
    """Recall among the accounts of each group, under the budget of all.

    A group is a mask of bad user-days (n,). An account belongs to it if one of its days does.
    """
    queues = [labels.queue(labels.scores[name]) for name in names]
    members = [np.unique(labels.account[is_in]) for is_in in groups.values()]

    def recalls(copies: Copies) -> Doubles:
        catches = [queue.catch(reviews, copies) for queue in queues]
        return np.array([[catch.recall_among(accounts) for catch in catches] for accounts in members], np.float64)

    accounts = int(labels.account.max(initial=-1)) + 1
    value = recalls(np.ones(accounts, np.uint8))
    drawn = np.array([recalls(copies) for copies in bootstrap.draws(accounts)])
    drawn = drawn.reshape(bootstrap.repeats, len(members), len(names))
    return {group: Draws(tuple(names), value[g], drawn[:, g]) for g, group in enumerate(groups)}


def _measure(
    labels: ScoredLabels, names: Sequence[str], statistics: Sequence[Statistic], bootstrap: Bootstrap
) -> Draws:
    accounts = int(labels.account.max(initial=-1)) + 1
    stands_for = labels.copies

    def measure(drawn: NDArray[np.uint8]) -> Doubles:
        copies: Copies = drawn if stands_for is None else drawn * stands_for
        return np.array([statistic(copies) for statistic in statistics], np.float64)

    value = measure(np.ones(accounts, np.uint8))
    drawn = np.array([measure(copies) for copies in bootstrap.draws(accounts)])
    return Draws(tuple(names), value, drawn.reshape(bootstrap.repeats, len(names)))


def _statistic(labels: ScoredLabels, name: str, metric: Metric, reviews: int) -> Statistic:
    score = labels.scores[name]
    if metric == "average_precision":
        return AveragePrecision.of(score, labels.is_bad, labels.account)
    if metric == "roc_auc":
        return AreaUnderRoc.of(score, labels.is_bad, labels.account)
    queue, part = labels.queue(score), _PARTS[metric]
    return lambda copies: part(queue.catch(reviews, copies))


_PARTS: dict[str, Callable[[Catch], float]] = {
    "precision": lambda catch: catch.precision,
    "recall": lambda catch: catch.recall,
    "caught": lambda catch: catch.total,
}


def _middle(draws: Doubles) -> tuple[float, float]:
    measured = draws[~np.isnan(draws)]
    if not len(measured):
        return float("nan"), float("nan")
    low, high = np.quantile(measured, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return float(low), float(high)
