"""Walk-forward scores of a base model: each block is scored by a model fitted on earlier blocks."""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Doubles, Ints
from pipeline.errors import InputError
from pipeline.models.base import Learner, Scorer
from pipeline.models.samples import Samples
from pipeline.train.clocks import AT_ONCE, LabelClock
from pipeline.train.known_labels import as_known
from pipeline.train.splits import blocks_of

BLOCKS = 2  # a network is fitted once for each block, and once on all days
STOP_SHARE = 0.2  # of the days learned from: the last ones are for early stopping


@dataclass(frozen=True)
class FitOptions:
    seed: int
    threads: int
    progress: bool = False
    clock: LabelClock = AT_ONCE


@dataclass(frozen=True)
class WalkForward:
    """`scores` (n,) are NaN before the first scored block, and where too few days came before a block."""

    scores: Doubles
    early: Scorer | None  # scored the last block, and has not learned from it
    final: Scorer  # fitted on all days


def fit_base_model(base_model: Learner, samples: Samples, options: FitOptions) -> Scorer:
    """Fit on the earlier days; the last fifth is for early stopping. Raises InputError with too few days."""
    days = np.unique(samples.windows.day)
    first_stop = days[-max(1, round(len(days) * STOP_SHARE))]
    is_stop = samples.windows.day >= first_stop
    learn, stop = samples.take(~is_stop), samples.take(is_stop)
    return base_model.fit(learn, stop, options.seed, options.threads, options.progress)


def walk_forward(base_model: Learner, samples: Samples, since: int, options: FitOptions) -> WalkForward:
    """Score the days from `since` on, block by block. Raises InputError if even all of `samples` is too little.

    Each fit learns from labels known before its block.
    """
    day = samples.windows.day
    block: Ints = np.where(day < since, -1, blocks_of(day, BLOCKS, since))
    scores = np.full(len(samples), np.nan)
    early = None
    for b in range(int(block.max(initial=-1)) + 1):
        here = samples.take(block == b)
        morning = int(here.windows.day.min())
        before = as_known(samples.take(day < morning - options.clock.wait_days), morning, options.clock)
        try:
            early = fit_base_model(base_model, before, options)
        except InputError:
            continue
        scores[block == b] = early.score(here, options.threads)
    return WalkForward(scores, early, fit_base_model(base_model, samples, options))
