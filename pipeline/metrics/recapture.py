"""How many there are in all, from two lists that name some of them: the more they share, the fewer are missing."""

from dataclasses import dataclass
from typing import Self

import numpy as np

LEAST_BOTH = 7  # with fewer on both lists Chapman's estimate is biased
QUANTILE = 1.645  # of the normal distribution: a 90 % interval


@dataclass(frozen=True)
class Recapture:
    """Of all bad accounts, the share that two sources name together, with its 90 % interval.

    It assumes that the sources are independent. Where both find the same accounts easily, the share is too high.
    """

    first: str
    second: str
    named_by_first: int
    named_by_second: int
    both: int
    in_all: float  # bad accounts, estimated
    share: float
    low: float
    high: float

    @classmethod
    def of(cls, sources: tuple[str, str], named_by_first: int, named_by_second: int, both: int) -> Self | None:
        """Chapman's estimate (1951) with Chao's interval. None if fewer than LEAST_BOTH are named by both.

        Chao, "Estimating the population size for capture-recapture data with unequal catchability", Biometrics (1987).
        """
        if both < LEAST_BOTH:
            return None
        n, m, k = named_by_first, named_by_second, both
        named = n + m - k
        in_all = (n + 1) * (m + 1) / (k + 1) - 1
        missing = in_all - named
        variance = (n + 1) * (m + 1) * (n - k) * (m - k) / ((k + 1) ** 2 * (k + 2))
        spread = float(np.exp(QUANTILE * np.sqrt(np.log1p(variance / missing**2)))) if missing > 0 else 1.0
        low, high = named + missing / spread, named + missing * spread
        return cls(*sources, n, m, k, in_all, named / in_all, named / high, named / low)
