"""What an arm says of days it has not learned from: forward in time, as it will be used."""

import numpy as np

from pipeline.errors import InputError
from pipeline.models.arms import Arm, Scorer
from pipeline.models.samples import Doubles, Samples
from pipeline.models.windows import Ints
from pipeline.train.cuts import blocks_of

CUTS = 2  # forward in time: a network is fitted once for each, and once on all
STOP_SHARE = 0.2  # of the days an arm learns from: the last ones decide when it stops


def fit_arm(arm: Arm, known: Samples, seed: int, threads: int, progress: bool) -> Scorer:
    """Learn from the earlier user-days of `known`, and stop by its last days. Raises InputError with too few."""
    days = np.unique(known.windows.day)
    first_stop = days[-max(1, round(len(days) * STOP_SHARE))]
    is_stop = known.windows.day >= first_stop
    return arm.fit(known.take(~is_stop), known.take(is_stop), seed, threads, progress)


def forward_column(
    arm: Arm, known: Samples, seen: Samples, seed: int, threads: int, progress: bool
) -> tuple[Doubles, Scorer]:
    """The arm's score of each user-day of `seen` by what it learned from the days before its block, and the arm
    fitted on all of `known`. NaN where there was too little to learn from."""
    block: Ints = blocks_of(seen.windows.day, CUTS)
    column = np.full(len(seen), np.nan)
    for b in np.unique(block):
        here = seen.take(block == b)
        before = known.take(known.windows.day < here.windows.day.min())
        try:
            column[block == b] = fit_arm(arm, before, seed, threads, progress).score(here, threads)
        except InputError:
            continue
    return column, fit_arm(arm, known, seed, threads, progress)
