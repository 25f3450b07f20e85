"""Who would be reviewed on each day, and who is caught: an account caught leaves the days after it."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int32]


def reviewed_rows(score: Doubles, is_bad: Flags, day: Ints, user: Ints, reviews: int) -> Flags:
    """Which user-days are among the `reviews` highest of their day, accounts caught on an earlier day left out.

    An account is caught where it is reviewed on a bad day. Equal scores are reviewed in the order of users; one that
    is not known (NaN) comes last.
    """
    caught: Ints = np.empty(0, user.dtype)
    reviewed: Flags = np.zeros(len(score), np.bool_)
    for today in np.unique(day):
        here = np.flatnonzero((day == today) & ~np.isin(user, caught))
        top = here[np.lexsort((user[here], -score[here]))][:reviews]
        reviewed[top] = True
        caught = np.concatenate([caught, user[top][is_bad[top]]])
    return reviewed


def recall_of_accounts(is_caught: Flags, is_bad: Flags, user: Ints) -> float:
    """Share of the accounts with a bad day of which one was caught. NaN without any."""
    bad = np.unique(user[is_bad])
    return float(np.isin(bad, user[is_caught & is_bad]).mean()) if len(bad) else float("nan")
