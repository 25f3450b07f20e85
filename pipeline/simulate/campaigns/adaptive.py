"""Abusers who adapt: they read the reasons on published lists and avoid what the reasons name.

A crew knows of a list when its accounts are blocked, and talks to other crews. So an adaptive variant avoids
the traits that lists named for accounts of its typology. Recent lists weigh more.
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

DAILY_MEMORY = 0.93  # share of a mention's weight that is left a day later
HALF_AVOIDED_MENTIONS = 4.0  # mentions after which the chance to avoid a trait is half the highest one
HIGHEST_CHANCE = 0.85
PUBLISHED_AT = 4 * 3600  # second of the day at which the list of the day before is out

# Words of a reason -> the traits behind it. The sentences are those of fct_user_days.yml.
_REASON_TRAITS: tuple[tuple[str, tuple[str, ...]], ...] = (
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
_PATTERNS = tuple((re.compile(words), traits) for words, traits in _REASON_TRAITS)


@dataclass(frozen=True)
class Avoidance:
    """Chance to leave out each trait: `before` today's list is out, and `since`."""

    before: Mapping[str, float]
    since: Mapping[str, float]

    def chances(self, start: Array) -> dict[str, Array]:
        """Per trait, for visits that begin at these seconds of the day."""
        early = start < PUBLISHED_AT
        traits = sorted({*self.before, *self.since})
        return {trait: np.where(early, self.before.get(trait, 0.0), self.since.get(trait, 0.0)) for trait in traits}

    def wait_for_list(self, sessions: Sessions, rows: Array, planned: Array) -> None:
        """Visits `planned` after the list is out do not begin before it. In place."""
        if self.before != self.since:
            too_early = rows[(planned >= PUBLISHED_AT) & (sessions.start[rows] < PUBLISHED_AT)]
            sessions.start[too_early] = PUBLISHED_AT + sessions.start[too_early] / 2


class ListReaders:
    """How often lists mentioned each trait, by typology. `folder` holds day=*/risk_list.parquet."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.mentions: dict[str, dict[str, float]] = {}  # typology -> trait -> mentions, weighted by age
        self.mentions_before: dict[str, dict[str, float]] = {}  # the latest lists
        self.accounts: dict[str, str] = {}  # user_id -> typology, of adaptive campaigns
        self.days_read: set[str] = set()

    def read_up_to(self, day: str) -> None:
        """Read the new lists of days before `day` (ISO)."""
        if self.folder is None:
            return
        self.mentions_before = {typology: dict(traits) for typology, traits in self.mentions.items()}
        for traits in self.mentions.values():
            for trait in traits:
                traits[trait] *= DAILY_MEMORY
        for path in sorted(self.folder.glob("day=*/risk_list.parquet")):
            name = path.parent.name.removeprefix("day=")
            if name < day and name not in self.days_read:
                self.days_read.add(name)
                self._read(path)

    def avoided(self, typology: str) -> dict[str, float]:
        """Chance to leave out each trait, after the latest lists."""
        return _chances(self.mentions.get(typology, {}))

    def of(self, typology: str) -> Avoidance:
        return Avoidance(_chances(self.mentions_before.get(typology, {})), self.avoided(typology))

    def _read(self, path: Path) -> None:
        try:
            for row in pq.read_table(path).to_pylist():
                if typology := self.accounts.get(row["user_id"]):
                    for trait in traits_of([row.get(f"reason_{n}") for n in (1, 2, 3)]):
                        mentions = self.mentions.setdefault(typology, {})
                        mentions[trait] = mentions.get(trait, 0.0) + 1
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{path} is not a risk list", str(error), fix="give the folder that holds day=*/"
            ) from None


def _chances(mentions: Mapping[str, float]) -> dict[str, float]:
    return {trait: HIGHEST_CHANCE * count / (count + HALF_AVOIDED_MENTIONS) for trait, count in mentions.items()}


def traits_of(reasons: list[str | None]) -> list[str]:
    """The traits that these reasons name, sorted."""
    texts = [reason for reason in reasons if reason]
    return sorted({trait for words, traits in _PATTERNS for trait in traits if any(map(words.search, texts))})
