"""What one contender finds: under the budget, in each typology, among new accounts, and whether its risk is true."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.bounds import ORACLE, oracle
from pipeline.evaluate.delays import Cases, detection_cases
from pipeline.evaluate.intervals import Estimate, Metric, average_precision
from pipeline.evaluate.judged import Judged
from pipeline.evaluate.reliability import calibration_error, calibration_error_by_chance, reliability, wrong_shares
from pipeline.evaluate.report import BudgetPoint, Contender, Delay, Group, Interval, Reliability, ReliabilityBin
from pipeline.evaluate.reviews import Queue, accounts_of, recall_of_accounts

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

BUDGETS = (5, 10, 20, 35, 50, 75, 100, 150, 200, 350, 500, 1000)
NAMELESS = "(no typology)"


@dataclass(frozen=True)
class Test:
    """What every contender is judged on."""

    judged: Judged
    reviews: int
    known_from: Doubles | None = None
    groups: Mapping[str, Flags] = field(default_factory=dict)  # bad user-days to tell apart beside the typologies

    @cached_property
    def account(self) -> NDArray[np.int32]:
        return accounts_of(self.judged.user)

    @cached_property
    def days(self) -> int:
        return len(np.unique(self.judged.day))

    @cached_property
    def typologies(self) -> dict[str, Flags]:
        """The bad user-days of each kind of abuse."""
        return bad_by_typology(self.judged.is_bad, self.judged.typology)

    @cached_property
    def budgets(self) -> list[int]:
        """Reviews a day, up to those that take in all of the largest day."""
        most = int(np.unique(self.judged.day, return_counts=True)[1].max())
        return sorted({*(reviews for reviews in BUDGETS if reviews < most), min(most, BUDGETS[-1]), self.reviews})


def bad_by_typology(is_bad: Flags, typology: NDArray[np.object_]) -> dict[str, Flags]:
    """The bad user-days of each kind of abuse, by name; those of none that is known are a kind of their own."""
    names = np.array([NAMELESS if name is None else str(name) for name in typology], object)
    return {name: is_bad & (names == name) for name in sorted(set(names[is_bad]))}


@dataclass(frozen=True)
class _Seen:
    """A contender's score and what it gets reviewed and caught under the budget."""

    score: Doubles
    queue: Queue
    is_reviewed: Flags
    is_caught: Flags
    cases: Cases

    @classmethod
    def of(cls, test: Test, name: str) -> "_Seen":
        judged, score = test.judged, test.judged.scores[name]
        queue = Queue.of(score, judged.is_bad, judged.day, test.account)
        is_reviewed = queue.reviewed(test.reviews)
        is_caught = is_reviewed & judged.is_bad
        return cls(score, queue, is_reviewed, is_caught, detection_cases(judged, is_caught, test.known_from))


def measure_contender(test: Test, name: str, found: Mapping[Metric, Estimate]) -> Contender:
    """`found` are its metrics on the whole test, with intervals."""
    judged, seen = test.judged, _Seen.of(test, name)
    typologies = [_of_typology(judged, seen, kind, is_kind) for kind, is_kind in test.typologies.items()]
    return Contender(
        name=name,
        average_precision=Interval.of(found["average_precision"]),
        precision=Interval.of(found["precision"]),
        recall=Interval.of(found["recall"]),
        roc_auc=Interval.of(found["roc_auc"]),
        reviewed=int(seen.is_reviewed.sum()),
        caught=int(seen.is_caught.sum()),
        budgets=[_at(test, name, seen, reviews) for reviews in test.budgets],
        delay=_delay(seen.cases),
        typologies=typologies,
        worst_typology=_worst(typologies),
        groups=[_of_typology(judged, seen, group, is_in) for group, is_in in test.groups.items()],
        new_accounts=_of_accounts(judged, seen, "new accounts", judged.is_new),
        known_accounts=_of_accounts(judged, seen, "known accounts", ~judged.is_new),
        reliability=_reliability(judged, seen) if name in judged.risks else None,
    )


def _at(test: Test, name: str, seen: _Seen, reviews: int) -> BudgetPoint:
    """The oracle plans anew for each budget."""
    judged = test.judged
    queue = seen.queue
    if name == ORACLE:
        queue = Queue.of(oracle(judged, reviews), judged.is_bad, judged.day, test.account)
    is_caught = queue.reviewed(reviews) & judged.is_bad
    return BudgetPoint(
        reviews=reviews,
        precision=float(is_caught.sum() / (reviews * test.days)),
        recall=recall_of_accounts(is_caught, judged.is_bad, judged.user),
    )


def _of_typology(judged: Judged, seen: _Seen, name: str, is_kind: Flags) -> Group:
    """Against all ordinary user-days. An account with several kinds of abuse is caught by any of them."""
    return _group(judged, seen, name, is_kind, is_kind | ~judged.is_bad, None)


def _of_accounts(judged: Judged, seen: _Seen, name: str, those: Flags) -> Group:
    reviewed = int((seen.is_reviewed & those).sum())
    precision = float((seen.is_caught & those).sum() / reviewed) if reviewed else None
    return _group(judged, seen, name, those & judged.is_bad, those, precision)


def _group(judged: Judged, seen: _Seen, name: str, target: Flags, among: Flags, precision: float | None) -> Group:
    accounts = np.unique(judged.user[target])
    return Group(
        name=name,
        accounts=len(accounts),
        user_days=int(target.sum()),
        average_precision=average_precision(seen.score[among], target[among]),
        precision=precision,
        recall=float(np.isin(accounts, judged.user[seen.is_caught]).mean()) if len(accounts) else None,
        within_72_hours=seen.cases.among(accounts).within(72),
    )


def _worst(typologies: list[Group]) -> str | None:
    """Where the smallest share of accounts is caught; ties by average precision, then by name."""
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


def _reliability(judged: Judged, seen: _Seen) -> Reliability:
    """Of the user-days that have a risk."""
    is_known = ~np.isnan(seen.score)
    risk, is_bad, is_reviewed = seen.score[is_known], judged.is_bad[is_known], seen.is_reviewed[is_known]
    promised, found = wrong_shares(risk, is_bad, is_reviewed)
    return Reliability(
        user_days=len(risk),
        calibration_error=calibration_error(risk, is_bad),
        by_chance=Interval.of(Estimate.of(calibration_error_by_chance(risk))),
        brier=float(np.mean((risk - is_bad) ** 2)) if len(risk) else None,
        bins=[ReliabilityBin(**vars(each)) for each in reliability(risk, is_bad)],
        promised_wrong=promised,
        found_wrong=found,
    )
