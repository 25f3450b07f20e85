"""Periods: the days that one list is about. Periods of seven days begin on a Monday and end on a Sunday."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

BEGINNING = date(1970, 1, 5)  # a Monday: a period of any length begins here


@dataclass(frozen=True)
class Period:
    """The days `first` to `last`, both included. Its list is made once `last` is over."""

    first: date
    last: date

    @classmethod
    def of(cls, day: date, every: int) -> Self:
        """The period of `every` days that holds `day`."""
        first = day - timedelta(days=(day - BEGINNING).days % every)
        return cls(first, first + timedelta(days=every - 1))

    @classmethod
    def ended_by(cls, day: date, every: int) -> Self:
        """The newest period of `every` days that is over at the end of `day`."""
        return cls.of(day - timedelta(days=every - 1), every)

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def __str__(self) -> str:
        return str(self.last) if self.first == self.last else f"{self.first} to {self.last}"
