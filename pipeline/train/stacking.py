"""Fit the stacker: which base models it reads and how it is calibrated is decided on walk-forward scores.

| the autoencoder's days | ... | block 1 | block 2 | block 3 |    split in time; the first two are block 0
  learns ----------------------> scored
  learns --------------------------------> scored
  learns ------------------------------------------> scored      the last block is the holdout

On the autoencoder's own days its scores are unknown to the stacker, which reads only their features and labels.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Doubles, Flags, Ints
from pipeline.errors import InputError
from pipeline.metrics.bootstrap import Bootstrap, Difference, Metric, draw
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.models import stacker
from pipeline.models.calibration import Calibration, choose
from pipeline.models.samples import Samples
from pipeline.train.clocks import AT_ONCE, LabelClock
from pipeline.train.known_labels import as_known, is_judged
from pipeline.train.splits import blocks_of
from pipeline.train.walk_forward import FitOptions

if TYPE_CHECKING:
    import xgboost as xgb

Columns = Mapping[str, NDArray[np.floating]]  # by name, each (n,)
Scores = tuple[Doubles, "xgb.Booster"]  # walk-forward scores (n,), and the booster that scored the last block

AUTOENCODER = "lstm_autoencoder"
MAX_ROWS = 400_000  # good user-days that a fit reads; each stands for as many as were left out
REPEATS = 500  # of the gate's bootstrap
FEW = 50  # bad accounts: with so many or fewer, an interval hardly ever excludes 0
METRICS: tuple[Metric, Metric] = ("caught", "average_precision")  # the gate decides by the first


@dataclass(frozen=True)
class StackingPlan:
    """How stackers are fitted and compared. `reviews` is the size of a day's list."""

    reviews: int
    seed: int
    threads: int
    monotone: Mapping[str, int]  # features that may only raise the risk (1), or only lower it (-1)
    clock: LabelClock = AT_ONCE

    @property
    def options(self) -> FitOptions:
        """How base models are fitted beside it."""
        return FitOptions(self.seed, self.threads, clock=self.clock)


@dataclass(frozen=True)
class Lift:
    """One score minus another: bad accounts caught within the review budget, and average precision."""

    caught: Difference
    average_precision: Difference

    @property
    def is_worse(self) -> bool:
        return self.caught.is_worse or self.average_precision.is_worse

    def to_dict(self) -> dict[str, dict[str, float | None]]:
        """Rounded; None for what cannot be measured. `least_seen`: what lift the comparison could have seen."""
        differences = {"caught": self.caught, "average_precision": self.average_precision}
        found = {name: {**asdict(each), "least_seen": each.least_seen} for name, each in differences.items()}
        return {
            name: {part: round(value, 5) if np.isfinite(value) else None for part, value in difference.items()}
            for name, difference in found.items()
        }


@dataclass(frozen=True)
class Gate:
    """Whether the stacker reads a base model, decided by its lift on `bad_accounts` bad accounts."""

    base_model: str
    reviews: int  # a day
    bad_accounts: int
    lift: Lift

    @property
    def on_unless_worse(self) -> bool:
        """With at most 50 bad accounts, keep the autoencoder unless proven worse. It needs no labels."""
        return self.base_model == AUTOENCODER and self.bad_accounts <= FEW

    @property
    def is_on(self) -> bool:
        return self.lift.caught.is_better or (self.on_unless_worse and not self.lift.is_worse)

    @property
    def why(self) -> str:
        if self.lift.caught.is_better:
            return "catches more at the review budget"
        if self.is_on:
            return "needs no labels, of which there are few, and is not proven worse"
        return "worse" if self.lift.is_worse else "no proven lift at the review budget"

    def to_dict(self) -> dict[str, Any]:
        """For the manifest and the model card."""
        return {
            "base_model": self.base_model,
            "is_on": self.is_on,
            "why": self.why,
            "rule": "on unless worse" if self.on_unless_worse else "on if better",
            "bad_accounts": self.bad_accounts,
            "reviews": self.reviews,
            **self.lift.to_dict(),
        }


@dataclass(frozen=True)
class Stacked:
    """A fitted stacker. `early` has not learned from the holdout. `scores` are walk-forward."""

    columns: list[str]
    booster: "xgb.Booster"
    early: "xgb.Booster"
    calibration: Calibration
    log_losses: dict[str, float]
    gates: list[Gate]
    block: Ints
    scores: Doubles  # (n,) NaN in the first block


def walk_forward_scores(samples: Samples, columns: Columns, plan: StackingPlan, block: Ints) -> Scores:
    """Each block is scored by a booster fitted on earlier blocks; NaN in the first. And the last such booster.

    A booster learns from labels known before its block, on days old enough by then. Where these hold no bad user-day,
    the block is not scored.
    """
    latest_first = range(int(block.max(initial=0)), 0, -1)
    if not latest_first:
        raise ValueError("a stacker needs two days or more")
    one_thread = replace(plan, threads=1)

    def fit_and_score(b: int) -> tuple["xgb.Booster", Ints, Doubles] | None:
        here = np.flatnonzero(block == b)
        morning = int(samples.windows.day[here].min())
        learn = (block < b) & ((samples.bad is None) | (samples.windows.day < morning - plan.clock.wait_days))
        known = as_known(samples, morning, plan.clock)
        if not (known.is_bad & learn).any():
            return None
        booster = fit_booster(known, columns, one_thread, learn)
        return booster, here, stacker.predict(booster, list(columns), _matrix(columns, here))

    scores = np.full(len(block), np.nan)
    # Fits in parallel with one thread each end sooner than one after the other with all threads.
    with ThreadPoolExecutor(plan.threads) as pool:
        blocks = [scored for scored in pool.map(fit_and_score, latest_first) if scored is not None]
    if not blocks:
        raise InputError("no bad user-day was known before the days that a stacker is judged by")
    for _, here, score in blocks:
        scores[here] = score
    return scores, blocks[0][0]


