"""Labels have clocks: verdicts come within days, chargebacks within weeks. How much of a day is known by now?"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.models.days import day_number

Doubles = NDArray[np.float64]
FEWEST = 50  # matured bad user-days it takes to know how fast labels come


@dataclass(frozen=True)
class LabelClock:
    """`known[age]` is the share of bad user-days known by the end of the day `age` days later; 1 from the delay on.

    A bad user-day that is known early stands for others of its age that are not: it weighs 1 / known.
    Chapelle, "Modeling delayed feedback in display advertising", KDD 2014, in its plainest form.
    """

    known: tuple[float, ...]

    @classmethod
    def of(cls, bad: pa.Table, until: date, delay_days: int) -> Self:
        """From user-days that have matured by `until`; with fewer than 50 of them nothing is known before the delay."""
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
        """How old a day is when at least this share of its bad user-days is known."""
        return next(age for age, known in enumerate(self.known) if known >= share)

    def weight(self, age: NDArray[np.integer]) -> Doubles:
        """Of known bad user-days of these ages in days."""
        known = np.array(self.known)[np.clip(age, 0, len(self.known) - 1)]
        weight: Doubles = 1 / np.maximum(known, 1e-9)
        return weight
