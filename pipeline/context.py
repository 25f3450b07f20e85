"""A run: its day, and what it may see. Every step receives this object."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.domain import Domain
from pipeline.errors import UsageError
from pipeline.period import Period
from pipeline.settings import Settings
from pipeline.storage.lake import end_of


@dataclass(frozen=True)
class Run:
    """What arrived after `as_of` does not exist. Findings named in `accept` may pass: a person has checked them."""

    settings: Settings
    domain: Domain
    day: date
    as_of: datetime
    accept: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        return self.settings.home

    @property
    def list_size(self) -> int:
        """Accounts the team can review per list."""
        return self.settings.list_size or self.domain.list_size

    @property
    def reviews_a_day(self) -> int:
        return self.domain.reviews_a_day(self.settings.list_size)

    @property
    def period(self) -> Period:
        """The days of the list that the run's day belongs to."""
        return Period.of(self.day, self.domain.list_every)

    @property
    def is_list_day(self) -> bool:
        return self.day == self.period.last

    @property
    def scored_days(self) -> list[date]:
        """The days whose scores the run needs: those of its list if it makes one, else its own."""
        return self.period.days if self.is_list_day else [self.day]

    @property
    def first_training_day(self) -> date:
        return self.day - timedelta(days=self.settings.train_days - 1)

    @classmethod
    def open(
        cls,
        *,
        day: date | str | None = None,
        as_of: datetime | str | None = None,
        accept: tuple[str, ...] | list[str] = (),
        **settings: Any,
    ) -> "Run":
        """Read the settings and the pack. By default `as_of` is now, and `day` the last day that had ended by then.

        Raises UsageError if `as_of` has no zone or is in the future, or if the day has not ended by then.
        """
        read = Settings.load(**settings)
        moment = _moment(as_of, read.clock())
        chosen = date.fromisoformat(day) if isinstance(day, str) else day or moment.date() - timedelta(days=1)
        if moment < end_of(chosen):
            raise UsageError(
                f"{chosen} is not over yet: it is {moment:%Y-%m-%d %H:%M} UTC",
                fix="choose an earlier day; days end at 00:00 UTC",
            )
        return cls(read, Domain.load(read.domain), chosen, moment, tuple(accept))


def _moment(given: datetime | str | None, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else given or now
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"as_of is not a time with a zone: {given}", fix="write it like 2026-11-22T04:00:00Z")
    if moment > now:
        raise UsageError(
            f"as_of {moment.isoformat()} is in the future", f"it is {now.isoformat()} now", fix="choose an earlier time"
        )
    return moment.astimezone(UTC)
