"""What the referee says about a test: numbers with their floors, ceilings and intervals, as JSON and as a page."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from pipeline.evaluate.bounds import CEILING, FLOOR
from pipeline.evaluate.intervals import Difference, Estimate, Metric, draw
from pipeline.evaluate.judged import Doubles, Judged
from pipeline.evaluate.leaks.prices import Price
from pipeline.files import write_atomically

METRICS: dict[Metric, str] = {
    "average_precision": "average precision",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "area under ROC",
}
SHOWN = 0.0005  # a difference that is 0 in every digit shown is none, however sure


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_known)]  # None: nothing to measure it by
Verdict = Literal["better", "worse", "no different", "not known"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(Part):
    """A number and where 95 % of its draws lie: of the bootstrap over accounts, where nothing else is said."""

    value: Number
    low: Number
    high: Number

    @classmethod
    def of(cls, found: Estimate) -> Self:
        return cls(value=found.value, low=found.low, high=found.high)


class BudgetPoint(Part):
    """At `reviews` a day: caught accounts per review, and of the bad accounts the share that is caught."""

    reviews: int
    precision: Number
    recall: Number


class Delay(Part):
    """Kaplan-Meier: a share `undetected[i]` is not detected yet from `hours[i]` after its first bad event on."""

    cases: int
    detected: int
    within_24_hours: Number
    within_72_hours: Number
    median_hours: Number  # None: half is never seen detected
    hours: list[float]
    undetected: list[float]


class Group(Part):
    """What a contender finds among some of the accounts, under the budget of all."""

    name: str
    accounts: int  # bad ones
    user_days: int  # bad ones
    average_precision: Number
    precision: Number  # of the reviews these accounts got; None for typologies, which no ordinary account has
    recall: Number
    within_72_hours: Number


class ReliabilityBin(Part):
    user_days: int
    promised: float
    found: float


class Reliability(Part):
    """What a risk promises against what was found; the wrong shares are of what is reviewed under the budget."""

    user_days: int
    calibration_error: Number
    by_chance: Interval  # the error that these risks would show if they were true and no user-day told of another
    brier: Number
    bins: list[ReliabilityBin]
    promised_wrong: Number
    found_wrong: Number


class Contender(Part):
    name: str
    average_precision: Interval
    precision: Interval
    recall: Interval
    roc_auc: Interval  # never leads: it is good wherever bad is rare
    reviewed: int  # user-days
    caught: int
    budgets: list[BudgetPoint]
    delay: Delay
    typologies: list[Group]
    worst_typology: str | None
    groups: list[Group] = []  # that the protocol tells apart
    new_accounts: Group
    known_accounts: Group
    reliability: Reliability | None

    @property
    def kind(self) -> Literal["floor", "ceiling", "contender"]:
        return "floor" if self.name.startswith(FLOOR) else "ceiling" if self.name.startswith(CEILING) else "contender"


class Pair(Part):
    """`a` minus `b` on the same draws of accounts."""

    a: str
    b: str
    metric: Metric
    difference: Interval
    verdict: Verdict
    among: str | None = None  # a typology or a group; without one, all accounts

    @classmethod
    def of(
        cls, a: str, b: str, metric: Metric, found: Difference, among: str | None = None, is_enough: bool = True
    ) -> Self:
        """Without `is_enough` accounts there is no verdict: too few are drawn for the interval to hold."""
        verdict: Verdict = "better" if found.is_better else "worse" if found.is_worse else "no different"
        if math.isnan(found.low) or not is_enough:
            verdict = "not known"
        elif max(abs(found.low), abs(found.high)) < SHOWN:
            verdict = "no different"
        return cls(a=a, b=b, metric=metric, difference=Interval.of(found), verdict=verdict, among=among)


class CurvePoint(Part):
    """What a contender reaches with so many known labels."""

    labels: int
    value: Number
    low: Number = None
    high: Number = None


class Move(Part):
    """An account that enters or leaves the top of a day; ranks from 1."""

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
    entering: list[Move]  # the highest of them, not all
    leaving: list[Move]


class ListChanges(Part):
    """Who enters and who leaves the top `reviews` of each day when `before` gives way to `after`."""

    before: str
    after: str
    reviews: int
    days: list[DayChange]


class TrainingGap(Part):
    """Overfitting: the same metric on what was learned from and on later days."""

    contender: str
    train: Number
    future: Number


class Shuffle(Part):
    """A contender that learned from labels dealt out at random, several times: its ROC AUC is that of chance.

    Not its average precision: any function of features that matter is above the share of bad ones more often than
    below it.
    """

    contender: str
    found: Interval  # mean, least and most
    chance: float = 0.5

    @classmethod
    def of(cls, contender: str, scores: Sequence[Doubles], judged: Judged) -> Self:
        """`scores` of the test by each deal of labels."""
        dealt = {str(i): score for i, score in enumerate(scores)}
        areas, _ = draw(replace(judged, scores=dealt), list(dealt), "roc_auc", repeats=0)
        return cls(
            contender=contender, found=Interval.of(Estimate(*(float(f(areas)) for f in (np.mean, np.min, np.max))))
        )

    @property
    def is_at_chance(self) -> bool | None:
        low, high = self.found.low, self.found.high
        return None if low is None or high is None else low <= self.chance <= high


class Placebo(Part):
    """What columns of random numbers add beside `b`, one at a time, by accident of training: the bootstrap draws
    accounts again, not the training. Mean, least and most of the columns.

    Of n of them, 2 in n + 1 arms that know nothing fall outside of least and most.
    """

    b: str
    metric: Metric
    columns: int
    found: Interval

    @classmethod
    def all_of(cls, b: str, scores: Sequence[Doubles], judged: Judged, reviews: int) -> list[Self]:
        """In average precision and in recall. `scores` of the test with each column; `b` is a contender of `judged`."""
        if not scores:
            return []
        drawn = {b: judged.scores[b], **{f"{b} + random numbers {i}": score for i, score in enumerate(scores)}}
        found: list[Self] = []
        for metric in ("average_precision", "recall"):
            value, _ = draw(replace(judged, scores=drawn), list(drawn), metric, 0, reviews=reviews)
            added = value[1:] - value[0]
            between = Estimate(*(float(f(added)) for f in (np.mean, np.min, np.max)))
            found.append(cls(b=b, metric=metric, columns=len(scores), found=Interval.of(between)))
        return found


class Given(Part):
    """What the caller measured: gaps are in average precision, shuffles in ROC AUC."""

    notes: list[str] = []  # said on top: what the data are, and what they do not show
    learning_metric: str = "average precision"
    learning_unit: str = "bad accounts known"  # what is counted as a label
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
    prevalence: float  # bad user-days of all


class Report(Given):
    """All of it. A report without a floor and a ceiling is refused."""

    protocol: str
    settings: dict[str, Any]
    reviews: int  # a day
    repeats: int  # draws of the bootstrap
    data: Data
    contenders: list[Contender]  # ceilings, contenders from the best average precision down, floors
    pairs: list[Pair]
    pairs_by_group: list[Pair] = []  # recall
    changes: ListChanges | None

    @model_validator(mode="after")
    def _stand_between_bounds(self) -> Self:
        missing = {"floor", "ceiling"} - {each.kind for each in self.contenders}
        if missing:
            raise ValueError(f"a report needs a {' and a '.join(sorted(missing))}")
        return self

    def contender(self, name: str) -> Contender:
        return next(each for each in self.contenders if each.name == name)

    @property
    def pair_metrics(self) -> list[Metric]:
        """What pairs are shown by where there is room for two: average precision and recall, or what all have."""
        leading: tuple[Metric, ...] = ("average_precision", "recall")
        of: dict[tuple[str, str], dict[Metric, None]] = {}
        for pair in self.pairs:
            of.setdefault((pair.a, pair.b), {})[pair.metric] = None
        shared = [name for name in next(iter(of.values()), {}) if all(name in found for found in of.values())]
        return [name for name in leading if name in shared] or shared[:2]


def write_report(report: Report, folder: Path) -> None:
    """`report.json` and `report.html`, each whole or not there."""
    from pipeline.evaluate.page import page

    html = page(report)
    write_atomically(folder / "report.json", report.model_dump_json(indent=2) + "\n")
    write_atomically(folder / "report.html", html)
