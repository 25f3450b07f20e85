"""Whether a risk means what it says: of user-days with a risk of 0.3, three in ten are bad."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

BINS = 20


@dataclass(frozen=True)
class Bin:
    """User-days of about the same risk."""

    user_days: int
    promised: float  # mean risk
    found: float  # share that is bad


def reliability(risk: Doubles, is_bad: Flags, bins: int = BINS) -> list[Bin]:
    """Bins of equally many user-days, from the lowest risk up. Equal risks share a bin, so there may be fewer."""
    if not len(risk):
        return []
    _, level, user_days = np.unique(risk, return_inverse=True, return_counts=True)
    middle = np.cumsum(user_days) - user_days / 2  # of the places that a level takes
    place = np.floor(middle * bins / len(risk)).astype(np.int64)[level]
    counts, promised, bad = (np.bincount(place, weights) for weights in (None, risk, is_bad))
    return [Bin(int(n), float(p / n), float(b / n)) for n, p, b in zip(counts, promised, bad, strict=True) if n]


def calibration_error(risk: Doubles, is_bad: Flags, bins: int = BINS) -> float:
    """Expected calibration error over bins of equally many user-days: how far found is from promised. NaN of none.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI (2015).
    """
    found = reliability(risk, is_bad, bins)
    gaps = sum(abs(each.promised - each.found) * each.user_days for each in found)
    return gaps / len(risk) if found else float("nan")


def wrong_shares(risk: Doubles, is_bad: Flags, is_reviewed: Flags) -> tuple[float, float]:
    """Of what is reviewed, the share that is wrong as the risk promises it and as it was found. NaN without any."""
    if not is_reviewed.any():
        return float("nan"), float("nan")
    return float(1 - risk[is_reviewed].mean()), float(1 - is_bad[is_reviewed].mean())
