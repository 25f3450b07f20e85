"""What every number is read beside: a random order, the best single feature, and an oracle with the same budget."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Codes, Doubles, Flags
from pipeline.metrics.ranking import average_precision
from pipeline.metrics.review_queue import number_accounts
from pipeline.metrics.scored_labels import ScoredLabels

BASELINE, UPPER_BOUND = "baseline: ", "upper bound: "
RANDOM, ORACLE = f"{BASELINE}random", f"{UPPER_BOUND}oracle"
MAX_GOOD_ROWS = 50_000  # on which the best single feature is chosen


def with_baselines(labels: ScoredLabels, reviews: int, seed: int = 0) -> ScoredLabels:
    """The same with two more contenders: a random order, and the oracle at `reviews` a day."""
    random = np.random.default_rng(seed).random(len(labels))
    return labels.with_scores({**labels.scores, RANDOM: random, ORACLE: oracle(labels, reviews)})


def best_single_feature(features: Mapping[str, NDArray[np.floating]], is_bad: Flags, seed: int) -> tuple[str, int]:
    """The feature with the best average precision, and its direction: 1 if high values are bad, -1 if low ones are."""
    good = np.flatnonzero(~is_bad)
    some_good = np.random.default_rng(seed).permutation(good)[:MAX_GOOD_ROWS]
    rows = np.sort(np.concatenate([some_good, np.flatnonzero(is_bad)]))
    columns = {name: column[rows].astype(np.float64) for name, column in features.items()}
    usable = [name for name, column in columns.items() if np.isfinite(np.nanmax(column, initial=-np.inf))]
    candidates = [(name, sign) for name in usable for sign in (1, -1)]
    return max(candidates, key=lambda one: average_precision(one[1] * columns[one[0]], is_bad[rows]))


def oracle(labels: ScoredLabels, reviews: int) -> Doubles:
    """Scores that catch as many accounts as possible with `reviews` a day. Every bad user-day ranks above the rest.

    If a day has more bad accounts than reviews, a maximum flow from accounts to days chooses when to review whom.
    """
    score = labels.is_bad.astype(np.float64)
    bad = np.flatnonzero(labels.is_bad)
    if not len(bad) or np.unique(labels.day[bad], return_counts=True)[1].max() <= reviews:
        return score
    score[bad] += _is_chosen(number_accounts(labels.user[bad]), number_accounts(labels.day[bad]), reviews)
    return score


def _is_chosen(account: Codes, day: Codes, reviews: int) -> Flags:
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
