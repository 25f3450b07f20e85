"""User-days as numbers: days since 1970, and one sortable key per user and day."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Ints

DAY_US = 86_400_000_000
EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def user_day_key(user: NDArray[np.integer], day: NDArray[np.integer]) -> Ints:
    """One whole number per user-day, ordered by user, then by day (since 1970-01-01)."""
    return user.astype(np.int64) * 2**20 + day


def places_of(wanted: Ints, keys: Ints) -> Ints:
    """The place of each of `wanted` in `keys`, -1 where it is missing. Neither needs to be sorted."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    order = np.argsort(keys, kind="stable")
    place = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    return np.where(keys[place] == wanted, place, -1)
