"""Splits in time: which model learns from which days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Ints

LEARN_SHARE = 0.25  # of the days: the autoencoder's part when there are labels
LEARN_SHARE_ALONE = 0.8  # its part when there is no stacker
BLOCKS = 4  # of the days after the autoencoder's part, for walk-forward scores
FEWEST_MATURED, FEWEST_STACKED = 10, 5  # days


@dataclass(frozen=True)
class Split:
    """First and last days of each part, inclusive. Without labels there is no stacker, and its days are not used."""

    first: date
    last: date
    learn_first: date  # the autoencoder learns
    learn_last: date
    stop_first: date  # early stopping
    stop_last: date
    quiet_first: date  # ordinary surprise is measured
    quiet_last: date
    stack_first: date  # the stacker learns from `first` on, but reads base models only from here on
    holdout_first: date  # the last block: an early version, which has not learned from it, is measured on it
    stack_last: date
    has_labels: bool


def split_days(days: list[date], until: date, label_delay_days: int, bad_days: Sequence[date], needed: int) -> Split:
    """Split the active `days`, which are in order. `bad_days` has the day of each known bad user-day.

    A stacker needs `needed` bad user-days, half of them on days the autoencoder does not learn from. Otherwise the
    autoencoder learns from nearly all days.
    """
    matured = [day for day in days if day <= until - timedelta(days=label_delay_days)]
    split = _with_stacker(days, matured)
    if split is not None:
        usable = [day for day in bad_days if split.first <= day <= split.stack_last]
        later = [day for day in usable if day >= split.stack_first]
        if len(usable) >= needed and len(later) >= needed / 2 and min(usable) < split.holdout_first:
            return split
    return _without_stacker(days, matured)


def blocks_of(day: NDArray[np.integer], n: int = BLOCKS, since: int | None = None) -> Ints:
    """The block of each user-day, from 0: about as many days in each, and no day in two.

    Days before `since` are in block 0.
    """
    days = np.unique(day if since is None else day[day >= since])
    block: Ints = np.searchsorted(days, day) * min(n, len(days)) // max(len(days), 1)
    return block


def _with_stacker(days: list[date], matured: list[date]) -> Split | None:
    """None if too few matured days are left after the autoencoder's part."""
    learn = max(1, round(len(days) * LEARN_SHARE))
    stack = [day for day in matured if day > days[learn - 1]]
    if len(matured) < FEWEST_MATURED or len(stack) < FEWEST_STACKED:
        return None
    stop = stack[: max(1, len(stack) // 5)]
    block = blocks_of(np.arange(len(stack)))
    holdout = [day for day, b in zip(stack, block, strict=True) if b == block[-1]]
    return Split(
        first=days[0],
        last=days[-1],
        learn_first=days[0],
        learn_last=days[learn - 1],
        stop_first=stop[0],
        stop_last=stop[-1],
        quiet_first=stack[0],
        quiet_last=days[-1],
        stack_first=stack[0],
        holdout_first=holdout[0],
        stack_last=stack[-1],
        has_labels=True,
    )


def _without_stacker(days: list[date], matured: list[date]) -> Split:
    learn = min(max(1, round(len(days) * LEARN_SHARE_ALONE)), len(days) - 1)
    after = days[learn]
    return Split(
        first=days[0],
        last=days[-1],
        learn_first=days[0],
        learn_last=days[learn - 1],
        stop_first=after,
        stop_last=days[-1],
        quiet_first=after,
        quiet_last=days[-1],
        stack_first=after,
        holdout_first=days[-1],
        stack_last=matured[-1] if matured else days[0],
        has_labels=False,
    )
