"""What is rehearsed: the shop, the weeks, the reviewers, and the ways of working that are set side by side."""

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from pipeline.errors import UsageError

WEEK = 7
LEAST_WARM_UP = 28  # days before the first list


@dataclass(frozen=True)
class Way:
    """A way of working. Without verdicts the shop's own reports are all that is learned from.

    Where crews read the lists, they avoid what the reasons name, so the shop becomes another one.
    """

    name: str
    has_verdicts: bool
    audit_share: float
    crews_read_lists: bool = False

    @property
    def slug(self) -> str:
        return self.name.replace(",", "").replace(" ", "_")


@dataclass(frozen=True)
class Plan:
    """`capacity`: accounts reviewed a day. `error`: share of verdicts that are wrong. `delay`: days until a verdict."""

    weeks: int = 12
    warm_up: int = 56
    users: int = 4000
    seed: int = 7
    bad_share: float = 0.01
    first_day: date = date(2026, 3, 2)
    capacity: int = 40
    error: float = 0.05
    delay: int = 1
    audit_share: float = 0.05

    def __post_init__(self) -> None:
        rules = {
            "weeks": 1 <= self.weeks <= 52,
            "warm_up": self.warm_up >= LEAST_WARM_UP,
            "users": self.users >= 300,
            "capacity": self.capacity >= 1,
            "error": 0 <= self.error < 0.5,
            "delay": 0 <= self.delay <= 28,
            "audit_share": 0 <= self.audit_share <= 0.5,
        }
        if wrong := [name for name, holds in rules.items() if not holds]:
            raise UsageError(
                f"this cannot be rehearsed: {', '.join(f'{name} {getattr(self, name)}' for name in wrong)}",
                fix=f"weeks 1 to 52, warm_up at least {LEAST_WARM_UP} days, users at least 300, capacity at least 1, "
                "error below 0.5, delay 0 to 28, audit_share 0 to 0.5",
            )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "first_day": str(self.first_day), "ways": [way.name for way in self.ways]}

    @property
    def days(self) -> int:
        return self.warm_up + self.weeks * WEEK

    @property
    def shop(self) -> dict[str, Any]:
        """Settings of the simulated shop."""
        return {name: getattr(self, name) for name in ("users", "seed", "first_day", "bad_share")}

    @property
    def past_days(self) -> list[date]:
        return [self.first_day + timedelta(days=n) for n in range(self.warm_up)]

    @property
    def listed_days(self) -> list[date]:
        return [self.first_day + timedelta(days=n) for n in range(self.warm_up, self.days)]

    @property
    def ways(self) -> list[Way]:
        return [
            Way("reports only", False, self.audit_share),
            Way("verdicts, no audit rows", True, 0.0),
            Way("verdicts and audit rows", True, self.audit_share),
            Way("verdicts and audit rows, crews read the lists", True, self.audit_share, crews_read_lists=True),
        ]
