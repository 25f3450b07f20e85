"""Ranking metrics of weighted rows: average precision and area under ROC.

Rows are sorted once; a call only weighs them, so a bootstrap costs no further sort. Unknown scores (NaN) rank last.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Codes, Doubles, Flags, Ints


def average_precision(score: Doubles, is_bad: Flags, weight: NDArray[np.generic] | None = None) -> float:
    """Same value as scikit-learn's `average_precision_score`. NaN without bad rows."""
    rows = np.arange(len(score), dtype=np.int32)
    return AveragePrecision.of(score, is_bad, rows)(np.ones(len(score), np.uint8) if weight is None else weight)


@dataclass(frozen=True)
class AveragePrecision:
    """Sorted rows, cut where a level of equal scores that holds bad rows ends. Rows below the last bad one are dropped.

    Call it with the weight of each account.
    """

    account: Codes
    starts: Ints  # each stretch ends with such a level
    bad_account: Codes
    bad_starts: Ints  # the same levels, among the bad rows

    @classmethod
    def of(cls, score: Doubles, is_bad: Flags, account: Codes) -> Self:
        order, level = _levels(score)
        bad = np.flatnonzero(is_bad[order])
        if not len(bad):
            return cls(account[:0], bad, account[:0], bad)
        bad_starts = np.flatnonzero(np.append(True, np.diff(level[bad]) != 0))
        ends = np.searchsorted(level, level[bad[bad_starts]], side="right")
        ranked_account = account[order]
        return cls(ranked_account[: ends[-1]], np.append(0, ends[:-1]), ranked_account[bad], bad_starts)

    def __call__(self, weight: NDArray[np.generic]) -> float:
        if not len(self.bad_account):
            return float("nan")
        kind = np.int32 if weight.dtype.kind in "ui" else np.float64
        ranked = np.cumsum(np.add.reduceat(weight[self.account], self.starts, dtype=kind))
        added = np.add.reduceat(weight[self.bad_account], self.bad_starts, dtype=kind)
        bad = np.cumsum(added)
        if bad[-1] == 0:
            return float("nan")
        precision = np.divide(bad, ranked, out=np.zeros(len(bad)), where=ranked > 0)
        return float(added @ precision / bad[-1])


@dataclass(frozen=True)
class AreaUnderRoc:
    """Chance that a bad row ranks above a good one; ties count half. Call it with the weight of each account."""

    account: Codes
    is_bad: Flags
    starts: Ints  # of each level of equal scores, highest first

    @classmethod
    def of(cls, score: Doubles, is_bad: Flags, account: Codes) -> Self:
        order, level = _levels(score)
        return cls(account[order], is_bad[order], np.flatnonzero(np.diff(level, prepend=-1)))

    def __call__(self, weight: NDArray[np.generic]) -> float:
        row_weight = weight[self.account]
        total, bad = (
            np.add.reduceat(rows, self.starts, dtype=np.float64) for rows in (row_weight, row_weight * self.is_bad)
        )
        good = total - bad
        pairs = bad.sum() * good.sum()
        below = good.sum() - np.cumsum(good) + good / 2
        return float(bad @ below / pairs) if pairs else float("nan")


def _levels(score: Doubles) -> tuple[Ints, Codes]:
    """Rows in descending order of score, and the level of equal scores each place has, from 0 up."""
    filled = np.where(np.isnan(score), -np.inf, score)
    order: Ints = np.argsort(-filled, kind="stable")
    ranked = filled[order]
    return order, np.cumsum(np.append(False, ranked[1:] != ranked[:-1]), dtype=np.int32)[: len(ranked)]
