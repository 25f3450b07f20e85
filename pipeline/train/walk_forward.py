"""Walk-forward scores of a base model: a block is scored by fits on earlier days, each for one half of the accounts.

| before `since` | block 0 | block 1 |    split in time
  A ------------> B                        the accounts of B, by what those of A did; and the other way round
  A <-----------> B                        the days before too
  A ----------------------> B
"""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Doubles, Ints
from pipeline.errors import InputError
from pipeline.models.base import Learner, Scorer
from pipeline.models.base.halves import Halves
from pipeline.models.samples import Samples
from pipeline.models.tokens.windows import HALVES
from pipeline.train.clocks import AT_ONCE, LabelClock
from pipeline.train.known_labels import as_known
from pipeline.train.splits import blocks_of

BLOCKS = 2  # a network is fitted for each block, and on all days; each time once for each half of the accounts
STOP_SHARE = 0.2  # of the days learned from: the last ones are for early stopping


@dataclass(frozen=True)
class FitOptions:
    seed: int
    threads: int
    progress: bool = False
    clock: LabelClock = AT_ONCE


@dataclass(frozen=True)
class WalkForward:
    """`scores` (n,) are of fits that had not seen the account. From the day `judged_from` on they look back only."""

    scores: Doubles
    judged_from: int
    early: Halves  # scored the last block, and has not learned from it
    final: Halves  # fitted on all days


def fit_base_model(base_model: Learner, samples: Samples, options: FitOptions) -> Scorer:
    """Fit on the earlier days; the last fifth is for early stopping. Raises InputError with too few days."""
    days = np.unique(samples.windows.day)
    if not len(days):
        raise InputError("no day to learn from", fix="train until a later day")
    first_stop = days[-max(1, round(len(days) * STOP_SHARE))]
    is_stop = samples.windows.day >= first_stop
    learn, stop = samples.take(~is_stop), samples.take(is_stop)
    return base_model.fit(learn, stop, options.seed, options.threads, options.progress)


def fit_halves(base_model: Learner, samples: Samples, options: FitOptions) -> Halves:
    """One fit for each half of the accounts, on the other half. Raises InputError if one half is too little."""
    half = samples.sequences.half
    try:
        fits = [fit_base_model(base_model, samples.take(half != scored), options) for scored in range(HALVES)]
    except InputError as error:
        raise InputError(
            f"one half of the accounts is too little: {error.problem}", *error.found, fix=error.fix
        ) from error
    return Halves(tuple(fits))


def walk_forward(base_model: Learner, samples: Samples, since: int, options: FitOptions) -> WalkForward:
    """Score every user-day. Raises InputError if no block has enough before it.

    The days from `since` on are blocks, and each fit learns from labels known before its block. A block with too little
    before it is scored by the next block's fits, and so are the days before `since`: by what other accounts did later.
    That is good enough to learn from, and too good to be judged.
    """
    day = samples.windows.day
    block: Ints = np.where(day < since, -1, blocks_of(day, BLOCKS, since))
    scores = np.full(len(samples), np.nan)
    mornings: list[int] = []  # of the blocks that are scored
    early, problem = None, InputError("no day to judge a base model by")
    for b in range(int(block.max(initial=-1)) + 1):
        morning = int(day[block == b].min())
        before = as_known(samples.take(day < morning - options.clock.wait_days), morning, options.clock)
        try:
            early = fit_halves(base_model, before, options)
        except InputError as error:
            problem = error  # the fits of an earlier block stay
        if early is not None:
            here = np.isnan(scores) & (block <= b)
            scores[here] = early.score(samples.take(here), options.threads)
            mornings.append(morning)
    if early is None:
        raise problem
    return WalkForward(scores, mornings[0], early, fit_halves(base_model, samples, options))
