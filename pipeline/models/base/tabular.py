"""Feature columns in comparable units, learned from ordinary user-days."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.arrays import Doubles
from pipeline.errors import InputError
from pipeline.models.samples import Samples

LEAST_SPREAD = 0.1  # of a signed logarithm: a column that hardly ever moves must not drown the others
MAX_ROWS = 200_000  # quantiles of more rows are the same


class Scale(BaseModel):
    """Median and robust standard deviation of each column's signed logarithm."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    columns: tuple[str, ...]
    medians: tuple[float, ...]
    spreads: tuple[float, ...]

    @classmethod
    def of(cls, samples: Samples, columns: Sequence[str]) -> Self:
        """Columns that are null for everybody are left out."""
        rows = _signed_log(samples, columns)[:: max(1, -(-len(samples) // MAX_ROWS))]
        filled = [i for i in range(len(columns)) if not np.isnan(rows[:, i]).all()]
        low, first, median, third, high = (
            np.nanquantile(rows[:, filled], [0.05, 0.25, 0.5, 0.75, 0.95], axis=0) if filled else np.empty((5, 0))
        )
        spread = np.maximum(np.maximum((third - first) / 1.349, (high - low) / 3.290), LEAST_SPREAD)
        return cls(
            columns=tuple(columns[i] for i in filled), medians=tuple(median.tolist()), spreads=tuple(spread.tolist())
        )

    def apply(self, samples: Samples) -> Doubles:
        """(n, columns) in robust units, 0 (the median) for unknown. Raises InputError if a column is missing."""
        scaled = (_signed_log(samples, self.columns) - np.array(self.medians)) / np.array(self.spreads)
        return np.where(np.isnan(scaled), 0.0, scaled)


def _signed_log(samples: Samples, columns: Sequence[str]) -> Doubles:
    missing = sorted(set(columns) - set(samples.columns))
    if missing:
        raise InputError(
            "features the base model was trained on are missing", ", ".join(missing), fix="dawnlist features"
        )
    rows = samples.rows[:, [samples.columns.index(name) for name in columns]].astype(np.float64)
    logs: Doubles = np.sign(rows) * np.log1p(np.abs(rows))
    return logs
