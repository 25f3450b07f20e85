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

    `wait_days`: days younger than this are not learned from. `reported`: share of the bad days that are ever labelled.

    Recent labels are incomplete, so a known bad user-day is up-weighted by 1 / known.
    Chapelle, "Modeling delayed feedback in display advertising", KDD 2014, in its plainest form.
    """

    known: tuple[float, ...]
    wait_days: int = 0
    reported: float = 1.0

    @classmethod
    def of(cls, bad: pa.Table, until: date, delay_days: int, learn_at: float = 1.0, reported: float = 1.0) -> Self:
        """Measured on bad user-days that have matured by `until`. With fewer than 50, 0 before the delay.

        A day is learned from once the share `learn_at` of its labels should be known.
        """
        day, known_day = (
            bad.column(name).cast(pa.date32(), safe=False).cast(pa.int32()).to_numpy()
            for name in ("event_day", "known_at")
        )
        matured = day <= day_number(until - timedelta(days=delay_days))
        age = known_day[matured] - day[matured]
        if len(age) < FEWEST:
            return cls((0.0,) * delay_days + (1.0,), delay_days, reported)
        share = np.cumsum(np.bincount(np.clip(age, 0, delay_days), minlength=delay_days + 1)) / len(age)
        known = (*share[:delay_days].tolist(), 1.0)
        return cls(known, next(age for age, part in enumerate(known) if part >= learn_at), reported)

    def weight(self, age: NDArray[np.integer]) -> Doubles:
        """Weight of known bad user-days of these ages in days."""
        known = np.array(self.known)[np.clip(age, 0, len(self.known) - 1)]
        weight: Doubles = 1 / np.maximum(known, 1e-9)
        return weight


AT_ONCE = LabelClock((1.0,))
