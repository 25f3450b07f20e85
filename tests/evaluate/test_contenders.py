"""Baselines are single features, and an unknown value never puts a user-day on top."""

import numpy as np
from user_days import user_days

from pipeline.metrics.scored_labels import ScoredLabels


def test_a_user_day_without_a_feature_comes_last_by_most_and_by_least():
    is_bad = np.array([False, True, False, False])
    samples = user_days(np.array([[3.0], [np.nan], [-2.0], [1.0]]), is_bad, n_users=4, n_days=1)
    score = samples.column("column_0")
    labels = ScoredLabels.of(samples.windows.user, samples.windows.day, is_bad)
    for sign, first in ((1, 0), (-1, 2)):
        queue = labels.queue(sign * score)
        assert not queue.reviewed(3)[1]
        assert queue.reviewed(1)[first]
