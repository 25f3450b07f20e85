"""What a protocol hands to the referee: user-days of the test with their truth, and every contender's scores."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """n user-days of the test. Accounts known before a day are not among them.

    `scores` has each contender's, higher is riskier, NaN where it says nothing. Those named in `risks` are chances
    of being bad, and are judged as such too.
    """

    user: NDArray[np.int32]
    day: NDArray[np.int32]  # days since 1970-01-01
    is_bad: Flags
    typology: NDArray[np.object_]  # of bad user-days a name, else None
    is_new: Flags  # the account was not seen in training
    first_bad_at: NDArray[np.float64]  # hours since 1970 of the account's first bad event; NaN where none is bad
    scores: dict[str, Doubles]
    risks: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, user: NDArray[np.int32], day: NDArray[np.int32], is_bad: Flags, scores: Mapping[str, Doubles]
    ) -> "Judged":
        """User-days of which no more is known, or asked, than whether they are bad."""
        n = len(day)
        unnamed, never = np.full(n, None, object), np.full(n, np.nan)
        return cls(user, day, is_bad, unnamed, np.zeros(n, np.bool_), never, dict(scores))

    def __len__(self) -> int:
        return len(self.day)

    def take(self, chosen: Flags) -> "Judged":
        """The user-days of a mask."""
        return replace(
            self,
            user=self.user[chosen],
            day=self.day[chosen],
            is_bad=self.is_bad[chosen],
            typology=self.typology[chosen],
            is_new=self.is_new[chosen],
            first_bad_at=self.first_bad_at[chosen],
            scores={name: score[chosen] for name, score in self.scores.items()},
        )
