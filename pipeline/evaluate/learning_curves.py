"""Learning curves: what is found when only so many bad accounts are known."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pipeline.catalogue import features
from pipeline.errors import InputError
from pipeline.evaluate.contenders import FEATURES, fit_and_score, with_arm
from pipeline.evaluate.intervals import average_precision
from pipeline.evaluate.report import CurvePoint
from pipeline.evaluate.trial import Trial
from pipeline.models.arms.catalogue import ARMS
from pipeline.models.samples import Doubles, Samples
from pipeline.models.table import column_of
from pipeline.train.forward import forward_column
from pipeline.train.stacking import Plan

Column = tuple[Doubles, Doubles]  # what an arm says of the days learned from, and of the test


def without_label_history(samples: Samples) -> Samples:
    """Without the features that are made of labels: these know of every account that was ever reported."""
    known = features()
    kept = [i for i, name in enumerate(samples.columns) if known[name].family != "label history"]
    return replace(samples, columns=tuple(samples.columns[i] for i in kept), rows=samples.rows[:, kept])


def forget(samples: Samples, kept_users: np.ndarray) -> Samples:
    """The same user-days where only these accounts are known to be bad; the others pass for good."""
    is_known = np.isin(samples.windows.user, kept_users)
    known = replace(samples, is_bad=samples.is_bad & is_known, is_bad_account=samples.is_bad_account & is_known)
    return replace(known, weight=np.where(known.is_bad, samples.weight, known.stands_for))


def draws(samples: Samples, labels: int, repeats: int, seed: int) -> list[np.ndarray]:
    """So many bad accounts, drawn anew for each repeat."""
    bad = np.unique(samples.windows.user[samples.is_bad])
    return [np.random.default_rng([seed, labels, k]).permutation(bad)[:labels] for k in range(repeats)]


def learning_curves(trial: Trial, plan: Plan, tell: Callable[[str], None]) -> dict[str, list[CurvePoint]]:
    """Average precision of the test over the number of accounts known bad: mean, least and most of the draws.

    Features made of labels are left out. Arms that need no labels are fitted once, where nobody is known bad: that
    is their point at 0 labels, and what stands beside the features at others.
    """
    asked, judged = trial.protocol.learning_curve, trial.judged
    matured, tested = without_label_history(trial.seen), without_label_history(trial.test)
    everybody = np.unique(matured.windows.user[matured.is_bad])
    unsupervised, supervised = (
        [name for name in asked.arms if ARMS[name].kind == kind] for kind in ("unsupervised", "supervised")
    )
    sizes = sorted({*(labels for labels in asked.labels if labels < len(everybody)), len(everybody)})
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(labels: int, scores: Mapping[str, Doubles]) -> None:
        for name, score in scores.items():
            found[name][labels].append(average_precision(score, judged.is_bad))

    tell("learning curves: nobody known to be bad")
    nobody = np.empty(0, matured.windows.user.dtype)
    without = _said(unsupervised, forget(matured, nobody), forget(tested, nobody), trial.since, plan)
    add(0, {name: score for name, (_, score) in without.items()})
    for labels in sizes:
        repeats = 1 if labels == len(everybody) else asked.repeats
        for k, kept in enumerate(draws(matured, labels, repeats, plan.seed), 1):
            tell(f"learning curves: {labels:,} bad accounts known, draw {k} of {repeats}")
            seen, test = (forget(part, kept) for part in (matured, tested))
            if seen.is_bad.any():
                learned = _said(supervised, seen, test, trial.since, plan)
                add(labels, {name: score for name, (_, score) in learned.items()})
                add(labels, _stacked(seen, test, without | learned, plan))
    return {name: [_point(n, values) for n, values in sorted(points.items())] for name, points in found.items()}


def _point(labels: int, values: list[float]) -> CurvePoint:
    low, high = (min(values), max(values)) if len(values) > 1 else (None, None)
    return CurvePoint(labels=labels, value=float(np.mean(values)), low=low, high=high)


def _said(names: Sequence[str], seen: Samples, test: Samples, since: int, plan: Plan) -> dict[str, Column]:
    """What each arm says of the days learned from, forward in time, and of the test."""
    found: dict[str, Column] = {}
    for name in names:
        try:
            forward, _, scorer = forward_column(ARMS[name], seen, since, plan.seed, plan.threads, False)
        except InputError:  # too few labels for it
            continue
        found[name] = forward, scorer.score(test, plan.threads)
    return found


def _stacked(seen: Samples, test: Samples, said: Mapping[str, Column], plan: Plan) -> dict[str, Doubles]:
    """Scores of the test by the stacker over the features, alone and beside each arm."""
    learn, judged = seen.features(), test.features(seen)
    scores = {FEATURES: fit_and_score(seen, learn, plan, judged)[0]}
    for name, (forward, score) in said.items():
        mine = column_of(name)
        (scores[with_arm(name)],) = fit_and_score(seen, {**learn, mine: forward}, plan, {**judged, mine: score})
    return scores
