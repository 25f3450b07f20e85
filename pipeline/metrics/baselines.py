"""What every number stands between: a random order, and an oracle with the same budget."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.intervals import average_precision
from pipeline.evaluate.judged import Judged
from pipeline.evaluate.reviews import accounts_of
from pipeline.models.samples import Samples

Doubles = NDArray[np.float64]
FLOOR, CEILING = "floor: ", "ceiling: "
MAX_CHOSEN_BY = 50_000  # ordinary user-days the best single feature is chosen by
RANDOM, ORACLE = f"{FLOOR}random", f"{CEILING}oracle"


def with_bounds(judged: Judged, reviews: int, seed: int = 0) -> Judged:
    """The same with a random floor and the ceiling at `reviews` a day among the contenders."""
    drawn = np.random.default_rng(seed).random(len(judged))
    return replace(judged, scores={**judged.scores, RANDOM: drawn, ORACLE: oracle(judged, reviews)})


def best_single_feature(seen: Samples, seed: int) -> tuple[str, int]:
    """The feature with the best average precision on `seen`, and whether most (1) or least (-1) of it comes first."""
    ordinary = np.flatnonzero(~seen.is_bad)
    few = np.random.default_rng(seed).permutation(ordinary)[:MAX_CHOSEN_BY]
    some = seen.take(np.sort(np.concatenate([few, np.flatnonzero(seen.is_bad)])))
    tried = [(name, sign) for name in some.features() for sign in (1, -1)]
    return max(tried, key=lambda one: average_precision(one[1] * some.column(one[0]), some.is_bad))


def oracle(judged: Judged, reviews: int) -> Doubles:
    """Scores that catch as many accounts as anyone could with `reviews` a day; every bad user-day is above the rest.

    Who to review on which of their bad days, where not everybody fits, is a maximum flow from accounts through days.
    """
    is_bad = judged.is_bad.astype(np.float64)
    bad = np.flatnonzero(judged.is_bad)
    if not len(bad) or np.unique(judged.day[bad], return_counts=True)[1].max() <= reviews:
        return is_bad
    is_bad[bad] += _is_chosen(accounts_of(judged.user[bad]), accounts_of(judged.day[bad]), reviews)
    return is_bad


def _is_chosen(account: NDArray[np.int32], day: NDArray[np.int32], reviews: int) -> NDArray[np.bool_]:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_flow

    accounts, days = int(account.max()) + 1, int(day.max()) + 1
    source, sink = accounts + days, accounts + days + 1
    every_account, every_day = np.arange(accounts), accounts + np.arange(days)
    starts = np.concatenate([np.full(accounts, source), account, every_day])
    ends = np.concatenate([every_account, accounts + day, np.full(days, sink)])
    room = np.ones(len(starts), np.int32)
    room[-days:] = reviews
    graph = csr_array((room, (starts, ends)), shape=(sink + 1, sink + 1))
    flow = maximum_flow(graph, source, sink).flow
    return np.asarray(flow[account, accounts + day]).ravel() > 0
