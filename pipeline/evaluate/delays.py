"""How long abuse goes on before a list names it, with what was never named kept in."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Delays:
    """The Kaplan-Meier curve: from `hours[i]` on, a share `undetected[i]` has not been detected yet.

    Kaplan and Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958).
    """

    hours: Doubles  # rising, where something was detected
    undetected: Doubles

    @classmethod
    def of(cls, hours: Doubles, is_detected: Flags) -> Self:
        """From each case's hours to detection, or, where not detected, to when it was last looked for.

        A case lost sight of at the very hour another is detected counts as still looked for.
        """
        moments, detected = np.unique(hours[is_detected], return_counts=True)
        looked_for = len(hours) - np.searchsorted(np.sort(hours), moments, side="left")
        left = np.cumprod(1 - detected / looked_for)
        return cls(moments.astype(np.float64), left.astype(np.float64))

    def within(self, hours: float) -> float:
        """Share detected no later than that."""
        place = int(np.searchsorted(self.hours, hours, side="right"))
        return 0.0 if place == 0 else float(1 - self.undetected[place - 1])

    @property
    def median(self) -> float | None:
        """Hours by which half is detected. None if that is never seen."""
        reached = np.flatnonzero(self.undetected <= 0.5 + 1e-12)
        return float(self.hours[reached[0]]) if len(reached) else None
