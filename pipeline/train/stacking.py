"""Fit the stacker: which base models it reads and how it is calibrated is decided on walk-forward scores.

| the first quarter      | ... | block 1 | block 2 | block 3 |    split in time; the first two are block 0
  learns ----------------------> scored
  learns --------------------------------> scored
  learns ------------------------------------------> scored      the last block is the holdout

Base models have scores on all days, made by fits that had not seen the account. See `walk_forward.py`.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Doubles, Flags, Ints
from pipeline.errors import InputError
from pipeline.metrics.lift import Lift, compare, list_length
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.models import stacker
from pipeline.models.calibration import (
    ENOUGH,
    Calibration,
    Outcomes,
    RiskCalibration,
    choose,
    fit_bad,
    fit_known,
    log_odds,
    probability,
)
from pipeline.models.samples import Samples
from pipeline.train.clocks import AT_ONCE, LabelClock
from pipeline.train.known_labels import as_known, is_covered, is_judged, is_known, is_reviewed
from pipeline.train.splits import blocks_of
from pipeline.train.walk_forward import FitOptions

if TYPE_CHECKING:
    import xgboost as xgb

Columns = Mapping[str, NDArray[np.floating]]  # by name, each (n,)

AUTOENCODER = "lstm_autoencoder"
MAX_ROWS = 400_000  # good user-days that a fit reads; each stands for as many as were left out
FEW = 50  # bad accounts: with so many or fewer, an interval hardly ever excludes 0


@dataclass(frozen=True)
class StackingPlan:
    """How stackers are fitted and compared. A day's list has at most `reviews` accounts, `min_precision` cuts it."""

    reviews: int
    seed: int
    threads: int
    monotone: Mapping[str, int]  # features that may only raise the risk (1), or only lower it (-1)
    clock: LabelClock = AT_ONCE
    min_precision: float = 0.0
    new_features: tuple[str, ...] = ()  # those that the champion does not know
    review_error: float = 0.0  # share of verdicts that are wrong

    @property
    def options(self) -> FitOptions:
        """How base models are fitted beside it."""
        return FitOptions(self.seed, self.threads, clock=self.clock)


@dataclass(frozen=True)
class Gate:
    """Whether the stacker reads a base model, decided by its lift on `bad_accounts` bad accounts."""

    base_model: str
    bad_accounts: int
    lift: Lift

    @property
    def on_unless_worse(self) -> bool:
        """With at most 50 bad accounts, keep the autoencoder unless proven worse. It needs no labels."""
        return self.base_model == AUTOENCODER and self.bad_accounts <= FEW

    @property
    def is_on(self) -> bool:
        return self.lift.is_better or (self.on_unless_worse and not self.lift.is_worse)

    @property
    def why(self) -> str:
        if self.lift.is_better:
            return "catches more" if self.lift.caught.is_better else "ranks better, and catches no less"
        if self.is_on:
            return "needs no labels, of which there are few, and is not proven worse"
        return "worse" if self.lift.is_worse else "no proven lift"

    def to_dict(self) -> dict[str, Any]:
        """For the manifest and the model card."""
        return {
            "base_model": self.base_model,
            "is_on": self.is_on,
            "why": self.why,
            "rule": "on unless worse" if self.on_unless_worse else "on if better",
            "bad_accounts": self.bad_accounts,
            **self.lift.to_dict(),
        }


@dataclass(frozen=True)
class NewFeatures:
    """Features that the champion does not know, and their lift: with them, against the same fit without them."""

    names: tuple[str, ...]
    lift: Lift

    @property
    def is_on(self) -> bool:
        """Features need no training of their own, so they are on unless worse."""
        return not self.lift.is_worse

    def to_dict(self) -> dict[str, Any]:
        return {"names": list(self.names), "is_on": self.is_on, **self.lift.to_dict()}


@dataclass(frozen=True)
class Scores:
    """Walk-forward scores (n,), NaN in the first block, and the booster that scored the last block.

    `prior`: log-odds of a bad user-day among those that each score's booster learned from.
    """

    scores: Doubles
    early: "xgb.Booster"
    prior: Doubles

    def at(self, prior: float) -> Doubles:
        """The scores as if their boosters had learned from as many labels as one of this prior.

        Labels become more, most of all once verdicts come: a booster that has seen more gives higher scores to all.
        Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities", 2002.
        """
        return probability(log_odds(self.scores) + prior - self.prior)


