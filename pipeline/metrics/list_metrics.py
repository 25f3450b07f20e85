"""How good a stacker is on days it has not learned from, with floors beside it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.reliability import calibration_error
from pipeline.evaluate.reviews import reviewed_rows

__all__ = ["calibration_error", "measure", "precision_at"]

Doubles = NDArray[np.float64]


def measure(
    risk: Doubles, is_bad: NDArray[np.bool_], day: NDArray[np.int32], user: NDArray[np.int32], reviews: int = 100
) -> dict[str, Any]:
    """Average precision, precision at `reviews` a day, calibration error, and the random floor.

    An account counts once: after a day on whose list it was found bad it takes no further review.
    """
    from sklearn.metrics import average_precision_score, brier_score_loss

    if not is_bad.any():
        return {"user_days": len(risk), "bad": 0}
    return {
        "user_days": len(risk),
        "bad": int(is_bad.sum()),
        "average_precision": round(float(average_precision_score(is_bad, risk)), 4),
        "precision_at_reviews": round(precision_at(risk, is_bad, day, user, reviews), 4),
        "reviews_per_day": reviews,
        "expected_calibration_error": round(calibration_error(risk, is_bad), 5),
        "brier": round(float(brier_score_loss(is_bad, np.clip(risk, 0, 1))), 5),
        "floor_random": round(float(is_bad.mean()), 4),
    }


def precision_at(
    risk: Doubles, is_bad: NDArray[np.bool_], day: NDArray[np.int32], user: NDArray[np.int32], reviews: int
) -> float:
    """Mean over days of the share of bad accounts among the `reviews` riskiest not caught on an earlier day.

    The card precision of the Fraud Detection Handbook, raised to user-days.
    """
    caught = reviewed_rows(risk, is_bad, day, user, reviews) & is_bad
    return float(caught.sum() / (reviews * len(np.unique(day))))
