"""How long abuse goes on before a list names it, with what was never named kept in."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.judged import Judged

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
ISSUED = 28.0  # hours from a day's start to its list: 04:00 UTC of the next


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


@dataclass(frozen=True)
class Cases:
    """Accounts whose first bad event is in the test: hours from it to the list that caught them, or to the last."""

    user: NDArray[np.int32]
    hours: Doubles
    is_detected: Flags

    def among(self, user: NDArray[np.int32]) -> Self:
        chosen = np.isin(self.user, user)
        return replace(self, user=self.user[chosen], hours=self.hours[chosen], is_detected=self.is_detected[chosen])

    def within(self, hours: float) -> float | None:
        """Share detected no later than that. None without any case."""
        return self.delays.within(hours) if len(self.user) else None

    @property
    def delays(self) -> Delays:
        return Delays.of(self.hours, self.is_detected)


def detection_cases(judged: Judged, is_caught: Flags, known_from: Doubles | None = None) -> Cases:
    """Cases of a test, given which user-days are reviewed and bad.

    Not caught: looked for until the last list, or until a label told, at `known_from` (n,), hours since 1970, NaN
    where none did. Abuse that began before the test is left out: who is still undetected then is no fair sample.
    """
    user, rows = np.unique(judged.user[judged.is_bad], return_index=True)
    rows = np.flatnonzero(judged.is_bad)[rows]
    began = judged.first_bad_at[rows]
    last = judged.day.max(initial=0) * 24.0 + ISSUED
    until = np.full(len(user), last) if known_from is None else np.fmin(known_from[rows], last)
    caught, first = _first_days(judged.user[is_caught], judged.day[is_caught])
    is_detected = np.isin(user, caught)
    until[is_detected] = first[np.searchsorted(caught, user[is_detected])] * 24.0 + ISSUED
    chosen = began >= judged.day.min(initial=np.iinfo(np.int32).max) * 24.0
    return Cases(user[chosen], np.maximum(until - began, 0)[chosen], is_detected[chosen])


def _first_days(user: NDArray[np.int32], day: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Each user once, with the first day."""
    order = np.lexsort((day, user))
    users, places = np.unique(user[order], return_index=True)
    return users, day[order][places]