@dataclass(frozen=True)
class Stacked:
    """A fitted stacker. `early` has not learned from the holdout. `scores` are walk-forward, at the booster's prior."""

    columns: list[str]
    booster: "xgb.Booster"
    early: "xgb.Booster"
    calibration: RiskCalibration  # to the probability of being bad
    known_bad: int  # bad user-days of accounts that were known before
    label_calibration: Calibration  # to that of being labelled bad
    log_losses: dict[str, float]
    gates: list[Gate]
    new_features: NewFeatures | None
    list_length: int  # accounts on a day's list, on average
    block: Ints
    scores: Doubles  # (n,) NaN in the first block


def walk_forward_scores(samples: Samples, columns: Columns, plan: StackingPlan, block: Ints) -> Scores:
    """Each block is scored by a booster fitted on earlier blocks.

    A booster learns from labels known before its block, on days old enough by then. Where these hold no bad user-day,
    the block is not scored.
    """
    latest_first = np.unique(block[block > 0])[::-1]
    if not len(latest_first):
        raise ValueError("a stacker needs two days or more")
    one_thread = replace(plan, threads=1)

    def fit_and_score(b: int) -> tuple["xgb.Booster", Ints, Doubles, float] | None:
        here = np.flatnonzero(block == b)
        morning = int(samples.windows.day[here].min())
        learn = (block < b) & ((samples.bad is None) | (samples.windows.day < morning - plan.clock.wait_days))
        known = as_known(samples, morning, plan.clock)
        if not (known.is_bad & learn).any():
            return None
        booster = fit_booster(known, columns, one_thread, learn)
        return booster, here, stacker.predict(booster, list(columns), _matrix(columns, here)), prior_of(known, learn)

    scores, priors = np.full(len(block), np.nan), np.full(len(block), np.nan)
    # Fits in parallel with one thread each end sooner than one after the other with all threads.
    with ThreadPoolExecutor(plan.threads) as pool:
        blocks = [scored for scored in pool.map(fit_and_score, latest_first) if scored is not None]
    if not blocks:
        raise InputError("no bad user-day was known before the days that a stacker is judged by")
    for _, here, score, prior in blocks:
        scores[here], priors[here] = score, prior
    return Scores(scores, blocks[0][0], priors)


def fit_stack(
    samples: Samples,
    base_models: Mapping[str, Mapping[str, Doubles]],
    plan: StackingPlan,
    since: int | None = None,
    judged_from: Mapping[str, int] = MappingProxyType({}),
) -> Stacked:
    """Decide which base models to read, calibrate, and fit on all days. `base_models` has the columns of each, (n,).

    Blocks are judged from the day `since` on; with a base model from its own day in `judged_from` on, if that is later.
    One is read if lists are better with it: see `Lift`. With at most FEW bad accounts the autoencoder is read unless
    proven worse.
    """
    block = blocks_of(samples.windows.day, since=since)
    features: Columns = samples.features()
    bad_accounts = len(np.unique(samples.windows.user[samples.is_bad & judged_by(samples, block > 0)]))
    all_days: Flags = np.ones(len(samples), np.bool_)
    prior = prior_of(samples, all_days)
    scores: dict[tuple[str, ...], Scores] = {(): walk_forward_scores(samples, features, plan, block)}
    alone = scores[()].at(prior)

    def judged_with(*names: str) -> Ints:
        """The blocks, with days on which one of the base models is not to be judged in the first."""
        first = max((judged_from.get(name, 0) for name in names), default=0)
        return np.where(samples.windows.day < first, 0, block)

    gates: list[Gate] = []
    for name, columns in base_models.items():
        scores[name,] = walk_forward_scores(samples, {**features, **columns}, plan, judged_with(name))
        gates.append(Gate(name, bad_accounts, lift_of_stackers(samples, scores[name,].at(prior), alone, plan)))
    chosen: dict[str, NDArray[np.floating]] = dict(features)
    read = tuple(gate.base_model for gate in gates if gate.is_on)
    for name in read:
        chosen |= base_models[name]
    if read not in scores:
        scores[read] = walk_forward_scores(samples, chosen, plan, judged_with(*read))
    found = scores[read]
    new_features = None
    new = tuple(name for name in plan.new_features if name in features)
    if 0 < len(new) < len(features):
        older = {name: column for name, column in chosen.items() if name not in new}
        without = walk_forward_scores(samples, older, plan, judged_with(*read))
        new_features = NewFeatures(new, lift_of_stackers(samples, found.at(prior), without.at(prior), plan))
        if not new_features.is_on:
            chosen, found = older, without
    walk_forward = found.at(prior)
    label_calibration, losses = _calibrated(samples, walk_forward, block)
    of_new = fit_bad(label_calibration.kind, _outcomes_of_new(samples, walk_forward, plan))
    known = _outcomes_of_known(samples, walk_forward, plan)
    return Stacked(
        columns=list(chosen),
        booster=fit_booster(samples, chosen, plan, all_days),
        early=found.early,
        calibration=RiskCalibration(new=of_new, known=fit_known(of_new, known)),
        known_bad=int(known.is_bad.sum()),
        label_calibration=label_calibration,
        log_losses=losses,
        gates=gates,
        new_features=new_features,
        list_length=_length_of_lists(samples, walk_forward, of_new, plan) or plan.reviews,
        block=block,
        scores=walk_forward,
    )


