"""All numbers of one contender: under the budget, by typology, among new accounts, and its calibration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pipeline.arrays import Doubles, Flags
from pipeline.evaluate.report.content import (
    BudgetPoint,
    Contender,
    Delay,
    Group,
    Interval,
    Reliability,
    ReliabilityBin,
)
from pipeline.metrics.baselines import ORACLE, oracle
from pipeline.metrics.bootstrap import Estimate, Metric
from pipeline.metrics.detection_delay import Cases, detection_cases
from pipeline.metrics.ranking import average_precision
from pipeline.metrics.reliability import (
    calibration_error,
    calibration_error_by_chance,
    expected_and_observed_precision,
    reliability,
)
from pipeline.metrics.review_queue import Catch, ReviewQueue
from pipeline.metrics.scored_labels import ScoredLabels

BUDGETS = (5, 10, 20, 35, 50, 75, 100, 150, 200, 350, 500, 1000)


@dataclass(frozen=True)
class EvaluationSet:
    """What every contender is measured on. `groups` are masks of bad user-days (n,), beside the typologies.

    `reported_at`: hours since 1970 when a label reported the account (n,), NaN if none did.
    """

    labels: ScoredLabels
    reviews: int
    reported_at: Doubles | None = None
    groups: Mapping[str, Flags] = field(default_factory=dict)

    @cached_property
    def typologies(self) -> dict[str, Flags]:
        return self.labels.bad_by_typology()

    @cached_property
    def budgets(self) -> list[int]:
        """Reviews a day, up to the size of the largest day."""
        most = int(np.unique(self.labels.day, return_counts=True)[1].max())
        return sorted({*(reviews for reviews in BUDGETS if reviews < most), min(most, BUDGETS[-1]), self.reviews})


def summarise_contender(test: EvaluationSet, name: str, estimates: Mapping[Metric, Estimate]) -> Contender:
    """`estimates` are its metrics on the whole test, with intervals."""
    result = _Result.of(test, name)
    typologies = [result.of_typology(typology, is_of) for typology, is_of in test.typologies.items()]
    return Contender(
        name=name,
        average_precision=Interval.of(estimates["average_precision"]),
        precision=Interval.of(estimates["precision"]),
        recall=Interval.of(estimates["recall"]),
        roc_auc=Interval.of(estimates["roc_auc"]),
        reviewed=int(result.is_reviewed.sum()),
        caught=int(result.catch.total),
        budgets=[_at_budget(test, name, result, reviews) for reviews in test.budgets],
        delay=_delay(result.cases),
        typologies=typologies,
        worst_typology=_worst(typologies),
        groups=[result.of_typology(group, is_in) for group, is_in in test.groups.items()],
        new_accounts=result.of_accounts("new accounts", test.labels.is_new),
        known_accounts=result.of_accounts("known accounts", ~test.labels.is_new),
        reliability=_reliability(result) if name in test.labels.risks else None,
    )


@dataclass(frozen=True)
class _Result:
    """A contender's score, and what is reviewed and caught with it under the budget."""

    labels: ScoredLabels
    score: Doubles
    queue: ReviewQueue
    catch: Catch
    is_reviewed: Flags
    cases: Cases

    @classmethod
    def of(cls, test: EvaluationSet, name: str) -> "_Result":
        labels, score = test.labels, test.labels.scores[name]
        queue = labels.queue(score)
        is_reviewed = queue.reviewed(test.reviews)
        cases = detection_cases(labels, is_reviewed & labels.is_bad, test.reported_at)
        return cls(labels, score, queue, queue.catch(test.reviews), is_reviewed, cases)

    def of_typology(self, name: str, is_of: Flags) -> Group:
        """Against all good user-days. An account of several typologies is caught by any of them."""
        return self._group(name, is_of, is_of | ~self.labels.is_bad, None)

    def of_accounts(self, name: str, is_among: Flags) -> Group:
        reviewed = self.is_reviewed & is_among
        precision = float(self.labels.is_bad[reviewed].mean()) if reviewed.any() else None
        return self._group(name, is_among & self.labels.is_bad, is_among, precision)

    def _group(self, name: str, target: Flags, among: Flags, precision: float | None) -> Group:
        accounts = np.unique(self.labels.account[target])
        return Group(
            name=name,
            accounts=len(accounts),
            user_days=int(target.sum()),
            average_precision=average_precision(self.score[among], target[among]),
            precision=precision,
            recall=self.catch.recall_among(accounts),
            within_72_hours=self.cases.among(np.unique(self.labels.user[target])).within(72),
        )


def _at_budget(test: EvaluationSet, name: str, result: _Result, reviews: int) -> BudgetPoint:
    """The oracle plans anew for each budget."""
    queue = test.labels.queue(oracle(test.labels, reviews)) if name == ORACLE else result.queue
    catch = queue.catch(reviews)
    return BudgetPoint(reviews=reviews, precision=catch.precision, recall=catch.recall)


def _worst(typologies: list[Group]) -> str | None:
    """The lowest recall; ties by average precision, then by name."""
    return min(
        ((group.recall or 0.0, group.average_precision or 0.0, group.name) for group in typologies),
        default=(0.0, 0.0, None),
    )[2]


def _delay(cases: Cases) -> Delay:
    curve = cases.delays
    return Delay(
        cases=len(cases.user),
        detected=int(cases.is_detected.sum()),
        within_24_hours=cases.within(24),
        within_72_hours=cases.within(72),
        median_hours=curve.median,
        hours=curve.hours.tolist(),
        undetected=curve.undetected.tolist(),
    )


def _reliability(result: _Result) -> Reliability:
    """Of the user-days that have a risk."""
    has_risk = ~np.isnan(result.score)
    risk, is_bad, is_reviewed = result.score[has_risk], result.labels.is_bad[has_risk], result.is_reviewed[has_risk]
    expected, observed = expected_and_observed_precision(risk, is_bad, is_reviewed)
    return Reliability(
        user_days=len(risk),
        calibration_error=calibration_error(risk, is_bad),
        by_chance=Interval.of(Estimate.of(calibration_error_by_chance(risk))),
        brier=float(np.mean((risk - is_bad) ** 2)) if len(risk) else None,
        bins=[ReliabilityBin(**vars(each)) for each in reliability(risk, is_bad)],
        expected_precision=expected,
        observed_precision=observed,
    )
