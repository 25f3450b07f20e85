"""What an arm says of days it has not learned from: forward in time, as it will be used."""

from collections.abc import Mapping

import numpy as np

from pipeline.errors import InputError
from pipeline.models.arms import Arm, Scorer
from pipeline.models.samples import Doubles, Flags, Samples
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
    arm: Arm, seen: Samples, since: int, seed: int, threads: int, progress: bool
) -> tuple[Doubles, Scorer | None, Scorer]:
    """The arm's score of each user-day from the day `since` on by what it learned from the days before its block; the
    arm that scored the last block, and the one fitted on all of `seen`. NaN on the days before, and where there was too
    little to learn from. Raises InputError where all of `seen` is too little."""
    day = seen.windows.day
    block: Ints = np.where(day < since, -1, blocks_of(day, CUTS, since))
    column = np.full(len(seen), np.nan)
    scorer = None
    for b in range(int(block.max(initial=-1)) + 1):
        here = seen.take(block == b)
        before = seen.take(day < here.windows.day.min())
        try:
            scorer = fit_arm(arm, before, seed, threads, progress)
        except InputError:
            continue
        column[block == b] = scorer.score(here, threads)
    return column, scorer, fit_arm(arm, seen, seed, threads, progress)


def known_since(columns: Mapping[str, Doubles], is_known: Flags) -> dict[str, Doubles]:
    """Columns of some user-days as columns of all (n,), NaN for the others: an arm says nothing of days it learned
    from, where it would look surer than it is."""
    found = {name: np.full(len(is_known), np.nan) for name in columns}
    for name, column in columns.items():
        found[name][is_known] = column
    return found
