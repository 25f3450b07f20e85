"""Reviewers: they judge what is on the list and nothing else, take their time, and are wrong at times."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from pipeline.evaluate.mornings import morning_after
from pipeline.evaluate.rehearsal.plan import Plan
from pipeline.evaluate.rehearsal.truth import ShopTruth

HEADER = "day,user_id,verdict,typology,analyst,decided_at,scope,since"


@dataclass(frozen=True)
class Decision:
    """A verdict, made at noon some days after the list. Confirmed: the account is bad from `since` to `day`."""

    day: date
    account: str
    is_confirmed: bool
    since: date
    typology: str | None
    decided_at: datetime

    def to_row(self) -> str:
        """A line of a verdict file. A dismissed day was good."""
        scope = f"account,{self.since}" if self.is_confirmed else "day,"
        word = "confirmed" if self.is_confirmed else "dismissed"
        return f"{self.day},{self.account},{word},{self.typology or ''},rehearsal,{self.decided_at.isoformat()},{scope}"


def review(plan: Plan, truth: ShopTruth, day: date, accounts: Iterable[str]) -> list[Decision]:
    """Decisions about the listed accounts. The same account and day are decided alike in every rehearsal of a plan.

    A confirmed account is bad from the first bad day that is seen to the last. Where that was before the day of the
    list, that day itself is dismissed.
    """
    decided_at = morning_after(day) + timedelta(days=plan.delay, hours=8)
    decisions = []
    for account in accounts:
        seen = truth.seen(account, day)
        is_wrong = Random(f"{plan.seed} {account} {day}").random() < plan.error
        if bool(seen) == is_wrong:  # dismissed, rightly or not
            decisions.append(Decision(day, account, False, day, None, decided_at))
            continue
        bad = seen or [day]
        typology = truth.bad_days[account][bad[0]] if seen else None
        decisions.append(Decision(bad[-1], account, True, bad[0], typology, decided_at))
        if bad[-1] < day:
            decisions.append(Decision(day, account, False, day, None, decided_at))
    return decisions


def verdict_file(decisions: Iterable[Decision]) -> str:
    return "\n".join([HEADER, *(decision.to_row() for decision in decisions), ""])
