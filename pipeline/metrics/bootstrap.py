"""How sure a number is: bootstrap over accounts, since days of one account say little more than one of them.

Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979); percentile intervals. Rows are
sorted once; a draw is how often each account was drawn, and only weighs them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.judged import Judged
from pipeline.evaluate.reviews import Queue, accounts_of

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int32]
Copies = NDArray[np.uint8] | Doubles  # how often each account was drawn, times what it stands for
Metric = Literal["average_precision", "precision", "recall", "caught", "roc_auc"]

REVIEWS = 100
COVERED = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number and where 95 % of its draws lie. NaN where there is nothing to measure it by."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, drawn: Doubles) -> Self:
        """Of a number that is its draws: their mean, and where 95 % of them lie."""
        return cls(float(drawn.mean()), *_middle(drawn))


@dataclass(frozen=True)
class Difference(Estimate):
    """Of one contender and another, drawn together."""

    @property
    def is_better(self) -> bool:
        """The first is, and it is not chance: the whole interval lies above 0."""
        return self.low > 0

    @property
    def is_worse(self) -> bool:
        return self.high < 0


def paired(
    judged: Judged,
    a: str,
    b: str,
    metric: Metric,
    repeats: int = 500,
    seed: int = 0,
    reviews: int = REVIEWS,
    stands_for: Doubles | None = None,
) -> Difference:
    """`a` minus `b`, both on the same draws of accounts; `reviews` a day is the budget where the metric has one."""
    value, drawn = draw(judged, [a, b], metric, repeats, seed, reviews, stands_for)
    return difference(value, drawn, 0, 1)


def draw(
    judged: Judged,
    names: Sequence[str],
    metric: Metric,
    repeats: int = 500,
    seed: int = 0,
    reviews: int = REVIEWS,
    stands_for: Doubles | None = None,
) -> tuple[Doubles, Doubles]:
    """Of C contenders the metric as it is (C,) and on each draw of accounts (repeats, C).

    `precision`: caught accounts per review, `reviews` on each day; `recall`: share of the bad accounts that is caught;
    `caught`: their number; the others know no budget. Of a sample, `stands_for` (n,) says how many accounts that of
    each user-day is; each of them takes a review of its own.
    """
    account = accounts_of(judged.user)
    statistics = [_statistic(judged, name, account, metric, reviews) for name in names]
    bad = np.unique(account[judged.is_bad])
    days = len(np.unique(judged.day))
    accounts = int(account.max(initial=-1)) + 1
    stood_for: Any = 1
    if stands_for is not None and np.any(stands_for != 1):
        stood_for = np.ones(accounts)
        stood_for[account] = stands_for

    def measure(drawn: NDArray[np.uint8]) -> Doubles:
        copies: Copies = drawn * stood_for
        found = np.array([statistic(copies) for statistic in statistics], np.float64)
        if metric == "precision":
            return found / (reviews * days) if days else found * np.nan
        if metric == "recall":
            of = float(copies[bad].sum(dtype=np.float64))
            return found / of if of else found * np.nan
        return found

    value = measure(np.ones(accounts, np.uint8))
    drawn = np.array([measure(copies) for copies in _draws(accounts, repeats, seed)])
    return value, drawn.reshape(repeats, len(names))


def draw_recalls(
    judged: Judged,
    names: Sequence[str],
    groups: Mapping[str, Flags],
    repeats: int = 500,
    seed: int = 0,
    reviews: int = REVIEWS,
) -> dict[str, tuple[Doubles, Doubles]]:
    """By group, as of `draw`: the share of its accounts that is caught under the budget of all.

    A group is a mask of bad user-days (n,); an account is in it if one of its days is.
    """
    account = accounts_of(judged.user)
    queues = [Queue.of(judged.scores[name], judged.is_bad, judged.day, account) for name in names]
    members = [np.unique(account[is_in]) for is_in in groups.values()]
    accounts = int(account.max(initial=-1)) + 1

    def measure(copies: NDArray[np.uint8]) -> Doubles:
        caught = np.array([queue.caught(copies, reviews) for queue in queues])  # (C, accounts)
        found = np.full((len(members), len(names)), np.nan)
        for g, those in enumerate(members):
            if drawn := float(copies[those].sum(dtype=np.float64)):
                found[g] = caught[:, those].sum(axis=1) / drawn
        return found

    value = measure(np.ones(accounts, np.uint8))
    drawn = np.array([measure(copies) for copies in _draws(accounts, repeats, seed)])
    drawn = drawn.reshape(repeats, len(members), len(names))
    return {group: (value[g], drawn[:, g]) for g, group in enumerate(groups)}


def estimate(value: Doubles, drawn: Doubles, i: int) -> Estimate:
    """Of contender `i` of a `draw`."""
    return Estimate(float(value[i]), *_middle(drawn[:, i]))


def difference(value: Doubles, drawn: Doubles, a: int, b: int) -> Difference:
    """Of contenders `a` and `b` of a `draw`."""
    return Difference(float(value[a] - value[b]), *_middle(drawn[:, a] - drawn[:, b]))


def average_precision(score: Doubles, is_bad: Flags, weight: NDArray[np.generic] | None = None) -> float:
    """scikit-learn's average precision, of weighted rows; unknown scores (NaN) are lowest. NaN without anything bad."""
    rows = np.arange(len(score), dtype=np.int32)
    return _AveragePrecision.of(score, is_bad, rows)(np.ones(len(score), np.uint8) if weight is None else weight)


