"""From a stacker's score to a risk that is a probability."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from pipeline.arrays import Doubles, Flags, Ints
from pipeline.storage.files import read_model, write_json

Kind = Literal["none", "platt", "beta", "isotonic"]

STEPS = 50  # of a log-odds that scores are told apart by
ROUNDS, SETTLED = 300, 1e-6  # of expectation and maximisation, at most; until no risk changes by more
MOST = 0.999  # what is surely bad would stay so for ever
FARTHEST = 16.2  # log-odds: risks beyond one in ten million are all alike
BETTER = 0.002  # share of the log loss another kind must save before it replaces Platt's
LEAST_SLOPE = 0.01  # of Platt's line: flat, and yet no two scores tie
ENOUGH = 20  # bad user-days of known accounts, for two numbers of their own


class _Kept(BaseModel):
    """What is kept in a JSON file of a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump())

    @classmethod
    def load(cls, path: Path) -> Self:
        return read_model(path, cls)


class Calibration(_Kept):
    """A rising line through points, from log-odds of the score to log-odds of being bad. Rising lines keep ranks."""

    kind: Kind
    score_odds: tuple[float, ...]
    risk_odds: tuple[float, ...]

    @model_validator(mode="after")
    def rising(self) -> Self:
        if len(self.score_odds) < 2 or len(self.score_odds) != len(self.risk_odds):
            raise ValueError("a calibration needs two points or more, each with its risk")
        if np.any(np.diff(self.score_odds) <= 0) or np.any(np.diff(self.risk_odds) <= 0):
            raise ValueError("the points of a calibration must rise")
        return self

    @classmethod
    def fit(cls, kind: Kind, score: Doubles, bad: Doubles | Flags, weight: Doubles) -> Self:
        """Fit on user-days later than those the score was trained on. `bad`: the chance that each is, or whether.

        If all are good or all are bad, scores stay.
        """
        bad = bad.astype(np.float64)
        if bad.min(initial=1) == 1 or bad.max(initial=0) == 0:
            kind = "none"
        points = _KINDS[kind](log_odds(score), bad, weight)
        return cls(kind=kind, score_odds=tuple(points[0].tolist()), risk_odds=tuple(points[1].tolist()))

    def odds(self, score: Doubles) -> Doubles:
        """The log-odds of each score, (n,)."""
        value: Doubles = np.interp(log_odds(score), self.score_odds, self.risk_odds)
        return value

    def risk(self, score: Doubles) -> Doubles:
        """The probability of each score, (n,)."""
        return probability(self.odds(score))


class RiskCalibration(_Kept):
    """To the probability of being bad: one for accounts that were `known` to be bad before the day, one for `new` ones.

    What gave an account away is in its features for weeks, so that it looks bad on days when it does nothing bad.
    """

    new: Calibration
    known: Calibration

    def risk(self, score: Doubles, is_known: Flags) -> Doubles:
        """The probability of each score, (n,)."""
        value: Doubles = np.where(is_known, self.known.risk(score), self.new.risk(score))
        return value


def choose(score: Doubles, is_bad: Flags, weight: Doubles, block: Ints) -> tuple[Calibration, Any]:
    """The kind with the least log loss on days it was not fitted on, fitted on all days; and each kind's log loss.

    Each block of days is left out in turn. Platt's two numbers stay unless another kind is clearly better.
    """
    blocks = [b for b in np.unique(block) if 0 < is_bad[block != b].sum() < (block != b).sum()]
    losses: dict[Kind, float] = {}
    for kind in _KINDS:
        loss = [_log_loss(kind, score, is_bad, weight, block == b) for b in blocks]
        losses[kind] = float(np.sum(loss) / weight.sum()) if loss else 0.0
    best = min(losses, key=losses.__getitem__)
    kind = best if losses[best] < losses["platt"] * (1 - BETTER) else "platt"
    return Calibration.fit(kind, score, is_bad, weight), {name: round(loss, 6) for name, loss in losses.items()}


def _log_loss(kind: Kind, score: Doubles, is_bad: Flags, weight: Doubles, out: Flags) -> float:
    risk = Calibration.fit(kind, score[~out], is_bad[~out], weight[~out]).risk(score[out])
    return float(-(weight[out] * np.log(np.where(is_bad[out], risk, 1 - risk))).sum())


