"""User-days to learn from or to score: everything a model may read, in one order."""

from dataclasses import dataclass, fields, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Doubles, Flags, Floats, Ints
from pipeline.errors import InputError
from pipeline.models.days import day_number, user_day_key
from pipeline.models.tokens.fields import Fields
from pipeline.models.tokens.windows import Sequences, Tokens, Windows

NEVER = np.int64(2**30)  # a day that does not come
LAST = 2**20 - 1  # day that a key has room for


@dataclass(frozen=True)
class LabelledDays:
    """When user-days counted as bad, or as good, sorted by account and day. Days are counted since 1970."""

    user: Ints  # place in the tokens' users
    day: Ints
    known_day: Ints  # on which it became known
    cleared_day: Ints  # on which that was taken back, else NEVER
    source: NDArray[np.str_]  # of the label that made it known
    named_day: Ints  # on which a label named this very day, NEVER if only one of the account covers it

    @property
    def key(self) -> Ints:
        return user_day_key(self.user, self.day)

    def known_before(self, day: int) -> "LabelledDays":
        """Those that counted so on the morning of `day`."""
        return self.take((self.known_day < day) & (self.cleared_day >= day))

    def among(self, users: NDArray[np.integer]) -> "LabelledDays":
        return self.take(np.isin(self.user, users))

    def take(self, chosen: Flags | Ints) -> "LabelledDays":
        return LabelledDays(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def is_known(self, user: NDArray[np.integer], day: NDArray[np.integer]) -> Flags:
        """Whether each account (n,) was known to be bad when the day (n,) began. What was taken back by then is not."""

        def before(since: Ints) -> Ints:
            keys = np.sort(user_day_key(self.user, np.minimum(since, LAST)))
            return np.searchsorted(keys, user_day_key(user, day)) - np.searchsorted(keys, user_day_key(user, 0 * day))

        known: Flags = before(self.known_day) > before(self.cleared_day)
        return known

    def first_known_of(self, user: NDArray[np.integer]) -> Ints:
        """For each of `user` the day on which one of its days was first known, else NEVER."""
        first = np.full(max(int(part.max(initial=-1)) for part in (self.user, user)) + 1, NEVER)
        np.minimum.at(first, self.user, self.known_day)
        of_user: Ints = first[user]
        return of_user


@dataclass(frozen=True)
class Samples:
    """n user-days in the order of `windows`: their events, their features and their labels.

    Labels are those known when the samples were cut, never later ones. `weight` corrects for accounts that were not
    sampled, and for labels of recent days that are still to come.
    """

    tokens: Tokens
    fields: Fields
    windows: Windows
    columns: tuple[str, ...]  # names of the features
    rows: Floats  # (n, columns), NaN for unknown
    is_bad: Flags
    is_bad_account: Flags  # any day of the account is known bad
    weight: Doubles
    share: float = 1.0  # of ordinary accounts that were read
    is_certain: Flags | None = None  # accounts that were read whatever the share; None: the bad ones
    bad: LabelledDays | None = None  # of these accounts, with when it was known; None where labels have no clock
    good: LabelledDays | None = None  # somebody looked at the whole day and found nothing

    @classmethod
    def unlabelled(cls, sequences: Sequences, columns: tuple[str, ...], rows: Floats) -> "Samples":
        """User-days to score, without labels."""
        nobody = np.zeros(len(sequences), np.bool_)
        one_each = np.ones(len(sequences))
        return cls(sequences.tokens, sequences.fields, sequences.windows, columns, rows, nobody, nobody, one_each)

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def sequences(self) -> Sequences:
        """The same user-days as sequences of events only."""
        return Sequences(self.tokens, self.fields, self.windows)

    @property
    def stands_for(self) -> Doubles:
        """How many accounts each user-day's own represents (n,): 1 if bad, else its share of those left out too."""
        return np.where(self.is_bad_account if self.is_certain is None else self.is_certain, 1.0, 1.0 / self.share)

    def column(self, name: str) -> Doubles:
        """A feature (n,), NaN where it is unknown."""
        return self.rows[:, self.columns.index(name)].astype(np.float64)

    def features(self, known_in: "Samples | None" = None) -> dict[str, Floats]:
        """The features by name (n,), without those that are null for everybody in `known_in`, by default here."""
        has_value = np.isfinite(np.nanmax((known_in or self).rows, axis=0, initial=-np.inf))
        return {name: self.rows[:, i] for i, name in enumerate(self.columns) if has_value[i]}

    def take(self, chosen: Flags | Ints) -> "Samples":
        """The user-days of a mask, or of positions in their order."""
        return replace(
            self,
            windows=self.windows.take(chosen),
            rows=self.rows[chosen],
            is_bad=self.is_bad[chosen],
            is_bad_account=self.is_bad_account[chosen],
            weight=self.weight[chosen],
            is_certain=None if self.is_certain is None else self.is_certain[chosen],
        )

    def between(self, first: date, last: date) -> "Samples":
        """The user-days of the days `first`..`last`."""
        day = self.windows.day
        return self.take((day >= day_number(first)) & (day <= day_number(last)))

    def ordinary(self) -> "Samples":
        """User-days of accounts not known to be bad: what models without labels learn from.

        Raises InputError if there is none.
        """
        ordinary = self.take(~self.is_bad_account)
        if not len(ordinary):
            raise InputError("no ordinary user-days to learn from", fix="train until a later day")
        return ordinary
