"""Cuts in time: which model learns from which days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cuts:
    """First and last days, inclusive, of each part. Without labels the stacker's part is empty of use."""

    first: date
    last: date
    learn_first: date  # the autoencoder learns
    learn_last: date
    stop_first: date  # and stops early by these
    stop_last: date
    quiet_first: date  # ordinary surprise is measured
    quiet_last: date
    stack_first: date  # the stacker learns from `first` on, but what the autoencoder says only from here on
    judge_first: date  # the last of its blocks: a version that has not learned from it decides about promotion
    stack_last: date
    has_labels: bool


LEARN_SHARE = 0.25  # of the days, where labels leave the rest to the stacker
LEARN_SHARE_ALONE = 0.8  # where there is no stacker
BLOCKS = 4  # of the days the autoencoder did not learn from, each scored by what was learned from those before it
FEWEST_MATURED, FEWEST_STACKED = 10, 5  # days


def cut(days: list[date], until: date, label_delay_days: int, bad_days: Sequence[date], needed: int) -> Cuts:
    """Cut the active `days` (in order). `bad_days` has the day of each user-day known bad, `needed` how many it takes.

    Without enough of them on the days a stacker would learn from, or half of that on those it would be judged by,
    there is none, and the autoencoder learns from nearly all days.
    """
    matured = [day for day in days if day <= until - timedelta(days=label_delay_days)]
    cuts = _with_stacker(days, matured)
    if cuts is not None:
        seen = [day for day in bad_days if cuts.first <= day <= cuts.stack_last]
        later = [day for day in seen if day >= cuts.stack_first]
        if len(seen) >= needed and len(later) >= needed / 2 and min(seen) < cuts.judge_first:
            return cuts
    return _without_stacker(days, matured)


def blocks_of(day: NDArray[np.integer], n: int = BLOCKS, since: int | None = None) -> NDArray[np.int64]:
    """The block of each user-day, from 0 on: about as many days in each, never a day in two.

    Days before `since` are in block 0 too.
    """
    days = np.unique(day if since is None else day[day >= since])
    block: NDArray[np.int64] = np.searchsorted(days, day) * min(n, len(days)) // max(len(days), 1)
    return block


def _with_stacker(days: list[date], matured: list[date]) -> Cuts | None:
    """None where too few matured days are left that the autoencoder did not learn from."""
    learn = max(1, round(len(days) * LEARN_SHARE))
    stack = [day for day in matured if day > days[learn - 1]]
    if len(matured) < FEWEST_MATURED or len(stack) < FEWEST_STACKED:
        return None
    stop = stack[: max(1, len(stack) // 5)]
    block = blocks_of(np.arange(len(stack)))
    judge = [day for day, b in zip(stack, block, strict=True) if b == block[-1]]
    return Cuts(
        first=days[0],
        last=days[-1],
        learn_first=days[0],
        learn_last=days[learn - 1],
        stop_first=stop[0],
        stop_last=stop[-1],
        quiet_first=stack[0],
        quiet_last=days[-1],
        stack_first=stack[0],
        judge_first=judge[0],
        stack_last=stack[-1],
        has_labels=True,
    )


def _without_stacker(days: list[date], matured: list[date]) -> Cuts:
    learn = min(max(1, round(len(days) * LEARN_SHARE_ALONE)), len(days) - 1)
    after = days[learn]
    return Cuts(
        first=days[0],
        last=days[-1],
        learn_first=days[0],
        learn_last=days[learn - 1],
        stop_first=after,
        stop_last=days[-1],
        quiet_first=after,
        quiet_last=days[-1],
        stack_first=after,
        judge_first=days[-1],
        stack_last=matured[-1] if matured else days[0],
        has_labels=False,
    )
