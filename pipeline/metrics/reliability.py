"""Calibration: of user-days with a risk of 0.3, three in ten should be bad."""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Doubles, Flags, Ints

BINS = 20


@dataclass(frozen=True)
class Bin:
    """User-days of about the same risk."""

    user_days: int
    mean_risk: float
    bad_share: float


def reliability(risk: Doubles, is_bad: Flags, bins: int = BINS) -> list[Bin]:
    """Bins of equal size, lowest risk first. Equal risks share a bin, so there may be fewer than `bins`."""
    if not len(risk):
        return []
    place = _places(risk, np.ones(len(risk)), bins)
    counts, risks, bad = (np.bincount(place, weights) for weights in (None, risk, is_bad))
    return [Bin(int(n), float(r / n), float(b / n)) for n, r, b in zip(counts, risks, bad, strict=True) if n]


def calibration_error(risk: Doubles, is_bad: Flags, weight: Doubles | None = None, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal weight. NaN without user-days.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI (2015).
    """
    if not len(risk):
        return float("nan")
    weight = np.ones(len(risk)) if weight is None else weight
    place = _places(risk, weight, bins)
    return float(np.abs(np.bincount(place, weight * (risk - is_bad))).sum() / weight.sum())


def calibration_error_by_chance(risk: Doubles, draws: int = 200, seed: int = 0) -> Doubles:
    """Calibration errors (draws,) of perfectly calibrated risks: labels are drawn from the risks themselves.

    This is a lower bound. Days of one account are not independent, and that is not drawn here.
    Brocker and Smith, "Increasing the reliability of reliability diagrams", Weather and Forecasting 22 (2007).
    """
    if not len(risk):
        return np.full(draws, np.nan)
    random, place = np.random.default_rng(seed), _places(risk, np.ones(len(risk)), BINS)
    errors = (risk - (random.random(len(risk)) < risk) for _ in range(draws))
    return np.array([np.abs(np.bincount(place, error)).sum() / len(risk) for error in errors])


def expected_and_observed_precision(risk: Doubles, is_bad: Flags, is_reviewed: Flags) -> tuple[float, float]:
    """Of the reviewed user-days: the mean risk, and the share that is bad. NaN if none is reviewed."""
    if not is_reviewed.any():
        return float("nan"), float("nan")
    return float(risk[is_reviewed].mean()), float(is_bad[is_reviewed].mean())


def _places(risk: Doubles, weight: Doubles, bins: int) -> Ints:
    """The bin of each user-day, 0 for the lowest risks. Equal risks share one."""
    _, level = np.unique(risk, return_inverse=True)
    level_weight = np.bincount(level, weight)
    middle = np.cumsum(level_weight) - level_weight / 2
    place: Ints = np.floor(middle * bins / level_weight.sum()).astype(np.int64)[level]
    return place
