"""Measure every contender of a test, with baselines and an upper bound beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.evaluate.contender_summary import EvaluationSet, summarise_contender
from pipeline.evaluate.report.content import Contender, Data, EvaluationReport, Extras, ListChanges, Pair
from pipeline.metrics.baselines import with_baselines
from pipeline.metrics.bootstrap import Bootstrap, Draws, Metric, draw, draw_recalls
from pipeline.metrics.scored_labels import ScoredLabels

METRICS: tuple[Metric, ...] = ("average_precision", "precision", "recall", "roc_auc")
EVERYBODY = "(everybody)"
ENOUGH = 20  # bad accounts for a verdict: with five, equals differ "surely" twice as often as they should


@dataclass(frozen=True)
class Summary:
    """What a report says beside its numbers: the protocol, its settings, which pairs to compare."""

    protocol: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    pairs: Sequence[tuple[str, str]] = ()
    changes: ListChanges | None = None
    extras: Extras = Extras()  # noqa: RUF009 - frozen
    bootstrap: Bootstrap = Bootstrap()  # noqa: RUF009 - frozen

    def report(self, test: EvaluationSet) -> EvaluationReport:
        """Add the random order and the oracle, and measure all. Raises InputError if nothing is bad."""
        labels, seed = test.labels, self.bootstrap.seed
        if not labels.is_bad.any():
            raise InputError(
                f"no bad user-day among the {len(labels):,} of the test", fix="choose days with known labels"
            )
        test = replace(test, labels=with_baselines(labels, test.reviews, seed))
        names = list(test.labels.scores)
        if unknown := sorted({name for pair in self.pairs for name in pair} - set(names)):
            raise InputError(f"no contender is called {unknown}", f"contenders: {', '.join(names)}")
        groups = {**test.groups, **test.typologies}
        by_group = draw_recalls(test.labels, names, {EVERYBODY: labels.is_bad, **groups}, test.reviews, self.bootstrap)
        draws: dict[Metric, Draws] = {"recall": by_group.pop(EVERYBODY)}
        for metric in METRICS:
            if metric not in draws:
                draws[metric] = draw(test.labels, names, metric, test.reviews, self.bootstrap)
        pairs_by_group = [
            (Pair.of(a, b, "recall", recalls.difference(a, b), group), len(np.unique(labels.user[groups[group]])))
            for a, b in self.pairs
            for group, recalls in by_group.items()
        ]
        contenders = [
            summarise_contender(test, name, {metric: draws[metric].estimate(name) for metric in METRICS})
            for name in names
        ]
        return EvaluationReport(
            protocol=self.protocol,
            settings=dict(self.settings),
            reviews=test.reviews,
            repeats=self.bootstrap.repeats,
            data=_data(labels),
            contenders=sorted(contenders, key=_place),
            pairs=[Pair.of(a, b, metric, draws[metric].difference(a, b)) for a, b in self.pairs for metric in METRICS],
            pairs_by_group=[
                pair if accounts >= ENOUGH else pair.without_verdict() for pair, accounts in pairs_by_group
            ],
            changes=self.changes,
            **dict(self.extras),
        )


def _place(contender: Contender) -> tuple[int, float, str]:
    kinds = ("upper_bound", "contender", "baseline")
    return kinds.index(contender.kind), -(contender.average_precision.value or 0.0), contender.name


def _data(labels: ScoredLabels) -> Data:
    days = np.unique(labels.day)
    return Data(
        user_days=len(labels),
        bad_user_days=int(labels.is_bad.sum()),
        accounts=len(np.unique(labels.user)),
        bad_accounts=len(np.unique(labels.user[labels.is_bad])),
        new_accounts=len(np.unique(labels.user[labels.is_new])),
        days=len(days),
        first_day=date(1970, 1, 1) + timedelta(days=int(days[0])),
        last_day=date(1970, 1, 1) + timedelta(days=int(days[-1])),
        prevalence=float(labels.is_bad.mean()),
    )