@dataclass(frozen=True)
class Outcomes:
    """What is known of n user-days: their score, whether a label calls them bad, and whether somebody looked at them.

    Where nobody looked, only the share `reported` of what is bad has a label. Where somebody did, the share
    `review_error` of verdicts is wrong.
    """

    score: Doubles
    is_bad: Flags
    is_reviewed: Flags
    weight: Doubles
    reported: float
    review_error: float = 0.0

    def chances(self, risk: Doubles) -> Doubles:
        """The chance that each is bad (n,), given its risk and what is known of it: Bayes."""
        missed, error = (1 - self.reported) * risk, self.review_error
        unlabelled = missed / (missed + 1 - risk)
        confirmed, dismissed = (
            risk * right / (risk * right + (1 - risk) * (1 - right)) for right in (1 - error, error)
        )
        labelled: Doubles = np.where(self.is_bad, np.where(self.is_reviewed, confirmed, 1.0), dismissed)
        return np.where(self.is_bad | self.is_reviewed, labelled, unlabelled)

    def thinned(self) -> "Outcomes":
        """About the same, in at most a few thousand rows: equal outcomes with nearly equal scores are one."""
        key = np.stack([np.round(log_odds(self.score) * STEPS), self.is_bad, self.is_reviewed])
        rows, place = np.unique(key, axis=1, return_inverse=True)
        weight = np.bincount(place, self.weight).astype(np.float64)
        odds = np.bincount(place, self.weight * log_odds(self.score)) / weight
        is_bad, is_reviewed = rows[1:].astype(np.bool_)
        return replace(self, score=probability(odds), is_bad=is_bad, is_reviewed=is_reviewed, weight=weight)


def fit_bad(kind: Kind, outcomes: Outcomes) -> Calibration:
    """The probability of being bad, labelled or not.

    Reports are scaled up by the share reported, as Elkan and Noto do (2008), and verdicts count as far as they are
    right. A score that is the probability of a label is not that of being bad, so "none" becomes Platt's.
    """
    if outcomes.reported == 1 or not outcomes.is_bad.any() or outcomes.is_bad.all():
        return Calibration.fit(kind, outcomes.score, outcomes.is_bad, outcomes.weight)
    some, kind = outcomes.thinned(), "platt" if kind == "none" else kind
    return _in_turns(some, lambda bad: Calibration.fit(kind, some.score, bad, some.weight))


def fit_known(new: Calibration, outcomes: Outcomes) -> Calibration:
    """As `fit_bad`, for known accounts: Platt's two numbers. With few bad days, `new` by one number higher or lower."""
    if not len(outcomes.score):
        return new
    if outcomes.is_bad.sum() >= ENOUGH:
        return fit_bad("platt", outcomes)
    some = outcomes.thinned()
    odds = new.odds(some.score)

    def shifted(bad: Doubles | Flags) -> Calibration:
        by = _shift(odds, _targets(bad.astype(np.float64), some.weight), some.weight)
        return new.model_copy(update={"risk_odds": tuple((np.array(new.risk_odds) + by).tolist())})

    return _in_turns(some, shifted)


def _in_turns(outcomes: Outcomes, fit: Callable[[Doubles | Flags], Calibration]) -> Calibration:
    """Expectation maximisation (Dempster, Laird and Rubin, 1977): `fit` gets the chance that each user-day is bad.

    A user-day without a label that nobody looked at is bad with the chance that a bad one like it was not reported.
    One that somebody judged is bad with the chance that the verdict is right.
    """
    calibration = fit(outcomes.is_bad)
    risk = np.minimum(calibration.risk(outcomes.score) / outcomes.reported, MOST)
    for _ in range(ROUNDS):
        calibration = fit(outcomes.chances(risk))
        before, risk = risk, np.minimum(calibration.risk(outcomes.score), MOST)
        if np.abs(risk - before).max() < SETTLED:
            break
    return calibration


def _shift(odds: Doubles, bad: Doubles, weight: Doubles) -> float:
    """What to add to log-odds so that their probabilities sum to what is bad."""
    from scipy.optimize import brentq

    def too_many(by: float) -> float:
        return float((weight * (probability(odds + by) - bad)).sum())

    return float(brentq(too_many, -4 * FARTHEST, 4 * FARTHEST))