def fit_stack(
    samples: Samples, base_models: Mapping[str, Mapping[str, Doubles]], plan: StackingPlan, since: int | None = None
) -> Stacked:
    """Decide which base models to read, calibrate, and fit on all days. `base_models` has the columns of each, (n,).

    Base models have scores only from the day `since` on. One is read if the list catches more with it: the paired
    bootstrap interval over accounts lies above 0. With at most FEW bad accounts the autoencoder is read unless
    proven worse.
    """
    block = blocks_of(samples.windows.day, since=since)
    features: Columns = samples.features()
    bad_accounts = len(np.unique(samples.windows.user[samples.is_bad & judged_by(samples, block > 0)]))
    scores: dict[tuple[str, ...], Scores] = {(): walk_forward_scores(samples, features, plan, block)}
    gates: list[Gate] = []
    for name, columns in base_models.items():
        scores[name,] = walk_forward_scores(samples, {**features, **columns}, plan, block)
        gates.append(Gate(name, plan.reviews, bad_accounts, lift(samples, scores[name,][0], scores[()][0], plan)))
    chosen: dict[str, NDArray[np.floating]] = dict(features)
    read = tuple(gate.base_model for gate in gates if gate.is_on)
    for name in read:
        chosen |= base_models[name]
    if read not in scores:
        scores[read] = walk_forward_scores(samples, chosen, plan, block)
    walk_forward, early = scores[read]
    later = (samples.weight > 0) & np.isfinite(walk_forward)  # known accounts too: they will be given a risk as well
    calibration, losses = choose(walk_forward[later], samples.is_bad[later], samples.weight[later], block[later])
    all_days: Flags = np.ones(len(samples), np.bool_)
    return Stacked(
        columns=list(chosen),
        booster=fit_booster(samples, chosen, plan, all_days),
        early=early,
        calibration=calibration,
        log_losses=losses,
        gates=gates,
        block=block,
        scores=walk_forward,
    )


def judged_by(samples: Samples, among: Flags) -> Flags:
    """What comparisons `among` user-days (n,) look at: accounts not known to be bad before; all if no other was bad."""
    judged = among & is_judged(samples)
    return judged if (judged & samples.is_bad).any() else among & (samples.weight > 0)


def lift(samples: Samples, score: Doubles, over: Doubles, plan: StackingPlan) -> Lift:
    """`score` minus `over`, on the user-days that are judged and have both."""
    both = judged_by(samples, np.isfinite(score) & np.isfinite(over))
    scores = {"score": score[both], "over": over[both]}
    labels = ScoredLabels.of(samples.windows.user[both], samples.windows.day[both], samples.is_bad[both], scores)
    labels = replace(labels, stands_for=samples.stands_for[both])
    bootstrap = Bootstrap(REPEATS, plan.seed)
    caught, precise = (
        draw(labels, list(scores), metric, plan.reviews, bootstrap).difference("score", "over") for metric in METRICS
    )
    return Lift(caught, precise)


def fit_booster(samples: Samples, columns: Columns, plan: StackingPlan, learn: Flags) -> "xgb.Booster":
    """A booster fitted on the user-days in `learn` that are good or bad."""
    rows, weight = _thin_out(samples, np.flatnonzero(learn & (samples.weight > 0)), plan.seed)
    monotone = {name: plan.monotone[name] for name in columns if name in plan.monotone}
    matrix = stacker.binned(list(columns), _matrix(columns, rows), samples.is_bad[rows], weight, plan.threads)
    return stacker.boost(matrix, plan.seed, plan.threads, monotone)


def _thin_out(samples: Samples, rows: Ints, seed: int) -> tuple[Ints, Doubles]:
    """All bad user-days, and at most MAX_ROWS good ones that weigh as much as all of them."""
    good = rows[~samples.is_bad[rows]]
    if len(good) <= MAX_ROWS:
        return rows, samples.weight[rows]
    kept = good[np.sort(np.random.default_rng(seed).permutation(len(good))[:MAX_ROWS])]
    chosen = np.union1d(rows[samples.is_bad[rows]], kept)
    share = np.where(samples.is_bad[chosen], 1.0, len(good) / MAX_ROWS)
    return chosen, samples.weight[chosen] * share


def _matrix(columns: Columns, rows: Ints) -> NDArray[np.float32]:
    matrix = np.empty((len(rows), len(columns)), np.float32)
    for i, column in enumerate(columns.values()):
        matrix[:, i] = column[rows]
    return matrix
