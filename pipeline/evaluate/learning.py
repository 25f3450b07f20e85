"""Learning curves: what is found when only so many bad accounts are known."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pipeline.errors import InputError
from pipeline.evaluate import contenders
from pipeline.evaluate.contenders import FEATURES, SURPRISE, fit_and_score, with_arm
from pipeline.evaluate.intervals import average_precision
from pipeline.evaluate.report import CurvePoint
from pipeline.evaluate.trial import Trial
from pipeline.models.arms.catalogue import ARMS
from pipeline.models.samples import Doubles, Samples
from pipeline.models.table import column_of
from pipeline.train.forward import forward_column
from pipeline.train.stacking import Plan


def forget(samples: Samples, kept_users: np.ndarray) -> Samples:
    """The same user-days where only these accounts are known to be bad; the others pass for good."""
    is_known = np.isin(samples.windows.user, kept_users)
    known = replace(samples, is_bad=samples.is_bad & is_known, is_bad_account=samples.is_bad_account & is_known)
    return replace(known, weight=np.where(known.is_bad, samples.weight, known.stands_for))


def draws(samples: Samples, labels: int, repeats: int, seed: int) -> list[np.ndarray]:
    """So many bad accounts, drawn anew for each repeat; none at all where fewer are known."""
    bad = np.unique(samples.windows.user[samples.is_bad])
    if labels > len(bad):
        return []
    return [np.random.default_rng([seed, labels, k]).permutation(bad)[:labels] for k in range(repeats)]


def learning_curves(
    trial: Trial, plan: Plan, tell: Callable[[str], None] = lambda _: None
) -> dict[str, list[CurvePoint]]:
    """Average precision of the test over the number of accounts known bad: mean, least and most of the draws."""
    asked, judged = trial.protocol.learning_curve, trial.judged
    matured = trial.seen
    everybody = np.unique(matured.windows.user[matured.is_bad])
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for labels in (*asked.labels, len(everybody)):
        repeats = 1 if labels == len(everybody) else asked.repeats
        for k, kept in enumerate(draws(matured, labels, repeats, plan.seed), 1):
            tell(f"learning curves: {labels:,} bad accounts known, draw {k} of {repeats}")
            for name, score in _taught(trial, kept, plan).items():
                found[name][labels].append(average_precision(score, judged.is_bad))
    nobody = average_precision(contenders.product(trial, trial.bundle)[SURPRISE], judged.is_bad)
    flat = {SURPRISE: [CurvePoint(labels=labels, value=nobody) for labels in (0, *asked.labels, len(everybody))]}
    return flat | {
        name: [
            CurvePoint(labels=n, value=float(np.mean(values)), low=min(values), high=max(values))
            for n, values in sorted(points.items())
        ]
        for name, points in found.items()
    }


def _taught(trial: Trial, kept: np.ndarray, plan: Plan) -> dict[str, Doubles]:
    """Scores of the test by contenders that know only these accounts to be bad."""
    seen, test = (forget(part, kept) for part in (trial.seen, trial.test))
    if not seen.is_bad.any():
        return {}
    learn, judged = seen.features(), test.features(seen)
    scores = {FEATURES: fit_and_score(seen, learn, judged, plan)[0]}
    for name in trial.protocol.learning_curve.arms:
        try:
            forward, _, scorer = forward_column(ARMS[name], seen, trial.since, plan.seed, plan.threads, False)
        except InputError:
            continue
        mine, said = column_of(name), scorer.score(test, plan.threads)
        scores[name] = said
        scores[with_arm(name)], _ = fit_and_score(seen, {**learn, mine: forward}, {**judged, mine: said}, plan)
    return scores
