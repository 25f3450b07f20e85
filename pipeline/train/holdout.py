"""Holdout metrics of the early stacker, for the manifest and the model card: each between baselines and an upper bound.

If only a share of the good accounts was read, each one stands for those left out, in the metrics as well. Recent
labels are incomplete: known bads are up-weighted, except in the review queue, where unlabelled counts as good.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.arrays import Doubles, Flags, Names
from pipeline.metrics.baselines import best_single_feature, oracle
from pipeline.metrics.list_metrics import list_metrics, rounded
from pipeline.metrics.review_queue import Catch
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.models import stacker
from pipeline.models.days import day_number
from pipeline.models.samples import Samples
from pipeline.train.stacking import Columns, Stacked, StackingPlan, fit_booster


@dataclass(frozen=True)
class Holdout:
    """The user-days that a stacker was fitted on, and which of them its early version has not learned from."""

    samples: Samples
    typology: Names
    base_models: Mapping[str, Doubles]  # columns by name
    surprise: Doubles  # what a list without risks is ranked by
    first: int  # day

    @property
    def is_later(self) -> Flags:
        return self.samples.windows.day >= self.first

    def labels(self, chosen: Flags) -> ScoredLabels:
        return labels_of(self.samples.take(chosen), self.typology[chosen])


def labels_of(samples: Samples, typology: Names) -> ScoredLabels:
    labels = ScoredLabels.of(samples.windows.user, samples.windows.day, samples.is_bad)
    return replace(labels, typology=typology, weight=samples.weight, stands_for=samples.stands_for)


def typologies_of(samples: Samples, bad: pa.Table) -> Names:
    """The typology of each bad user-day, from `known_bad_user_days`; None if none is given."""
    user = pc.index_in(bad.column("user_id"), value_set=samples.tokens.users).to_pylist()
    day = [day_number(day) for day in bad.column("event_day").to_pylist()]
    typologies = dict(zip(zip(user, day, strict=True), bad.column("typology").to_pylist(), strict=True))
    typology: Names = np.full(len(samples), None, object)
    for row in np.flatnonzero(samples.is_bad):
        typology[row] = typologies.get((int(samples.windows.user[row]), int(samples.windows.day[row])))
    return typology


def measure_holdout(stacked: Stacked, holdout: Holdout, plan: StackingPlan) -> dict[str, Any]:
    """Holdout metrics of the early model. Only the counts, if the holdout has no bad user-day."""
    is_later = holdout.is_later
    labels = holdout.labels(is_later)
    risk = stacked.label_calibration.risk(stacked.scores[is_later])
    metrics = list_metrics(labels, risk, plan.reviews)
    if not metrics["bad"]:
        return metrics
    typologies = sorted(
        _recalls(labels, labels.catch(risk, plan.reviews)), key=lambda each: (each["recall"], each["typology"])
    )
    return {
        **metrics,
        "baselines": {
            "random": {
                "average_precision": metrics["baseline_random"],
                "precision_at_reviews": rounded(_precision_by_chance(labels, plan.reviews)),
            },
            "single_feature": _single_feature(holdout, labels, plan),
            "surprise": _both(labels, holdout.surprise[is_later], plan),
        },
        "upper_bound": _both(labels, oracle(labels, plan.reviews), plan),
        "typologies": typologies,
        "worst_typology": typologies[0]["typology"],
        "overfitting": _overfitting(stacked, holdout, plan),
    }


def _both(labels: ScoredLabels, score: Doubles, plan: StackingPlan) -> dict[str, float | None]:
    """Average precision, and precision at the review budget."""
    return {
        "average_precision": rounded(labels.average_precision(score)),
        "precision_at_reviews": rounded(labels.catch(score, plan.reviews).precision),
    }


def _recalls(labels: ScoredLabels, catch: Catch) -> Iterator[dict[str, Any]]:
    """Share of the accounts of each typology that was caught, on whichever of their bad days."""
    for name, is_of in labels.bad_by_typology().items():
        accounts = np.unique(labels.account[is_of])
        recall = round(catch.recall_among(accounts), 4)
        yield {"typology": name, "accounts": len(accounts), "user_days": int(is_of.sum()), "recall": recall}


def _precision_by_chance(labels: ScoredLabels, reviews: int) -> float:
    """Expected precision of a random order, before any account is caught."""
    day = np.unique(labels.day, return_inverse=True)[1]
    active, bad = np.bincount(day, labels.stands_for), np.bincount(day, labels.is_bad)
    return float((np.minimum(1, reviews / active) * bad).sum() / (reviews * len(active)))


def _single_feature(holdout: Holdout, labels: ScoredLabels, plan: StackingPlan) -> dict[str, Any]:
    """The feature and direction that rank best on the earlier days, measured on the holdout."""
    learned = holdout.samples.take(~holdout.is_later)
    name, sign = best_single_feature(learned.features(), learned.is_bad, plan.seed)
    score = sign * holdout.samples.column(name)[holdout.is_later]
    return {"feature": name, "which": "most" if sign > 0 else "least", **_both(labels, score, plan)}


def _overfitting(stacked: Stacked, holdout: Holdout, plan: StackingPlan) -> dict[str, Any]:
    """Average precision on the days learned from and on the holdout, and the latter with shuffled labels."""
    samples, is_later = holdout.samples, holdout.is_later
    learned, later = holdout.labels(~is_later), holdout.labels(is_later)
    place = {name: i for i, name in enumerate(samples.columns)}
    columns: Columns = {
        name: samples.rows[:, place[name]] if name in place else holdout.base_models[name] for name in stacked.columns
    }
    matrix = np.column_stack([column.astype(np.float32) for column in columns.values()])
    score = stacker.predict(stacked.early, stacked.columns, matrix)
    rows = np.arange(len(samples))
    rows[~is_later] = np.random.default_rng(plan.seed).permutation(rows[~is_later])
    shuffled = replace(samples, is_bad=samples.is_bad[rows], weight=samples.weight[rows])
    chance = fit_booster(shuffled, columns, plan, ~is_later)
    return {
        "user_days": len(learned),
        "bad": int(learned.is_bad.sum()),
        "average_precision_learned": rounded(learned.average_precision(score[~is_later])),
        "average_precision_later": rounded(later.average_precision(score[is_later])),
        "average_precision_labels_shuffled": rounded(
            later.average_precision(stacker.predict(chance, stacked.columns, matrix[is_later]))
        ),
    }
