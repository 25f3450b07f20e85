"""What came of the lists, week by week, beside the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

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

    `known`: accounts that were reported before it was made, the same for all ways of working.
    """

    day: date
    entries: tuple[Entry, ...]
    active: frozenset[str]
    known: frozenset[str]
    reported: Mapping[str, Any] | None = None

    @property
    def picked(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.picked_by != "audit"]

    @property
    def audited(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.picked_by == "audit"]


@dataclass(frozen=True)
class WeekResult:
    """Sums of a week. Accounts that were reported before a day do not count, neither as bad nor as caught.

    `caught` of the week's bad accounts were picked on a bad day, in this week or an earlier one; `upper_bound` is what
    lists that know the truth had caught within the capacity. `expected` and `found` count bad rows among the picked.
    `not_picked` are bad user-days that were not; `not_picked_by_audits` is that, estimated by inverse propensity.
    `reported`: the share of bad accounts that is ever reported, as estimated when the week began, beside the true one.
    """

    week: int
    bad_accounts: int
    caught: int
    caught_by_audits: int
    upper_bound: int
    reviews: int
    picked: int
    expected: float | None
    found: int
    not_picked: int
    audits: int
    not_picked_by_audits: float | None
    reported: Mapping[str, Any] | None = None

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
        return {**vars(self), **shares}


def week_results(days: Sequence[ListedDay], truth: ShopTruth, capacity: int) -> list[WeekResult]:
    """The days in order, in weeks of seven."""
    weeks = [days[n : n + WEEK] for n in range(0, len(days), WEEK)]
    seen = Seen(set(), set(), set())
    return [_week(number, week, truth, capacity, seen) for number, week in enumerate(weeks, 1)]


@dataclass(frozen=True)
class Seen:
    """Bad accounts seen on a bad day so far: picked, drawn, and by lists that know the truth."""

    picked: set[str]
    drawn: set[str]
    best: set[str]


def _week(number: int, days: Sequence[ListedDay], truth: ShopTruth, capacity: int, seen: Seen) -> WeekResult:
    bad: set[str] = set()
    not_picked, found, estimate = 0, 0, 0.0
    for day in days:
        bad_today = {user for user in day.active if truth.is_bad(user, day.day)} - day.known
        bad |= bad_today
        picked = {entry.account for entry in day.picked}
        seen.picked.update(bad_today & picked)
        seen.drawn.update(bad_today & {entry.account for entry in day.audited})
        seen.best.update(sorted(bad_today - seen.best)[:capacity])
        found += sum(truth.is_bad(entry.account, day.day) for entry in day.picked)
        not_picked += len({user for user in day.active if truth.is_bad(user, day.day)} - picked)
        estimate += sum(1 / entry.propensity for entry in day.audited if truth.is_bad(entry.account, day.day))
    rows = [entry for day in days for entry in day.picked]
    risks = [entry.expected for entry in rows if entry.expected is not None]
    audits = sum(len(day.audited) for day in days)
    return WeekResult(
        week=number,
        bad_accounts=len(bad),
        caught=len(bad & seen.picked),
        caught_by_audits=len(bad & seen.drawn - seen.picked),
        upper_bound=len(bad & seen.best),
        reviews=len(rows) + audits,
        picked=len(rows),
        expected=sum(risks) if len(risks) == len(rows) else None,
        found=found,
        not_picked=not_picked,
        audits=audits,
        not_picked_by_audits=estimate if audits else None,
        reported=days[0].reported,
    )
