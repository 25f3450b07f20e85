"""What came of the lists, week by week and in all, beside the truth."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from pipeline.evaluate.rehearsal.estimates import Estimate, expected_to_found, weighted_count
from pipeline.evaluate.rehearsal.plan import WEEK
from pipeline.evaluate.rehearsal.truth import ShopTruth


@dataclass(frozen=True)
class Entry:
    """A row of a published list. `expected`: the probability of being bad that it was published with, if any."""

    account: str
    picked_by: str
    expected: float | None
    propensity: float


@dataclass(frozen=True)
class ListedDay:
    """A day's list. `active` are all accounts it was chosen from. `reported`: what a training that morning estimated.

    `known`: accounts that were reported before it was made. `displaced`: accounts that the ranking would have listed
    in the place of the audit rows.
    """

    day: date
    entries: tuple[Entry, ...]
    active: frozenset[str]
    known: frozenset[str] = frozenset()
    displaced: frozenset[str] = frozenset()
    reported: Mapping[str, Any] | None = None

    @property
    def picked(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.picked_by != "audit"]

    @property
    def audited(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.picked_by == "audit"]


@dataclass(frozen=True)
class Sums:
    """Sums over days. Accounts that were reported before a day do not count, neither as bad nor as caught.

    `caught` of the days' bad accounts were picked on a bad day, then or earlier; `upper_bound` is what lists that know
    the truth had caught within the capacity. `lost_to_audits`: neither picked nor drawn, but the ranking would have
    listed them in the place of the audit rows. `expected` and `found` count bad rows among the picked. `not_picked` are
    bad user-days that were not; `not_picked_by_audits` is that, estimated by inverse propensity.
    """

    bad_accounts: int
    caught: int
    caught_by_audits: int
    lost_to_audits: int
    upper_bound: int
    reviews: int
    picked: int
    expected: float | None
    found: int
    expected_to_found: Estimate | None
    not_picked: int
    audits: int
    not_picked_by_audits: Estimate | None

    @property
    def recall(self) -> float | None:
        return self.caught / self.bad_accounts if self.bad_accounts else None

    @property
    def expected_precision(self) -> float | None:
        return self.expected / self.picked if self.picked and self.expected is not None else None

    @property
    def found_precision(self) -> float | None:
        return self.found / self.picked if self.picked else None

    def to_dict(self) -> dict[str, Any]:
        shares = {name: getattr(self, name) for name in ("recall", "expected_precision", "found_precision")}
        numbers = {
            name: value.to_dict() if isinstance(value, Estimate) else value for name, value in vars(self).items()
        }
        return {**numbers, **shares}


@dataclass(frozen=True)
class WayResult:
    """The weeks, and all of them as one.

    `reported` has an entry per week: the share of bad accounts that is ever reported, as estimated when it began, with
    its 90 % interval, beside the true share.
    """

    weeks: list[Sums]
    total: Sums
    reported: list[Mapping[str, Any] | None]

    @property
    def intervals(self) -> list[bool]:
        """Whether each estimated interval covers the true share. An assumption is no estimate."""
        estimated = [week for week in self.reported if week and week["reviewed"] and week["true"] is not None]
        return [Estimate(None, week["low"], week["high"]).covers(week["true"]) for week in estimated]

    def to_dict(self) -> dict[str, Any]:
        weeks = zip(self.weeks, self.reported, strict=True)
        return {
            "weeks": [
                {"week": number, **sums.to_dict(), "reported": reported}
                for number, (sums, reported) in enumerate(weeks, 1)
            ],
            "total": self.total.to_dict(),
            "reported_share": {"intervals": len(self.intervals), "covered": sum(self.intervals)},
        }


def way_result(days: Sequence[ListedDay], truth: ShopTruth, capacity: int) -> WayResult:
    """The days in order, in weeks of seven, and all of them."""
    weeks = [days[n : n + WEEK] for n in range(0, len(days), WEEK)]
    caught = Caught()
    return WayResult(
        weeks=[_sums(week, truth, capacity, caught) for week in weeks],
        total=_sums(days, truth, capacity, Caught()),
        reported=[week[0].reported for week in weeks],
    )


@dataclass(frozen=True)
class Caught:
    """Bad accounts caught on a bad day so far: by picked rows, by audit rows, by the displaced, by perfect lists."""

    picked: set[str] = field(default_factory=set)
    drawn: set[str] = field(default_factory=set)
    displaced: set[str] = field(default_factory=set)
    best: set[str] = field(default_factory=set)


def _sums(days: Sequence[ListedDay], truth: ShopTruth, capacity: int, caught: Caught) -> Sums:
    """`caught` is brought up to date."""
    bad: set[str] = set()
    not_picked, found = 0, 0
    for day in days:
        all_bad = {user for user in day.active if truth.is_bad(user, day.day)}
        new = all_bad - day.known
        bad |= new
        picked = {entry.account for entry in day.picked}
        caught.picked.update(new & picked)
        caught.drawn.update(new & {entry.account for entry in day.audited})
        caught.displaced.update(new & day.displaced)
        caught.best.update(sorted(new - caught.best)[:capacity])
        found += len(all_bad & picked)
        not_picked += len(all_bad - picked)
    rows = [(day.day, entry) for day in days for entry in day.picked]
    risks = [entry.expected for _, entry in rows if entry.expected is not None]
    audits = [(day.day, entry) for day in days for entry in day.audited]
    return Sums(
        bad_accounts=len(bad),
        caught=len(bad & caught.picked),
        caught_by_audits=len(bad & caught.drawn - caught.picked),
        lost_to_audits=len(bad & caught.displaced - caught.drawn - caught.picked),
        upper_bound=len(bad & caught.best),
        reviews=len(rows) + len(audits),
        picked=len(rows),
        expected=sum(risks) if len(risks) == len(rows) else None,
        found=found,
        expected_to_found=_expected_to_found(rows, truth),
        not_picked=not_picked,
        audits=len(audits),
        not_picked_by_audits=_not_picked_by(audits, truth) if audits else None,
    )


Rows = Sequence[tuple[date, Entry]]


def _expected_to_found(rows: Rows, truth: ShopTruth) -> Estimate | None:
    """Of the rows that were listed by risk."""
    by_account: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for day, entry in rows:
        if entry.expected is not None:
            by_account[entry.account].append((entry.expected, truth.is_bad(entry.account, day)))
    sums = [np.sum(each, axis=0, dtype=np.float64) for _, each in sorted(by_account.items())]
    return expected_to_found(*np.array(sums).reshape(-1, 2).T)


def _not_picked_by(audits: Rows, truth: ShopTruth) -> Estimate:
    weights = [1 / entry.propensity for day, entry in audits if truth.is_bad(entry.account, day)]
    return weighted_count(weights, max(1 / entry.propensity for _, entry in audits))
