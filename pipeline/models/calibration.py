"""From a stacker's score to a risk that means what it says."""

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pipeline.files import read_model, write_json

Doubles = NDArray[np.float64]


class Calibration(BaseModel):
    """Platt scaling: risk = sigmoid(slope * logit(score) + intercept); the slope is positive, so ranks are kept.

    Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slope: float = Field(gt=0)
    intercept: float

    @classmethod
    def fit(cls, score: Doubles, is_bad: NDArray[np.bool_], weight: Doubles) -> Self:
        """From days later than those the score was trained on. Falls back to leaving scores alone."""
        from sklearn.linear_model import LogisticRegression

        if is_bad.all() or not is_bad.any():
            return cls(slope=1.0, intercept=0.0)
        # Platt's targets, not quite 0 and 1: a few days that happen to part good from bad cleanly make nobody certain.
        bad, good = float(weight[is_bad].sum()), float(weight[~is_bad].sum())
        target = np.where(is_bad, (bad + 1) / (bad + 2), 1 / (good + 2))
        line = LogisticRegression(C=1e6).fit(
            np.tile(_logit(score), 2)[:, None],
            np.repeat([True, False], len(score)),
            sample_weight=np.concatenate([weight * target, weight * (1 - target)]),
        )
        slope = float(line.coef_[0, 0])
        return cls(slope=slope, intercept=float(line.intercept_[0])) if slope > 0 else cls(slope=1.0, intercept=0.0)

    def risk(self, score: Doubles) -> Doubles:
        odds = np.clip(self.slope * _logit(score) + self.intercept, -700, 700)  # exp knows no more
        value: Doubles = 1 / (1 + np.exp(-odds))
        return value

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump())

    @classmethod
    def load(cls, path: Path) -> Self:
        return read_model(path, cls)


def _logit(score: Doubles) -> Doubles:
    kept = np.clip(score, 1e-7, 1 - 1e-7)
    value: Doubles = np.log(kept / (1 - kept))
    return value
