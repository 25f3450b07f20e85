"""Whether one ranking is better than another, by what it catches on lists of a given length and by its precision."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from pipeline.arrays import Doubles, Ints
from pipeline.metrics.bootstrap import Bootstrap, Difference, draw
from pipeline.metrics.scored_labels import ScoredLabels

REPEATS = 500  # of the bootstrap
TOLERANCE = 1e-6  # of an account: sums are rounded


@dataclass(frozen=True)
class Lift:
    """One score minus another: bad accounts caught by lists of `length` accounts a day, and average precision."""

    length: int
    caught: Difference
    average_precision: Difference

    @property
    def is_better(self) -> bool:
        """Surely better by one of the two, and by neither surely worse."""
        return not self.is_worse and (self.caught.is_better or self.average_precision.is_better)

    @property
    def is_worse(self) -> bool:
        """Surely worse by one of the two."""
        return self.caught.is_worse or self.average_precision.is_worse

    @property
    def is_measured(self) -> bool:
        return bool(np.isfinite(self.average_precision.value))

    def __str__(self) -> str:
        """Both differences with their intervals, and how small a difference would have been seen."""
        if not self.is_measured:
            return "no bad account to compare by"
        caught, precise = self.caught, self.average_precision
        return (
            f"caught {_interval(caught, 1)} with {self.length:,} a day, average precision {_interval(precise, 3)}; "
            f"a lift of {caught.least_seen:.1f} or {precise.least_seen:.3f} would have been seen, "
            f"and a loss of {caught.least_loss_seen:.1f} or {precise.least_loss_seen:.3f}"
        )

    @classmethod
    def from_dict(cls, parts: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote."""
        return cls(parts["list_length"], *(_from_dict(parts[name]) for name in ("caught", "average_precision")))

    def to_dict(self) -> dict[str, float | dict[str, float | None]]:
        """Rounded; None for what cannot be measured. The least lift and loss: what the comparison could have seen."""
        return {
            "list_length": self.length,
            "caught": _to_dict(self.caught),
            "average_precision": _to_dict(self.average_precision),
        }


def compare(labels: ScoredLabels, score: str, over: str, length: int, seed: int) -> Lift:
    """`score` minus `over`, two names among the scores of `labels`, on the same draws of accounts."""
    names, bootstrap = (score, over), Bootstrap(REPEATS, seed)
    caught = draw(labels, names, "caught", length, bootstrap)
    precise = draw(labels, names, "average_precision", bootstrap=bootstrap)
    return Lift(length, caught.difference(*names), precise.difference(*names))


def list_length(labels: ScoredLabels, risk: Doubles, min_precision: float, list_size: int) -> int:
    """Accounts on a day's list, on average over the days. 0 if no day would list anybody, else at least 1.

    A list is the longest top with a mean risk of at least `min_precision`, of at most `list_size` accounts.
    """
    order = np.lexsort((-risk, labels.day))
    day, ranked = labels.day[order], risk[order]
    if not len(day):
        return 0
    accounts = np.ones(len(day)) if labels.stands_for is None else labels.stands_for[order]
    starts = np.flatnonzero(np.diff(day, prepend=day[0] - 1))
    spare = accounts * (ranked - min_precision)  # what accounts of high risk leave for others
    left = _sums_by_day(spare, starts) - spare
    with np.errstate(divide="ignore", invalid="ignore"):
        places = np.where(ranked >= min_precision, accounts, left / np.maximum(min_precision - ranked, 0))
    lengths = np.add.reduceat(np.clip(places, 0, accounts), starts)
    lengths = np.minimum(np.floor(lengths + TOLERANCE), list_size)
    return max(1, round(float(lengths.mean()))) if lengths.any() else 0


def _sums_by_day(column: Doubles, starts: Ints) -> Doubles:
    """Running sums that begin anew at each start."""
    sums = np.cumsum(column)
    before = np.append(0.0, sums)[starts]
    anew: Doubles = sums - np.repeat(before, np.diff(np.append(starts, len(column))))
    return anew


def _interval(difference: Difference, digits: int) -> str:
    value, low, high = (f"{number:+.{digits}f}" for number in (difference.value, difference.low, difference.high))
    return f"{value} ({low} to {high})"


def _from_dict(parts: Mapping[str, float | None]) -> Difference:
    value, low, high = (parts[name] for name in ("value", "low", "high"))
    return Difference(*(np.nan if number is None else number for number in (value, low, high)))


def _to_dict(difference: Difference) -> dict[str, float | None]:
    parts = {
        **asdict(difference),
        "least_seen": difference.least_seen,
        "least_loss_seen": difference.least_loss_seen,
    }
    return {name: round(value, 5) if np.isfinite(value) else None for name, value in parts.items()}