def average_precision_interval(
    score: Doubles, is_bad: Flags, account: Ints, repeats: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Where 95 % of the average precisions lie when accounts are drawn again with replacement."""
    place = accounts_of(account)
    statistic = _AveragePrecision.of(score, is_bad, place)
    draws = _draws(int(place.max(initial=-1)) + 1, repeats, seed)
    return _middle(np.array([statistic(copies) for copies in draws]))


def _draws(accounts: int, repeats: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    random = np.random.default_rng(seed)
    for _ in range(repeats):
        drawn = random.integers(0, accounts, accounts, np.int32) if accounts else np.empty(0, np.int32)
        yield np.bincount(drawn, minlength=accounts).astype(np.uint8)


def _middle(drawn: Doubles) -> tuple[float, float]:
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return float(low), float(high)


def _statistic(judged: Judged, name: str, account: Ints, metric: Metric, reviews: int) -> Callable[[Copies], float]:
    score = judged.scores[name]
    if metric == "average_precision":
        return _AveragePrecision.of(score, judged.is_bad, account)
    if metric == "roc_auc":
        return _AreaUnderRoc.of(score, judged.is_bad, account)
    queue = Queue.of(score, judged.is_bad, judged.day, account)
    return lambda copies: float(queue.caught(copies, reviews).sum())


def _levels(score: Doubles) -> tuple[NDArray[np.int64], Ints]:
    """Rows from the highest score down, and of each place its level of equal scores, from 0 up; unknown is lowest."""
    known = np.where(np.isnan(score), -np.inf, score)
    order: NDArray[np.int64] = np.argsort(-known, kind="stable")
    ranked = known[order]
    return order, np.cumsum(np.append(False, ranked[1:] != ranked[:-1]), dtype=np.int32)[: len(ranked)]


@dataclass(frozen=True)
class _AveragePrecision:
    """Rows from the highest score down to the lowest bad one, cut where a level of equal scores with bad ones ends."""

    account: Ints
    starts: NDArray[np.int64]  # each stretch ends with such a level
    bad_account: Ints
    bad_starts: NDArray[np.int64]  # of the same levels, among the bad

    @classmethod
    def of(cls, score: Doubles, is_bad: Flags, account: Ints) -> "_AveragePrecision":
        order, level = _levels(score)
        bad = np.flatnonzero(is_bad[order])
        if not len(bad):
            return cls(account[:0], bad, account[:0], bad)
        bad_starts = np.flatnonzero(np.append(True, np.diff(level[bad]) != 0))
        ends = np.searchsorted(level, level[bad[bad_starts]], side="right")
        ranked_account = account[order]
        return cls(ranked_account[: ends[-1]], np.append(0, ends[:-1]), ranked_account[bad], bad_starts)

    def __call__(self, weight: NDArray[np.generic]) -> float:
        """Precision at each level of score, weighted by what of the bad it adds."""
        if not len(self.bad_account):
            return float("nan")
        kind = np.int32 if weight.dtype.kind in "ui" else np.float64
        seen = np.cumsum(np.add.reduceat(weight[self.account], self.starts, dtype=kind))
        added = np.add.reduceat(weight[self.bad_account], self.bad_starts, dtype=kind)
        bad = np.cumsum(added)
        if bad[-1] == 0:
            return float("nan")
        precision = np.divide(bad, seen, out=np.zeros(len(bad)), where=seen > 0)
        return float(added @ precision / bad[-1])


@dataclass(frozen=True)
class _AreaUnderRoc:
    """How often a bad row stands above an ordinary one, of all such pairs; equal scores count half."""

    account: Ints
    is_bad: Flags
    starts: NDArray[np.int64]  # of each level, from the highest score down

    @classmethod
    def of(cls, score: Doubles, is_bad: Flags, account: Ints) -> "_AreaUnderRoc":
        order, level = _levels(score)
        return cls(account[order], is_bad[order], np.flatnonzero(np.diff(level, prepend=-1)))

    def __call__(self, weight: NDArray[np.generic]) -> float:
        drawn = weight[self.account]
        seen, bad = (np.add.reduceat(rows, self.starts, dtype=np.float64) for rows in (drawn, drawn * self.is_bad))
        ordinary = seen - bad
        pairs = bad.sum() * ordinary.sum()
        below = ordinary.sum() - np.cumsum(ordinary) + ordinary / 2
        return float(bad @ below / pairs) if pairs else float("nan")
