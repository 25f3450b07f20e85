"""The content of a report: every number with its baselines, its upper bound and its interval."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from pipeline.arrays import Doubles
from pipeline.evaluate.leaks.prices import Price
from pipeline.metrics.baselines import BASELINE, UPPER_BOUND
from pipeline.metrics.bootstrap import Bootstrap, Difference, Estimate, Metric, draw
from pipeline.metrics.scored_labels import ScoredLabels

METRICS: dict[Metric, str] = {
    "average_precision": "average precision",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "area under ROC",
}
SMALLEST_SHOWN = 0.0005  # a difference that rounds to 0 is no difference, however certain


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]  # None: cannot be measured
Verdict = Literal["better", "worse", "no different", "not known"]
Kind = Literal["baseline", "upper_bound", "contender"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(Part):
    """A number and its 95 % interval, by default from a bootstrap over accounts."""

    value: Number
    low: Number
    high: Number

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        return cls(value=estimate.value, low=estimate.low, high=estimate.high)

    @classmethod
    def of_range(cls, values: Doubles) -> Self:
        """Mean, least and most."""
        return cls(value=float(np.mean(values)), low=float(np.min(values)), high=float(np.max(values)))


class BudgetPoint(Part):
    """With `reviews` a day: caught accounts per review, and the share of the bad accounts that is caught."""

    reviews: int
    precision: Number
    recall: Number


class Delay(Part):
    """Kaplan-Meier: from `hours[i]` after the first bad event on, a share `undetected[i]` is still undetected."""

    cases: int
    detected: int
    within_24_hours: Number
    within_72_hours: Number
    median_hours: Number  # None: fewer than half were detected
    hours: list[float]
    undetected: list[float]


class Group(Part):
    """What a contender catches among some of the accounts, under the budget of all."""

    name: str
    accounts: int  # bad ones
    user_days: int  # bad ones
    average_precision: Number
    precision: Number  # of the reviews of these accounts; None for typologies, which no good account has
    recall: Number
    within_72_hours: Number


class ReliabilityBin(Part):
    user_days: int
    mean_risk: float
    bad_share: float


class Reliability(Part):
    """Calibration of a risk. Both precisions are of the reviewed user-days."""

    user_days: int
    calibration_error: Number
    by_chance: Interval  # the error of perfectly calibrated risks, if user-days were independent
    brier: Number
    bins: list[ReliabilityBin]
    expected_precision: Number
    observed_precision: Number


class Contender(Part):
    name: str
    average_precision: Interval
    precision: Interval
    recall: Interval
    roc_auc: Interval  # never leads: it is high wherever bad is rare
    reviewed: int  # user-days
    caught: int
    budgets: list[BudgetPoint]
    delay: Delay
    typologies: list[Group]
    worst_typology: str | None
    groups: list[Group] = []  # named by the protocol
    new_accounts: Group
    known_accounts: Group
    reliability: Reliability | None

    @property
    def kind(self) -> Kind:
        if self.name.startswith(BASELINE):
            return "baseline"
        return "upper_bound" if self.name.startswith(UPPER_BOUND) else "contender"


class Pair(Part):
    """`a` minus `b` on the same draws of accounts."""

    a: str
    b: str
    metric: Metric
    difference: Interval
    verdict: Verdict
    among: str | None = None  # a typology or a group; None: all accounts

    @classmethod
    def of(cls, a: str, b: str, metric: Metric, difference: Difference, among: str | None = None) -> Self:
        verdict: Verdict = "better" if difference.is_better else "worse" if difference.is_worse else "no different"
        if math.isnan(difference.low):
            verdict = "not known"
        elif max(abs(difference.low), abs(difference.high)) < SMALLEST_SHOWN:
            verdict = "no different"
        return cls(a=a, b=b, metric=metric, difference=Interval.of(difference), verdict=verdict, among=among)

    def without_verdict(self) -> Self:
        """With few accounts an interval does not hold its 95 %."""
        return self.model_copy(update={"verdict": "not known"})


class CurvePoint(Part):
    """What a contender reaches with so many known labels."""

    labels: int
    value: Number
    low: Number = None
    high: Number = None


class Move(Part):
    """An account that enters or leaves the top of a day. Ranks start at 1."""

    user: str
    is_bad: bool
    rank_before: int
    rank_after: int


class DayChange(Part):
    day: date
    stay: int
    enter: int
    leave: int
    bad_enter: int
    bad_leave: int
    entering: list[Move]  # only the highest
    leaving: list[Move]


class ListChanges(Part):
    """Accounts that enter and leave the top `reviews` of each day when `before` is replaced by `after`."""

    before: str
    after: str
    reviews: int
    days: list[DayChange]


class TrainingGap(Part):
    """Overfitting: the same metric on the days learned from, and on later days."""

    contender: str
    train: Number
    future: Number


class Shuffle(Part):
    """A contender fitted several times on shuffled labels. Its ROC AUC must be at chance.

    Average precision would not do: a function of useful features is above chance more often than below.
    """

    contender: str
    range: Interval  # mean, least and most
    chance: float = 0.5

    @classmethod
    def of(cls, contender: str, scores: Sequence[Doubles], labels: ScoredLabels) -> Self:
        """`scores` of the test, one for each shuffle."""
        shuffled = {str(i): score for i, score in enumerate(scores)}
        areas = draw(labels.with_scores(shuffled), list(shuffled), "roc_auc", bootstrap=Bootstrap(repeats=0)).value
        return cls(contender=contender, range=Interval.of_range(areas))

    @property
    def is_at_chance(self) -> bool | None:
        low, high = self.range.low, self.range.high
        return None if low is None or high is None else low <= self.chance <= high


class Placebo(Part):
    """Lift of noise columns over `b`: the variance of training, which the bootstrap does not contain.

    With n noise columns, a useless base model falls outside of least and most in 2 of n + 1 cases.
    """

    b: str
    metric: Metric
    columns: int
    range: Interval  # mean, least and most

    @classmethod
    def all_of(cls, b: str, scores: Sequence[Doubles], labels: ScoredLabels, reviews: int) -> list[Self]:
        """In average precision and recall. `scores` of the test with each noise column; `labels` has those of `b`."""
        if not scores:
            return []
        contenders = {b: labels.scores[b], **{f"{b} + noise {i}": score for i, score in enumerate(scores)}}
        once, placebos = Bootstrap(repeats=0), []
        for metric in ("average_precision", "recall"):
            value = draw(labels.with_scores(contenders), list(contenders), metric, reviews, once).value
            lift = Interval.of_range(value[1:] - value[0])
            placebos.append(cls(b=b, metric=metric, columns=len(scores), range=lift))
        return placebos


class Extras(Part):
    """What the caller measured. Gaps are in average precision, shuffles in ROC AUC."""

    notes: list[str] = []  # shown first: what the data are, and what they do not show
    learning_metric: str = "average precision"
    learning_unit: str = "bad accounts known"  # what counts as a label
    learning: dict[str, list[CurvePoint]] = {}
    gaps: list[TrainingGap] = []
    shuffles: list[Shuffle] = []
    placebos: list[Placebo] = []
    leaks: list[Price] = []


class Data(Part):
    user_days: int
    bad_user_days: int
    accounts: int
    bad_accounts: int
    new_accounts: int
    days: int
    first_day: date
    last_day: date
    prevalence: float  # share of user-days that is bad


class EvaluationReport(Extras):
    """A whole report. It needs a baseline and an upper bound."""

    protocol: str
    settings: dict[str, Any]
    reviews: int  # a day
    repeats: int  # of the bootstrap
    data: Data
    contenders: list[Contender]  # upper bounds, contenders by average precision, baselines
    pairs: list[Pair]
    pairs_by_group: list[Pair] = []  # recall
    changes: ListChanges | None

    @model_validator(mode="after")
    def _has_bounds(self) -> Self:
        missing = {"baseline", "upper_bound"} - {each.kind for each in self.contenders}
        if missing:
            raise ValueError(f"a report needs {' and '.join(sorted(missing))}".replace("_", " "))
        return self

    @property
    def pair_metrics(self) -> list[Metric]:
        """At most two metrics to show pairs by: average precision and recall, or those that all pairs have."""
        leading: tuple[Metric, ...] = ("average_precision", "recall")
        metrics_of: dict[tuple[str, str], dict[Metric, None]] = {}
        for pair in self.pairs:
            metrics_of.setdefault((pair.a, pair.b), {})[pair.metric] = None
        shared = [
            name for name in next(iter(metrics_of.values()), {}) if all(name in each for each in metrics_of.values())
        ]
        return [name for name in leading if name in shared] or shared[:2]
