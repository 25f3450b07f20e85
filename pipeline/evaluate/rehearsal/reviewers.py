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
    """A verdict, made at noon some days after the list. `since`: the first bad day that was found."""

    day: date
    account: str
    is_confirmed: bool
    since: date | None
    typology: str | None
    decided_at: datetime

    def to_row(self) -> str:
        """A line of a verdict file. A confirmed account is bad since its first bad day; a dismissed day was good."""
        since = self.since or self.day
        scope = f"account,{since}" if self.is_confirmed else "day,"
        word = "confirmed" if self.is_confirmed else "dismissed"
        return f"{self.day},{self.account},{word},{self.typology or ''},rehearsal,{self.decided_at.isoformat()},{scope}"


def review(plan: Plan, truth: ShopTruth, day: date, accounts: Iterable[str]) -> list[Decision]:
    """Decisions about the listed accounts. The same account and day are decided alike in every rehearsal of a plan."""
    decided_at = morning_after(day) + timedelta(days=plan.delay, hours=8)
    decisions = []
    for account in accounts:
        since = truth.since(account, day)
        is_wrong = Random(f"{plan.seed} {account} {day}").random() < plan.error
        is_confirmed = (since is not None) != is_wrong
        typology = truth.bad_days[account][since] if since and is_confirmed else None
        decisions.append(Decision(day, account, is_confirmed, since, typology, decided_at))
    return decisions


def verdict_file(decisions: Iterable[Decision]) -> str:
    return "\n".join([HEADER, *(decision.to_row() for decision in decisions), ""])
