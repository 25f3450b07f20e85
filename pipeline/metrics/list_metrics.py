"""The numbers by which two models are compared, and which a model card shows."""

from typing import Any

import numpy as np

from pipeline.arrays import Doubles
from pipeline.metrics.reliability import calibration_error
from pipeline.metrics.scored_labels import ScoredLabels


def list_metrics(labels: ScoredLabels, reported: Doubles, reviews: int = 100) -> dict[str, Any]:
    """Average precision, precision at `reviews` a day, calibration, and the random baseline of a ranking.

    `reported` is the probability of a bad label. It ranks as the risk does, and it is what labels can be compared
    with: the risk counts what nobody reports as well. Only the counts, if no user-day is bad.
    """
    counts = {"user_days": len(labels), "bad": int(labels.is_bad.sum())}
    if not counts["bad"]:
        return counts
    return {
        **counts,
        "average_precision": rounded(labels.average_precision(reported)),
        "precision_at_reviews": rounded(labels.catch(reported, reviews).precision),
        "reviews_per_day": reviews,
        "expected_calibration_error": rounded(calibration_error(reported, labels.is_bad, labels.weight), 5),
        "brier": rounded(float(np.average((reported - labels.is_bad) ** 2, weights=labels.weight)), 5),
        "baseline_random": rounded(float(np.average(labels.is_bad, weights=labels.weight))),
    }


def rounded(value: float, digits: int = 4) -> float | None:
    """None for what cannot be measured."""
    return round(float(value), digits) if np.isfinite(value) else None
