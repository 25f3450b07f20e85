"""User-days to learn from, without a lake: rows, days and labels, and no event anybody looks at."""

import numpy as np
import pyarrow as pa

from pipeline.models.samples import Samples
from pipeline.models.tokens.fields import CategoricalField, Fields
from pipeline.models.tokens.windows import Tokens, Windows

FIELDS = Fields(categorical=(CategoricalField(name="event_type", values=("browse",)),), numeric=())
FIRST_DAY = 20_000


def user_days(rows, is_bad, n_users=200, n_days=20, columns=None):
    """`n_users` on each of `n_days`, one event each; `rows` (n, columns) and `is_bad` (n,) in the order of days."""
    n = n_users * n_days
    user, day = np.tile(np.arange(n_users), n_days), np.repeat(np.arange(n_days), n_users) + FIRST_DAY
    place = np.arange(n, dtype=np.int64)
    tokens = Tokens(
        users=pa.array([f"u{k:04d}" for k in range(n_users)]),
        user=user.astype(np.int32),
        at=day.astype(np.int64) * 86_400_000_000,
        codes=np.full((n, 1), 2, np.uint8),
        numbers=np.empty((n, 0), np.float32),
    )
    windows = Windows(user.astype(np.int32), day.astype(np.int32), place, place, place, place + 1)
    names = columns or tuple(f"column_{i}" for i in range(rows.shape[1]))
    is_bad_account = np.isin(user, np.unique(user[is_bad]))
    return Samples(tokens, FIELDS, windows, names, rows.astype(np.float32), is_bad, is_bad_account, np.ones(n))
