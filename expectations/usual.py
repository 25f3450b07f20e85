"""What was seen of one measure on comparable days, and how far a day may be from it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

FEWEST_DAYS = 3
WIDE = 4 * 1.4826  # four standard deviations, told from the median absolute deviation
BY_CHANCE = 3  # standard deviations of a Poisson count: a day leaves them by chance once in 700


def swing_of_users(users: float | None) -> float:
    """Logarithmic swing of the number of users by chance alone: four standard deviations."""
    return 4 / math.sqrt(users) if users else 0.0


def swing_of_events(users: float | None) -> float:
    """The same for their events: wider, as users bring uneven numbers of them."""
    return 6 / math.sqrt(users) if users else 0.0


def swing_of_share(users: float) -> float:
    """Swing of a share by chance alone: two standard deviations at most, as a user's events are alike."""
    return 1 / math.sqrt(max(users, 1))


@dataclass(frozen=True)
class Usual:
    """Median of a measure on the reference days, and its swing: robust, so one broken day among them is no harm.

    `swing` is in the measure's own unit, `log_swing` in its logarithm: the first for shares, the second for amounts.
    """

    median: float
    swing: float
    log_swing: float
    lowest: float
    days: int

    @classmethod
    def of(cls, values: Sequence[float | None], by_chance: float = 0) -> "Usual | None":
        """None where fewer than three days know the measure: nothing is usual yet.

        `by_chance`: the least logarithmic swing, for counts that few users make.
        """
        known = [value for value in values if value is not None]
        if len(known) < FEWEST_DAYS:
            return None
        middle = median(known)
        logs = [math.log(max(value, 1e-9)) for value in known]
        log_middle = median(logs)
        wide = WIDE * (1 + 2 / len(known))  # a few days that happen to agree prove little
        return cls(
            median=middle,
            swing=wide * median(abs(value - middle) for value in known),
            log_swing=max(by_chance, wide * median(abs(value - log_middle) for value in logs)),
            lowest=min(known),
            days=len(known),
        )

    def at_least(self, times: float) -> int:
        """The lowest believable count: `times` the median, or less where the measure swings more than that.

        A day at that level has a few less by chance. That matters to a small feed and to no other.
        """
        level = self.median * min(times, math.exp(-self.log_swing))
        return max(0, math.floor(level - BY_CHANCE * math.sqrt(level)))

    def at_most(self, times: float) -> int:
        """The highest believable count, likewise."""
        level = self.median * max(times, math.exp(self.log_swing))
        return math.ceil(level + BY_CHANCE * math.sqrt(level))

    def at_most_risen(self, rise: float) -> float:
        """The highest believable share: `rise` above the median, or more where the share swings more than that."""
        return self.median + max(rise, self.swing)

    def is_steady(self, times: float) -> bool:
        """Whether comparable days stay within a factor of `times`: only then can leaving it mean anything."""
        return self.median > 0 and self.log_swing <= math.log(times)
