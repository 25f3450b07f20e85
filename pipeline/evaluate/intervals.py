"""How sure a number is: bootstrap over accounts, since days of one account say little more than one of them."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


def average_precision(score: Doubles, is_bad: Flags, weight: Doubles | None = None) -> float:
    """scikit-learn's average precision, of weighted rows. NaN without anything bad."""
    order, ends = _levels(score)
    return _average_precision(order, ends, is_bad, np.ones(len(score)) if weight is None else weight)


def average_precision_interval(
    score: Doubles, is_bad: Flags, account: NDArray[np.int32], repeats: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Where 95 % of the average precisions lie when accounts are drawn again with replacement.

    Rows are sorted once; a draw only weighs each row by how often its account was drawn.
    """
    order, ends = _levels(score)
    _, place = np.unique(account, return_inverse=True)
    accounts = int(place.max(initial=-1)) + 1
    random = np.random.default_rng(seed)
    found = []
    for _ in range(repeats):
        drawn = np.bincount(random.integers(0, accounts, accounts), minlength=accounts)
        found.append(_average_precision(order, ends, is_bad, drawn[place].astype(np.float64)))
    low, high = np.nanquantile(found, [0.025, 0.975]) if not np.isnan(found).all() else (np.nan, np.nan)
    return float(low), float(high)


def _levels(score: Doubles) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows from the highest score down, and the last place of each run of equal scores."""
    order: NDArray[np.int64] = np.argsort(-score, kind="stable")
    ends: NDArray[np.int64] = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    return order, ends


def _average_precision(order: NDArray[np.int64], ends: NDArray[np.int64], is_bad: Flags, weight: Doubles) -> float:
    """Precision at each level of score, weighted by what of the bad it adds."""
    seen = np.cumsum(weight[order])[ends]
    bad = np.cumsum((weight * is_bad)[order])[ends]
    if not len(bad) or bad[-1] == 0:
        return float("nan")
    precision = np.divide(bad, seen, out=np.zeros_like(bad), where=seen > 0)
    return float(np.diff(bad, prepend=0.0) @ precision / bad[-1])
