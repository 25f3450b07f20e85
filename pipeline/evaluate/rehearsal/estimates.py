"""Numbers that a rehearsal can only estimate, with 90 % intervals."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.arrays import Doubles
from pipeline.metrics.bootstrap import Bootstrap

COVERAGE = 0.9
TAIL = (1 - COVERAGE) / 2


@dataclass(frozen=True)
class Estimate:
    """A number with its 90 % interval. `high` is None where there is no upper limit."""

    value: float | None
    low: float
    high: float | None

    def covers(self, true: float) -> bool:
        return self.low <= true and (self.high is None or true <= self.high)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def weighted_count(weights: Sequence[float], largest: float) -> Estimate:
    """The sum of the weights of the events that were seen, where one that was not could weigh `largest`.

    Fay and Feuer's gamma interval (1997) for a weighted sum of Poisson counts. It holds for few events, and for none.
    """
    from scipy.stats import chi2

    found, variance = sum(weights), sum(weight**2 for weight in weights)
    low = variance / (2 * found) * chi2.ppf(TAIL, 2 * found**2 / variance) if found else 0.0
    found_next, variance_next = found + largest, variance + largest**2
    high = variance_next / (2 * found_next) * chi2.ppf(1 - TAIL, 2 * found_next**2 / variance_next)
    return Estimate(float(found), float(low), float(high))


def expected_to_found(expected: Doubles, found: Doubles) -> Estimate | None:
    """How many bad rows were expected for each that was found. Both are sums by account.

    Rows of one account are not independent, so accounts are drawn. None where nothing was expected.
    """
    if not expected.sum():
        return None
    draws = np.array(list(Bootstrap().draws(len(expected))), np.float64)
    low, high = np.quantile((draws @ found) / np.maximum(draws @ expected, 1e-9), [TAIL, 1 - TAIL])
    return Estimate(_inverse(found.sum() / expected.sum()), _inverse(high) or 0.0, _inverse(low))


def _inverse(ratio: float) -> float | None:
    return float(1 / ratio) if ratio else None
