"""The usual value of a measure on comparable days, and how far a day may be from it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

FEWEST_DAYS = 3
WIDE = 4 * 1.4826  # four standard deviations, estimated from the median absolute deviation
BY_CHANCE = 3  # standard deviations of a Poisson count: chance exceeds them on one day in 700


def swing_of_users(users: float | None) -> float:
    """Logarithmic swing of the number of users by chance alone: four standard deviations."""
    return 4 / math.sqrt(users) if users else 0.0


def swing_of_events(users: float | None) -> float:
    """The same for the number of events: wider, since users have uneven numbers of events."""
    return 6 / math.sqrt(users) if users else 0.0


def swing_of_share(users: float) -> float:
    """Swing of a share by chance alone: at most two standard deviations, since a user's events are alike."""
    return 1 / math.sqrt(max(users, 1))


@dataclass(frozen=True)
class Usual:
    """Median of a measure on comparable days, and its swing. Both are robust against one broken day.

    `swing` is in the measure's own unit, for shares; `log_swing` is in its logarithm, for amounts.
    """

    median: float
    swing: float
    log_swing: float
    lowest: float
    days: int

    @classmethod
    def of(cls, values: Sequence[float | None], by_chance: float = 0) -> "Usual | None":
        """None with the measure of fewer than three days.

        `by_chance`: the least logarithmic swing, for counts that few users make.
        """
        present = [value for value in values if value is not None]
        if len(present) < FEWEST_DAYS:
            return None
        middle = median(present)
        logs = [math.log(max(value, 1e-9)) for value in present]
        log_middle = median(logs)
        wide = WIDE * (1 + 2 / len(present))  # a few days may agree by chance
        return cls(
            median=middle,
            swing=wide * median(abs(value - middle) for value in present),
            log_swing=max(by_chance, wide * median(abs(value - log_middle) for value in logs)),
            lowest=min(present),
            days=len(present),
        )

    def at_least(self, times: float) -> int:
        """The lowest believable count: `times` the median, or less if the measure swings more.

        Chance may take a few more away, which matters to a small feed only.
        """
        level = self.median * min(times, math.exp(-self.log_swing))
        return max(0, math.floor(level - BY_CHANCE * math.sqrt(level)))

    def at_most(self, times: float) -> int:
        """The highest believable count, likewise."""
        level = self.median * max(times, math.exp(self.log_swing))
        return math.ceil(level + BY_CHANCE * math.sqrt(level))

    def at_most_risen(self, rise: float) -> float:
        """The highest believable share: `rise` above the median, or more if the share swings more."""
        return self.median + max(rise, self.swing)

    def is_steady(self, times: float) -> bool:
        """Whether comparable days stay within a factor of `times` of the median."""
        return self.median > 0 and self.log_swing <= math.log(times)
