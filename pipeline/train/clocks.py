"""Labels arrive late: verdicts within days, chargebacks within weeks. How much of a day is known by now?"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrays import Doubles
from pipeline.models.days import day_number

FEWEST = 50  # matured bad user-days needed to measure how fast labels arrive


@dataclass(frozen=True)
class LabelClock:
    """`known[age]`: share of a day's bad labels that have arrived `age` days later; 1 from the label delay on.

    Recent labels are incomplete, so a known bad user-day is up-weighted by 1 / known.
    Chapelle, "Modeling delayed feedback in display advertising", KDD 2014, in its plainest form.
    """

    known: tuple[float, ...]

    @classmethod
    def of(cls, bad: pa.Table, until: date, delay_days: int) -> Self:
        """Measured on bad user-days that have matured by `until`. With fewer than 50, 0 before the delay."""
        day, known = (
            bad.column(name).cast(pa.date32(), safe=False).cast(pa.int32()).to_numpy()
            for name in ("event_day", "known_at")
        )
        matured = day <= day_number(until - timedelta(days=delay_days))
        age = known[matured] - day[matured]
        if len(age) < FEWEST:
            return cls((0.0,) * delay_days + (1.0,))
        share = np.cumsum(np.bincount(np.clip(age, 0, delay_days), minlength=delay_days + 1)) / len(age)
        return cls((*share[:delay_days].tolist(), 1.0))

    def days_until(self, share: float) -> int:
        """Age in days at which at least this share of a day's bad labels has arrived."""
        return next(age for age, known in enumerate(self.known) if known >= share)

    def weight(self, age: NDArray[np.integer]) -> Doubles:
        """Weight of known bad user-days of these ages in days."""
        known = np.array(self.known)[np.clip(age, 0, len(self.known) - 1)]
        weight: Doubles = 1 / np.maximum(known, 1e-9)
        return weight
