"""Fit the stacker: which arms it reads, how sure its scores are, all decided on days after those learned from.

| the autoencoder's days | ... | block 1 | block 2 | block 3 |    cut in time; the first two are block 0
  learns ----------------------> scored
  learns --------------------------------> scored
  learns ------------------------------------------> scored      the last is also what a bundle is promoted by

What the autoencoder says of its own days is not known to the stacker, which learns from their features and labels.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Doubles, Flags, Ints
from pipeline.evaluate.intervals import Difference, Metric, paired
from pipeline.evaluate.judged import Judged
from pipeline.models import stacker
from pipeline.models.calibration import Calibration, choose
from pipeline.models.samples import Samples
from pipeline.train.cuts import blocks_of

if TYPE_CHECKING:
    import xgboost as xgb

Table = Mapping[str, NDArray[np.floating]]  # columns by name
Forward = tuple[Doubles, "xgb.Booster"]  # scores (n,) forward in time, and what scored the last days

AUTOENCODER = "lstm_autoencoder"
MAX_ROWS = 400_000  # good user-days a fit reads at most; each stands for as many as were left out
REPEATS = 500  # of the gate's bootstrap
FEW = 50  # bad accounts to decide by: so many or fewer hardly ever show a sure lift, or a sure loss
METRICS: tuple[Metric, Metric] = ("caught", "average_precision")  # it decides by the first


@dataclass(frozen=True)
class Plan:
    """How stackers are fitted and judged here. `reviews` is how many accounts a day's list may hold."""

    reviews: int
    seed: int
    threads: int
    rises: Mapping[str, int]  # features whose rise may only raise the risk (1), or only lower it (-1)


@dataclass(frozen=True)
class Lift:
    """What one score does better than another: bad accounts caught at the review budget, and average precision."""

    caught: Difference
    average_precision: Difference

    @property
    def is_worse(self) -> bool:
        return self.caught.is_worse or self.average_precision.is_worse

    def told(self) -> dict[str, dict[str, float | None]]:
        """Rounded, None where there is nothing to measure it by."""
        return {
            name: {part: round(value, 5) if np.isfinite(value) else None for part, value in found.items()}
            for name, found in asdict(self).items()
        }


@dataclass(frozen=True)
class Gate:
    """Whether one arm's columns are read beside the features, by what they add on `bad_accounts` bad accounts."""

    arm: str
    reviews: int  # a day
    bad_accounts: int
    lift: Lift

    @property
    def on_unless_worse(self) -> bool:
        """Of few bad accounts, for the arm that needs none and was seen to help there; all others must show a lift."""
        return self.arm == AUTOENCODER and self.bad_accounts <= FEW

    @property
    def is_on(self) -> bool:
        return self.lift.caught.is_better or (self.on_unless_worse and not self.lift.is_worse)

    @property
    def why(self) -> str:
        if self.lift.caught.is_better:
            return "catches more at the review budget"
        if self.is_on:
            return "needs no labels, of which there are few, and is not surely worse"
        return "worse" if self.lift.is_worse else "no sure lift at the review budget"

    def told(self) -> dict[str, Any]:
        """For the manifest and the card: the lift with its interval, and what was decided by which rule."""
        return {
            "arm": self.arm,
            "is_on": self.is_on,
            "why": self.why,
            "rule": "on unless worse" if self.on_unless_worse else "on if better",
            "bad_accounts": self.bad_accounts,
            "reviews": self.reviews,
            **self.lift.told(),
        }


@dataclass(frozen=True)
class Stacked:
    """A fitted stacker. `early` has not seen the last block; `forward` are scores of the blocks after the first."""

    columns: list[str]
    booster: "xgb.Booster"
    early: "xgb.Booster"
    calibration: Calibration
    log_losses: dict[str, float]
    gates: list[Gate]
    block: Ints
    forward: Doubles  # (n,) NaN in the first block


def forward_scores(seen: Samples, table: Table, plan: Plan, block: Ints) -> Forward:
    """Scores of each block by what was learned from the blocks before it, NaN in the first; the last such booster."""
    latest_first = range(int(block.max(initial=0)), 0, -1)
    if not latest_first:
        raise ValueError("a stacker needs two days or more")
    each_alone = replace(plan, threads=1)

    def learn_and_score(b: int) -> tuple["xgb.Booster", Ints, Doubles]:
        booster = fit_booster(seen, table, each_alone, block < b)
        here = np.flatnonzero(block == b)
        return booster, here, stacker.predict(booster, list(table), _matrix(table, here))

    score = np.full(len(block), np.nan)
    # Fits side by side with a thread each end sooner than one after the other with all threads.
    with ThreadPoolExecutor(plan.threads) as pool:
        scored = list(pool.map(learn_and_score, latest_first))
    for _, here, scores in scored:
        score[here] = scores
    return score, scored[0][0]


