"""Detection delay: how long abuse goes on before a list names the account. Undetected cases are censored."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from pipeline.arrays import Codes, Doubles, Flags
from pipeline.metrics.scored_labels import ScoredLabels

LIST_HOURS = 28.0  # from a day's start to its list: 04:00 UTC of the next day


@dataclass(frozen=True)
class Delays:
    """The Kaplan-Meier curve: from `hours[i]` on, a share `undetected[i]` is still undetected.

    Kaplan and Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958).
    """

    hours: Doubles  # rising; only those with a detection
    undetected: Doubles

    @classmethod
    def of(cls, hours: Doubles, is_detected: Flags) -> Self:
        """From each case's hours to detection, or to censoring if it was not detected.

        A case censored at the hour of a detection still counts as observed then.
        """
        moments, detected = np.unique(hours[is_detected], return_counts=True)
        observed = len(hours) - np.searchsorted(np.sort(hours), moments, side="left")
        left = np.cumprod(1 - detected / observed)
        return cls(moments.astype(np.float64), left.astype(np.float64))

    def within(self, hours: float) -> float:
        """Share detected within so many hours."""
        place = int(np.searchsorted(self.hours, hours, side="right"))
        return 0.0 if place == 0 else float(1 - self.undetected[place - 1])

    @property
    def median(self) -> float | None:
        """Hours until half is detected. None if that never happens."""
        reached = np.flatnonzero(self.undetected <= 0.5 + 1e-12)
        return float(self.hours[reached[0]]) if len(reached) else None


@dataclass(frozen=True)
class Cases:
    """Accounts whose first bad event is in the test. `hours` run from it to detection, or to censoring."""

    user: Codes
    hours: Doubles
    is_detected: Flags

    def among(self, user: Codes) -> Self:
        chosen = np.isin(self.user, user)
        return replace(self, user=self.user[chosen], hours=self.hours[chosen], is_detected=self.is_detected[chosen])

    def within(self, hours: float) -> float | None:
        """Share detected within so many hours. None without cases."""
        return self.delays.within(hours) if len(self.user) else None

    @property
    def delays(self) -> Delays:
        return Delays.of(self.hours, self.is_detected)


def detection_cases(labels: ScoredLabels, is_caught: Flags, reported_at: Doubles | None = None) -> Cases:
    """The cases of a test, given which user-days were caught (n,).

    Undetected cases are censored at the last list, or when a label reported the account: `reported_at` (n,) in hours
    since 1970, NaN if never. Abuse that began before the test is left out: its undetected part is a biased sample.
    """
    user, rows = np.unique(labels.user[labels.is_bad], return_index=True)
    rows = np.flatnonzero(labels.is_bad)[rows]
    began = labels.first_bad_at[rows]
    last = labels.day.max(initial=0) * 24.0 + LIST_HOURS
    until = np.full(len(user), last) if reported_at is None else np.fmin(reported_at[rows], last)
    caught, first = _first_days(labels.user[is_caught], labels.day[is_caught])
    is_detected = np.isin(user, caught)
    until[is_detected] = first[np.searchsorted(caught, user[is_detected])] * 24.0 + LIST_HOURS
    chosen = began >= labels.day.min(initial=np.iinfo(np.int32).max) * 24.0
    return Cases(user[chosen], np.maximum(until - began, 0)[chosen], is_detected[chosen])


def _first_days(user: Codes, day: Codes) -> tuple[Codes, Codes]:
    """Each user once, with the first day."""
    order = np.lexsort((day, user))
    users, places = np.unique(user[order], return_index=True)
    return users, day[order][places]
