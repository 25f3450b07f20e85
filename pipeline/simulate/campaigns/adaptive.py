"""Abusers who read: what the reasons of published lists teach those that were on them.

A crew learns of a list when its accounts are blocked, and compares notes with others of its trade. So what lists said
about accounts of a typology, weighted towards the latest, is what its adaptive variants avoid.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipeline.errors import InputError
from pipeline.simulate.visits.sessions import Sessions
from pipeline.simulate.world.codes import Array

FORGETS = 0.93  # per day
HALF_LEARNT = 4.0  # mentions after which a trait is avoided half the time
MOST_CAREFUL = 0.85
OUT_AT = 4 * 3600  # seconds of the day at which the list of the day before is out

# Words of a reason -> the traits that gave rise to it. The sentences are those of fct_user_days.yml.
REASON_TRAITS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"devices? (it had|first seen)|used its device|at its device", ("device",)),
    (r"networks? (it had)|used its network|at its network", ("network",)),
    (r"means of payment", ("card", "cards")),
    (r"address", ("address",)),
    (r"counterparty", ("seller",)),
    (
        r"spent|single purchase|per purchase|usual amount|a purchase of|larger purchase|largest purchase",
        ("expensive", "several", "resold"),
    ),
    (r"pieces in a single line", ("quantity",)),
    (r"failed payments|attempts to pay failed", ("failures", "cards")),
    (r"logins", ("logins",)),
    (r"seconds|within .* of the one before|apart|pace varied", ("fast", "even")),
    (r"midnight and six", ("night",)),
    (r"reviews", ("reviews", "of_basket", "together")),
    (r"refund", ("refunds", "earlier")),
    (r"page views|events that day|different items|within one hour|more events|busier", ("wide", "fast")),
    (r"coupons", ("coupon",)),
)
_REASON_TRAITS = tuple((re.compile(words), traits) for words, traits in REASON_TRAITS)


@dataclass(frozen=True)
class Avoidance:
    """Chance to leave a trait out, by trait: `before` today's list was out and `since`."""

    before: Mapping[str, float]
    since: Mapping[str, float]

    def avoided(self, start: Array) -> dict[str, Array]:
        """For visits that begin at these seconds of the day."""
        early = start < OUT_AT
        traits = sorted({*self.before, *self.since})
        return {trait: np.where(early, self.before.get(trait, 0.0), self.since.get(trait, 0.0)) for trait in traits}

    def wait(self, sessions: Sessions, rows: Array, planned: Array) -> None:
        """Visits that know this morning's list do not begin before it is out."""
        if self.before != self.since:
            too_early = rows[(planned >= OUT_AT) & (sessions.start[rows] < OUT_AT)]
            sessions.start[too_early] = OUT_AT + sessions.start[too_early] / 2


class ListReaders:
    """What was learnt, by typology and trait. `folder` holds day=*/risk_list.parquet; each list is read once."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.learnt: dict[str, dict[str, float]] = {}
        self.knew: dict[str, dict[str, float]] = {}  # before the latest reading
        self.accounts: dict[str, str] = {}  # user_id -> typology, of adaptive campaigns
        self.read: set[str] = set()

    def read_up_to(self, day: str) -> None:
        """Read the lists of days before `day` (ISO) that were not read yet: what is known once that day's is out."""
        if self.folder is None:
            return
        self.knew = {typology: dict(traits) for typology, traits in self.learnt.items()}
        for traits in self.learnt.values():
            for trait in traits:
                traits[trait] *= FORGETS
        for path in sorted(self.folder.glob("day=*/risk_list.parquet")):
            name = path.parent.name.removeprefix("day=")
            if name < day and name not in self.read:
                self.read.add(name)
                self._read(path)

    def avoided(self, typology: str) -> dict[str, float]:
        """Chance to leave a trait out, by trait, after all that was read."""
        return _careful(self.learnt.get(typology, {}))

    def of(self, typology: str) -> Avoidance:
        return Avoidance(_careful(self.knew.get(typology, {})), self.avoided(typology))

    def _read(self, path: Path) -> None:
        try:
            rows = pq.read_table(path).to_pylist()
            for row in rows:
                if typology := self.accounts.get(row["user_id"]):
                    for trait in traits_of([row.get(f"reason_{n}") for n in (1, 2, 3)]):
                        known = self.learnt.setdefault(typology, {})
                        known[trait] = known.get(trait, 0.0) + 1
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{path} is not a risk list", str(error), fix="give the folder that holds day=*/"
            ) from None


def _careful(traits: Mapping[str, float]) -> dict[str, float]:
    return {trait: MOST_CAREFUL * seen / (seen + HALF_LEARNT) for trait, seen in traits.items()}


def traits_of(reasons: list[str | None]) -> list[str]:
    """The traits that these reasons speak of, sorted."""
    text = [reason for reason in reasons if reason]
    return sorted(
        {trait for words, traits in _REASON_TRAITS for trait in traits if any(words.search(reason) for reason in text)}
    )
