"""Floors are single features, and what is not known of a user-day never puts it on top."""

import numpy as np
from user_days import user_days

from pipeline.evaluate.reviews import reviewed_rows


def test_where_a_feature_is_not_known_a_user_day_comes_last_by_most_and_by_least():
    is_bad = np.array([False, True, False, False])
    samples = user_days(np.array([[3.0], [np.nan], [-2.0], [1.0]]), is_bad, n_users=4, n_days=1)
    score = samples.column("column_0")
    for sign, first in ((1, 0), (-1, 2)):
        top = reviewed_rows(sign * score, is_bad, samples.windows.day, samples.windows.user, 3)
        assert not top[1]
        assert reviewed_rows(sign * score, is_bad, samples.windows.day, samples.windows.user, 1)[first]
