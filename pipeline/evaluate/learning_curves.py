"""Learning curves: what contenders reach when only few bad accounts are known."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pipeline.arrays import Codes, Doubles
from pipeline.catalogue import features
from pipeline.errors import InputError
from pipeline.evaluate.contenders import FEATURES, fit_and_score, with_base_model
from pipeline.evaluate.experiment import Experiment
from pipeline.evaluate.report.content import CurvePoint
from pipeline.metrics.ranking import average_precision
from pipeline.models.base import column_of
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.models.samples import Samples
from pipeline.train.clocks import AT_ONCE, LabelClock
from pipeline.train.known_labels import as_known
from pipeline.train.stacking import StackingPlan
from pipeline.train.walk_forward import walk_forward

ScorePair = tuple[Doubles, Doubles]  # walk-forward scores of the training days, and scores of the test


def without_label_history(samples: Samples) -> Samples:
    """Without the features made of labels: they would reveal every account ever reported."""
    known = features()
    kept = [i for i, name in enumerate(samples.columns) if known[name].family != "label history"]
    return replace(samples, columns=tuple(samples.columns[i] for i in kept), rows=samples.rows[:, kept])


def with_known_bad(samples: Samples, users: Codes, morning: int = 0, clock: LabelClock = AT_ONCE) -> Samples:
    """The same user-days on that morning if only these accounts are known to be bad; all others count as good."""
    if samples.bad is not None:
        return as_known(replace(samples, bad=samples.bad.among(users)), morning, clock)
    is_known = np.isin(samples.windows.user, users)
    known = replace(samples, is_bad=samples.is_bad & is_known, is_bad_account=samples.is_bad_account & is_known)
    return replace(known, weight=np.where(known.is_bad, samples.weight, known.stands_for))


def draw_bad_accounts(samples: Samples, labels: int, repeats: int, seed: int) -> list[Codes]:
    """So many bad accounts, drawn anew for each repeat."""
    bad = np.unique(samples.windows.user[samples.is_bad])
    return [np.random.default_rng([seed, labels, k]).permutation(bad)[:labels] for k in range(repeats)]


def learning_curves(
    experiment: Experiment, plan: StackingPlan, tell: Callable[[str], None]
) -> dict[str, list[CurvePoint]]:
    """Average precision of the test by number of known bad accounts: mean, least and most of the draws.

    Features made of labels are left out. Unsupervised base models are fitted once, with 0 known bad accounts. The
    stacker reads those scores at every number of labels.
    """
    curve, labels = experiment.protocol.learning_curve, experiment.test.labels
    training = without_label_history(experiment.training)
    tested = without_label_history(experiment.test.samples)
    all_bad = np.unique(training.windows.user[training.is_bad])
    unsupervised, supervised = (
        [name for name in curve.base_models if BASE_MODELS[name].kind == kind]
        for kind in ("unsupervised", "supervised")
    )
    sizes = sorted({*(size for size in curve.labels if size < len(all_bad)), len(all_bad)})
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(size: int, scores: Mapping[str, Doubles]) -> None:
        for name, score in scores.items():
            values[name][size].append(average_precision(score, labels.is_bad))

    tell("learning curves: no bad account known")
    nobody = np.empty(0, training.windows.user.dtype)
    morning = experiment.morning
    parts = with_known_bad(training, nobody, morning, plan.clock), with_known_bad(tested, nobody, morning, plan.clock)
    without_labels = _scores(unsupervised, *parts, experiment.since, plan)
    add(0, {name: score for name, (_, score) in without_labels.items()})
    for size in sizes:
        repeats = 1 if size == len(all_bad) else curve.repeats
        for k, users in enumerate(draw_bad_accounts(training, size, repeats, plan.seed), 1):
            tell(f"learning curves: {size:,} bad accounts known, draw {k} of {repeats}")
            some, test = (with_known_bad(part, users, morning, plan.clock) for part in (training, tested))
            if some.is_bad.any():
                with_labels = _scores(supervised, some, test, experiment.since, plan)
                add(size, {name: score for name, (_, score) in with_labels.items()})
                add(size, _stacked(some, test, without_labels | with_labels, plan))
    return {name: [_point(size, found) for size, found in sorted(points.items())] for name, points in values.items()}


def _point(labels: int, values: list[float]) -> CurvePoint:
    low, high = (min(values), max(values)) if len(values) > 1 else (None, None)
    return CurvePoint(labels=labels, value=float(np.mean(values)), low=low, high=high)


def _scores(
    names: Sequence[str], training: Samples, test: Samples, since: int, plan: StackingPlan
) -> dict[str, ScorePair]:
    """Scores of each base model that has enough labels to be fitted."""
    scores: dict[str, ScorePair] = {}
    for name in names:
        try:
            found = walk_forward(BASE_MODELS[name], training, since, plan.options)
        except InputError:
            continue
        scores[name] = found.scores, found.final.score(test, plan.threads)
    return scores


def _stacked(
    training: Samples, test: Samples, base_models: Mapping[str, ScorePair], plan: StackingPlan
) -> dict[str, Doubles]:
    """Scores of the test by the stacker over the features, alone and beside each base model."""
    learn, read = training.features(), test.features(training)
    scores = {FEATURES: fit_and_score(training, learn, plan, read)[0]}
    for name, (walked, score) in base_models.items():
        column = column_of(name)
        (scores[with_base_model(name)],) = fit_and_score(
            training, {**learn, column: walked}, plan, {**read, column: score}
        )
    return scores
