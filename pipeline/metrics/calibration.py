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
    place = _places(risk, np.ones(len(risk)), bins)
    counts, promised, bad = (np.bincount(place, weights) for weights in (None, risk, is_bad))
    return [Bin(int(n), float(p / n), float(b / n)) for n, p, b in zip(counts, promised, bad, strict=True) if n]


def calibration_error(risk: Doubles, is_bad: Flags, weight: Doubles | None = None, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal weight: how far found is from promised. NaN of none.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI (2015).
    """
    if not len(risk):
        return float("nan")
    weight = np.ones(len(risk)) if weight is None else weight
    place = _places(risk, weight, bins)
    return float(np.abs(np.bincount(place, weight * (risk - is_bad))).sum() / weight.sum())


def calibration_error_by_chance(risk: Doubles, draws: int = 200, seed: int = 0) -> Doubles:
    """The calibration error (draws,) that these risks would show if every one of them were true: bad is drawn by them.

    Even true risks show some, the more the fewer user-days there are, and more still where days of one account go
    together, which is not drawn here. Brocker and Smith, "Increasing the reliability of
    reliability diagrams", Weather and Forecasting 22 (2007).
    """
    if not len(risk):
        return np.full(draws, np.nan)
    random, place = np.random.default_rng(seed), _places(risk, np.ones(len(risk)), BINS)
    drawn = (risk - (random.random(len(risk)) < risk) for _ in range(draws))
    return np.array([np.abs(np.bincount(place, off)).sum() / len(risk) for off in drawn])


def _places(risk: Doubles, weight: Doubles, bins: int) -> NDArray[np.int64]:
    """The bin of each user-day, from 0 at the lowest risk up; equal risks share one."""
    _, level = np.unique(risk, return_inverse=True)
    heavy = np.bincount(level, weight)
    middle = np.cumsum(heavy) - heavy / 2  # of what a level weighs
    place: NDArray[np.int64] = np.floor(middle * bins / heavy.sum()).astype(np.int64)[level]
    return place


def wrong_shares(risk: Doubles, is_bad: Flags, is_reviewed: Flags) -> tuple[float, float]:
    """Of what is reviewed, the share that is wrong as the risk promises it and as it was found. NaN without any."""
    if not is_reviewed.any():
        return float("nan"), float("nan")
    return float(1 - risk[is_reviewed].mean()), float(1 - is_bad[is_reviewed].mean())