def fit_stack(
    seen: Samples, arms: Mapping[str, Mapping[str, Doubles]], plan: Plan, since: int | None = None
) -> Stacked:
    """Decide about each arm's columns, calibrate, and fit on everything. `arms` has columns in the order of `seen`.

    Only days from `since` on are scored forward in time: on those before, arms have nothing to say.

    An arm is read only if, on days after those learned from, the list at the review budget catches more with it:
    a paired interval above 0 (accounts drawn again with replacement). Where there are at most FEW bad accounts on those
    days, the autoencoder is read unless it is surely worse.
    """
    block = blocks_of(seen.windows.day, since=since)
    table: Table = seen.features()
    later = block > 0
    bad_accounts = len(np.unique(seen.windows.user[seen.is_bad & later]))
    scored: dict[tuple[str, ...], Forward] = {(): forward_scores(seen, table, plan, block)}  # by the arms that are read
    gates: list[Gate] = []
    for name, columns in arms.items():
        scored[name,] = forward_scores(seen, {**table, **columns}, plan, block)
        gates.append(Gate(name, plan.reviews, bad_accounts, lift(seen, scored[name,][0], scored[()][0], plan)))
    chosen: dict[str, NDArray[np.floating]] = dict(table)
    read = tuple(gate.arm for gate in gates if gate.is_on)
    for name in read:
        chosen |= arms[name]
    if read not in scored:
        scored[read] = forward_scores(seen, chosen, plan, block)
    forward, early = scored[read]
    calibration, losses = choose(forward[later], seen.is_bad[later], seen.weight[later], block[later])
    everything: Flags = np.ones(len(seen), np.bool_)
    return Stacked(
        columns=list(chosen),
        booster=fit_booster(seen, chosen, plan, everything),
        early=early,
        calibration=calibration,
        log_losses=losses,
        gates=gates,
        block=block,
        forward=forward,
    )


def lift(seen: Samples, score: Doubles, over: Doubles, plan: Plan) -> Lift:
    """What `score` (n,) does better than `over` (n,) on the user-days that both say something of."""
    both = np.isfinite(score) & np.isfinite(over)
    scores = {"score": score[both], "over": over[both]}
    judged = Judged.of(seen.windows.user[both], seen.windows.day[both], seen.is_bad[both], scores)
    caught, precise = (
        paired(judged, "score", "over", metric, REPEATS, plan.seed, plan.reviews, seen.stands_for[both])
        for metric in METRICS
    )
    return Lift(caught, precise)


def fit_booster(seen: Samples, table: Table, plan: Plan, learn: Flags) -> "xgb.Booster":
    """A booster over the columns of `table`, of the user-days in `learn`."""
    rows, weight = _thin_out(seen, np.flatnonzero(learn), plan.seed)
    rises = {name: plan.rises[name] for name in table if name in plan.rises}
    matrix = stacker.binned(list(table), _matrix(table, rows), seen.is_bad[rows], weight, plan.threads)
    return stacker.boost(matrix, plan.seed, plan.threads, rises)


def _thin_out(seen: Samples, rows: Ints, seed: int) -> tuple[Ints, Doubles]:
    """All bad user-days, and at most MAX_ROWS good ones that weigh as much as all did."""
    good = rows[~seen.is_bad[rows]]
    if len(good) <= MAX_ROWS:
        return rows, seen.weight[rows]
    kept = good[np.sort(np.random.default_rng(seed).permutation(len(good))[:MAX_ROWS])]
    chosen = np.union1d(rows[seen.is_bad[rows]], kept)
    share = np.where(seen.is_bad[chosen], 1.0, len(good) / MAX_ROWS)
    return chosen, seen.weight[chosen] * share


def _matrix(table: Table, rows: Ints) -> NDArray[np.float32]:
    matrix = np.empty((len(rows), len(table)), np.float32)
    for i, column in enumerate(table.values()):
        matrix[:, i] = column[rows]
    return matrix
