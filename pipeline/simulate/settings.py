"""The settings of a simulated shop, checked once."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.simulate.typologies import TYPOLOGIES

MOST_USERS = 5_000_000
FEWEST_USERS = 300  # fewer cannot fill ten kinds of rings
LOOK_ALIKES_PER_BAD = 4
WRONG_PER_BAD = 0.06  # wrongly reported user-days per bad user-day
LEAST_LOOK_ALIKE_SHARE = 0.02  # of user-days, however little abuse there is
LEAST_LOOK_ALIKES = 40  # accounts, so a small shop has some of every kind


@dataclass(frozen=True)
class ShopSettings:
    """One simulated shop. Equal settings make equal bytes; more days only add days.

    `intensity` (0 to 1) sets how many traits the abusers show. `typologies` are the ones that occur (empty: all).
    `lists` is a folder of published lists, which adaptive abusers read.
    """

    users: int = 20_000
    seed: int = 7
    first_day: date = date(2026, 6, 1)
    bad_share: float = 0.005
    quiet: bool = False
    intensity: float = 0.5
    typologies: tuple[str, ...] = ()
    lists: Path | None = None

    def __post_init__(self) -> None:
        wrong = []
        if not FEWEST_USERS <= self.users <= MOST_USERS:
            wrong.append(f"users: from {FEWEST_USERS} to {MOST_USERS:,}, got {self.users:,}")
        if not 0 <= self.seed < 2**63:
            wrong.append(f"seed: a whole number from 0, got {self.seed}")
        if not 0 <= self.bad_share <= 0.1:
            wrong.append(f"bad share: from 0 to 0.1, got {self.bad_share}")
        if not 0 <= self.intensity <= 1:
            wrong.append(f"intensity: from 0 to 1, got {self.intensity}")
        if not date(1995, 1, 1) <= self.first_day <= date(2100, 1, 1):
            wrong.append(f"first day: from 1995 to 2100, got {self.first_day}")
        if unknown := sorted(set(self.typologies) - set(TYPOLOGIES)):
            wrong.append(f"typologies: no {', '.join(unknown)}; there are {', '.join(TYPOLOGIES)}")
        if self.lists is not None and not self.lists.is_dir():
            wrong.append(f"lists: {self.lists} is not a folder")
        if wrong:
            raise UsageError("this shop cannot be simulated", *wrong, fix="correct these settings")

    @property
    def look_alike_share(self) -> float:
        """Share of user-days that are look-alikes: the same with and without abuse."""
        return max(LEAST_LOOK_ALIKE_SHARE, LEAST_LOOK_ALIKES / self.users, LOOK_ALIKES_PER_BAD * self.bad_share)

    @property
    def wrong_report_share(self) -> float:
        """Share of user-days that are reported wrongly: the same with and without abuse."""
        return WRONG_PER_BAD * max(self.bad_share, LEAST_LOOK_ALIKE_SHARE / LOOK_ALIKES_PER_BAD)

    def day(self, n: int) -> date:
        """The n-th day, from 0."""
        return self.first_day + timedelta(days=n)

    def midnight(self, n: int) -> datetime:
        """When the n-th day begins: UTC, without a zone."""
        return datetime.combine(self.day(n), datetime.min.time())