def _calibrated(samples: Samples, score: Doubles, block: Ints) -> tuple[Calibration, dict[str, float]]:
    later = _calibrates(samples, score)
    return choose(score[later], samples.is_bad[later], samples.weight[later], block[later])


def _calibrates(samples: Samples, score: Doubles) -> Flags:
    """User-days (n,) of accounts not known to be bad before; of all accounts, if few of these were bad."""
    judged = is_judged(samples) & np.isfinite(score)
    return judged if (judged & samples.is_bad).sum() >= ENOUGH else (samples.weight > 0) & np.isfinite(score)


def _outcomes_of_new(samples: Samples, score: Doubles, plan: StackingPlan) -> Outcomes:
    return _outcomes(samples, score, samples.weight, _calibrates(samples, score), plan)


def _outcomes_of_known(samples: Samples, score: Doubles, plan: StackingPlan) -> Outcomes:
    """Days without a label count though they are no examples: how many of them are bad is what we ask. Days that only a
    label of the account covers do not: nobody said anything about them.
    """
    weight = np.where(samples.weight > 0, samples.weight, samples.stands_for)
    return _outcomes(samples, score, weight, is_known(samples) & ~is_covered(samples) & np.isfinite(score), plan)


def _outcomes(samples: Samples, score: Doubles, weight: Doubles, among: Flags, plan: StackingPlan) -> Outcomes:
    some = samples.take(among)
    return Outcomes(score[among], some.is_bad, is_reviewed(some), weight[among], plan.clock.reported, plan.review_error)


def _length_of_lists(samples: Samples, score: Doubles, calibration: Calibration, plan: StackingPlan) -> int:
    """How long lists of accounts that were not known before would have been, on the days that have scores. Or 0."""
    judged = judged_by(samples, np.isfinite(score))
    return list_length(_labels(samples, judged, {}), calibration.risk(score[judged]), plan.min_precision, plan.reviews)


def judged_by(samples: Samples, among: Flags) -> Flags:
    """What comparisons `among` user-days (n,) look at: accounts not known to be bad before; all if no other was bad."""
    judged = among & is_judged(samples)
    return judged if (judged & samples.is_bad).any() else among & (samples.weight > 0)


def lift_of_stackers(samples: Samples, score: Doubles, over: Doubles, plan: StackingPlan) -> Lift:
    """`score` minus `over` on lists as long as the longer of the two would have had; if neither lists anybody, by the
    review budget. For a length Platt's calibration is good enough.
    """
    lengths = []
    for each in (score, over):
        platt = fit_bad("platt", _outcomes_of_new(samples, each, plan))
        lengths.append(_length_of_lists(samples, each, platt, plan))
    return lift(samples, score, over, plan.seed, max(lengths) or plan.reviews)


def lift(samples: Samples, score: Doubles, over: Doubles, seed: int, length: int) -> Lift:
    """`score` minus `over` on lists of `length` accounts a day, on the user-days that are judged and have both."""
    both = judged_by(samples, np.isfinite(score) & np.isfinite(over))
    return compare(_labels(samples, both, {"score": score, "over": over}), "score", "over", length, seed)


def _labels(samples: Samples, chosen: Flags, scores: Mapping[str, Doubles]) -> ScoredLabels:
    kept = {name: score[chosen] for name, score in scores.items()}
    labels = ScoredLabels.of(samples.windows.user[chosen], samples.windows.day[chosen], samples.is_bad[chosen], kept)
    return replace(labels, stands_for=samples.stands_for[chosen])


def prior_of(samples: Samples, among: Flags) -> float:
    """Log-odds of a bad user-day, by weight."""
    bad, good = (float(samples.weight[among & chosen].sum()) for chosen in (samples.is_bad, ~samples.is_bad))
    return float(np.log(bad / good)) if bad and good else 0.0


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