def probability(odds: Doubles) -> Doubles:
    value: Doubles = 1 / (1 + np.exp(-odds))
    return value


def log_odds(score: Doubles) -> Doubles:
    kept = np.clip(score, 1e-7, 1 - 1e-7)
    value: Doubles = np.log(kept / (1 - kept))
    return value


Points = tuple[Doubles, Doubles]
ENDS: Doubles = np.array([-FARTHEST, FARTHEST])


def _as_is(odds: Doubles, bad: Doubles, weight: Doubles) -> Points:
    return ENDS, ENDS


def _platt(odds: Doubles, bad: Doubles, weight: Doubles) -> Points:
    """Two numbers: Platt, "Probabilistic Outputs for Support Vector Machines", 1999.

    Scores that say nothing, or point the wrong way, keep their order, and all have nearly the same risk.
    """
    [slope], intercept = _line(odds[:, None], bad, weight)
    if slope < LEAST_SLOPE:
        slope, intercept = LEAST_SLOPE, _shift(LEAST_SLOPE * odds, _targets(bad, weight), weight)
    return ENDS, slope * ENDS + intercept


def _beta(odds: Doubles, bad: Doubles, weight: Doubles) -> Points:
    """Three numbers, one for each end: Kull, Silva Filho and Flach, "Beta calibration", 2017."""

    def ends(odds: Doubles) -> Doubles:  # log s and -log(1 - s)
        return np.column_stack([-np.logaddexp(0, -odds), np.logaddexp(0, odds)])

    slopes, intercept = _line(ends(odds), bad, weight)
    if min(slopes) <= 0:
        return _platt(odds, bad, weight)
    grid = np.linspace(-FARTHEST, FARTHEST, 200)
    return grid, ends(grid) @ np.array(slopes) + intercept


def _isotonic(odds: Doubles, bad: Doubles, weight: Doubles) -> Points:
    """Rising steps, joined through their middles so that no two scores tie.

    Oron and Flournoy, "Centered Isotonic Regression", 2017. The ends are Platt's: there are no steps there. Lines
    between middles bend risks upwards, so all are shifted until they sum to what is bad again.
    """
    from sklearn.isotonic import IsotonicRegression

    level = IsotonicRegression().fit_transform(odds, _targets(bad, weight), sample_weight=weight)
    values, step = np.unique(level, return_inverse=True)
    total = np.bincount(step, weight)
    middle = np.bincount(step, weight * odds) / total
    inside = (total >= total.sum() / 1000) | (np.arange(len(values)) == 0)  # a step of a few user-days is chance
    x, y = middle[inside], log_odds(values[inside])
    left, right = np.interp(ENDS, *_platt(odds, bad, weight))
    x, y = np.array([ENDS[0], *x, ENDS[1]]), np.array([min(left, y[0] - 1e-6), *y, max(right, y[-1] + 1e-6)])
    rising = np.append(True, np.diff(x) > 1e-9) & np.append(True, np.diff(y) > 1e-9)
    x, y = x[rising], y[rising]
    return x, y + _shift(np.interp(odds, x, y), _targets(bad, weight), weight)


def _targets(bad: Doubles, weight: Doubles) -> Doubles:
    """Platt's targets, not quite 0 and 1: a few cleanly separated days make no risk certain."""
    total, among = float(weight.sum()), float((weight * bad).sum())
    target: Doubles = bad * (among + 1) / (among + 2) + (1 - bad) / (total - among + 2)
    return target


def _line(columns: Doubles, bad: Doubles, weight: Doubles) -> tuple[list[float], float]:
    from sklearn.linear_model import LogisticRegression

    target = _targets(bad, weight)
    line = LogisticRegression(C=1e6, max_iter=1000).fit(
        np.tile(columns, (2, 1)),
        np.repeat([True, False], len(columns)),
        sample_weight=np.concatenate([weight * target, weight * (1 - target)]),
    )
    return line.coef_[0].tolist(), float(line.intercept_[0])


_KINDS: dict[Kind, Callable[[Doubles, Doubles, Doubles], Points]] = {
    "none": _as_is,
    "platt": _platt,
    "beta": _beta,
    "isotonic": _isotonic,
}
