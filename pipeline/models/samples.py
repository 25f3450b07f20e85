"""User-days to learn from or to judge: all that any model may look at, in one order."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pipeline.models.fields import Fields
from pipeline.models.windows import Ints, Tokens, Windows, day_number

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Samples:
    """n user-days in the order of `windows`: their events, their features, and what is known of them.

    What is known was known when the samples were cut, never later. `weight` undoes the sampling of accounts, and that
    labels of young days are still to come.
    """

    tokens: Tokens
    fields: Fields
    windows: Windows
    columns: tuple[str, ...]  # names of the features
    rows: NDArray[np.float32]  # (n, columns), NaN for not known
    is_bad: Flags
    is_bad_account: Flags  # any day of the account known bad
    weight: Doubles
    share: float = 1.0  # of ordinary accounts that were read

    @classmethod
    def unlabelled(
        cls, tokens: Tokens, fields: Fields, windows: Windows, columns: tuple[str, ...], rows: NDArray[np.float32]
    ) -> "Samples":
        """User-days to score: nothing is known of them."""
        nobody = np.zeros(len(windows), np.bool_)
        return cls(tokens, fields, windows, columns, rows, nobody, nobody, np.ones(len(windows)))

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def stands_for(self) -> Doubles:
        """How many accounts each user-day's own stands for (n,): itself if bad, as many as were left out if not."""
        return np.where(self.is_bad_account, 1.0, 1.0 / self.share)

    def column(self, name: str) -> Doubles:
        """A feature (n,), NaN where it is not known."""
        return self.rows[:, self.columns.index(name)].astype(np.float64)

    def features(self, known_in: "Samples | None" = None) -> dict[str, NDArray[np.float32]]:
        """The features by name (n,), without those that are known of nobody in `known_in`, or else here."""
        known = np.isfinite(np.nanmax((known_in or self).rows, axis=0, initial=-np.inf))
        return {name: self.rows[:, i] for i, name in enumerate(self.columns) if known[i]}

    def take(self, chosen: Flags | Ints) -> "Samples":
        """The user-days of a mask, or of positions in their order."""
        return replace(
            self,
            windows=self.windows.take(chosen),
            rows=self.rows[chosen],
            is_bad=self.is_bad[chosen],
            is_bad_account=self.is_bad_account[chosen],
            weight=self.weight[chosen],
        )

    def between(self, first: date, last: date) -> "Samples":
        """The user-days of the days `first`..`last`."""
        day = self.windows.day
        return self.take((day >= day_number(first)) & (day <= day_number(last)))
