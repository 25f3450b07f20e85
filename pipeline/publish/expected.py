"""How many accounts of a list are expected to be bad."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.arrays import Doubles

COVERAGE = 0.9  # the chance that the true number lies in the interval, if the risks are right
TOLERANCE = 1e-12  # of sums of chances
SOURCE = "the risks of the picked accounts, taken as independent; risks by the share that is reported"


@dataclass(frozen=True)
class BadCount:
    """The mean, and an interval with equal tails, of the number of bad accounts."""

    low: int
    mean: float
    high: int

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "coverage": COVERAGE, "from": SOURCE}


def expected_bad(risks: Sequence[float | None]) -> BadCount:
    """How many of these accounts are bad, with 90 % probability. An unknown risk counts as 0."""
    known = np.clip([risk or 0.0 for risk in risks], 0, 1)
    at_most = np.cumsum(count_chances(known))
    tail = (1 - COVERAGE) / 2
    low, high = np.searchsorted(at_most, [tail - TOLERANCE, 1 - tail - TOLERANCE])
    return BadCount(int(low), round(float(known.sum()), 6), int(high))


def count_chances(risks: Doubles) -> Doubles:
    """The chance of each number of bad accounts, from none to all: the Poisson-binomial distribution, exactly."""
    if len(risks) == 0:
        return np.ones(1)
    if len(risks) == 1:
        return np.array([1 - risks[0], risks[0]])
    half = len(risks) // 2
    chances: Doubles = np.convolve(count_chances(risks[:half]), count_chances(risks[half:]))
    return chances
