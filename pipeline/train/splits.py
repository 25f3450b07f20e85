"""Splits in time: which model learns from which days."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Ints

FIRST_SHARE = 0.25  # of the days: no model is judged on them, so that each has some to learn from
STOP_SHARE = 0.2  # of the days: the last ones, by which the autoencoders stop
QUIET_DAYS = 28  # the last ones, on which ordinary surprise is measured
BLOCKS = 4  # of the days after the first quarter, for walk-forward scores
FEWEST_MATURED, FEWEST_STACKED = 10, 5  # days


@dataclass(frozen=True)
class Split:
    """First and last days of each part, inclusive. Without labels there is no stacker, and its days are not used."""

    first: date  # the autoencoders learn, and the stacker
    last: date  # the autoencoders' last day
    stop_first: date  # early stopping of the autoencoders, each by accounts it does not learn from
    quiet_first: date  # ordinary surprise is measured, on such accounts too
    stack_first: date  # base models are judged from here on
    holdout_first: date  # the last block: an early version, which has not learned from it, is measured on it
    stack_last: date
    has_labels: bool


def split_days(days: list[date], until: date, label_delay_days: int, bad_days: Sequence[date], needed: int) -> Split:
    """Split the active `days`, which are in order. `bad_days` has the day of each known bad user-day.

    A stacker needs `needed` bad user-days, half of them after the first quarter of the days.
    """
    matured = [day for day in days if day <= until - timedelta(days=label_delay_days)]
    stack = [day for day in matured if day > days[max(1, round(len(days) * FIRST_SHARE)) - 1]]
    block = blocks_of(np.arange(len(stack)))
    split = Split(
        first=days[0],
        last=days[-1],
        stop_first=days[-max(1, round(len(days) * STOP_SHARE))],
        quiet_first=max(days[0], until - timedelta(days=QUIET_DAYS - 1)),
        stack_first=stack[0] if stack else days[-1],
        holdout_first=next((day for day, b in zip(stack, block, strict=True) if b == block[-1]), days[-1]),
        stack_last=matured[-1] if matured else days[0],
        has_labels=False,
    )
    usable = [day for day in bad_days if split.first <= day <= split.stack_last]
    later = [day for day in usable if day >= split.stack_first]
    has_days = len(matured) >= FEWEST_MATURED and len(stack) >= FEWEST_STACKED
    has_bad_days = len(usable) >= needed and len(later) >= needed / 2 and min(usable) < split.holdout_first
    return replace(split, has_labels=has_days and has_bad_days)


def blocks_of(day: NDArray[np.integer], n: int = BLOCKS, since: int | None = None) -> Ints:
    """The block of each user-day, from 0: about as many days in each, and no day in two.

    Days before `since` are in block 0.
    """
    days = np.unique(day if since is None else day[day >= since])
    block: Ints = np.searchsorted(days, day) * min(n, len(days)) // max(len(days), 1)
    return block
