"""What a kind of behaviour is made of, abuse and innocence alike: the same words describe both.

A process happens in campaigns: some accounts, over some days, with some things of their own. On each of its days an
account makes one visit that is an ordinary one except for a few marks (see `marks`). What tells abuse from what
resembles it is therefore never one mark, but which marks come together, in which order, when, and shared by whom.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from pipeline.simulate.visits.ordinary import Intent
from pipeline.simulate.visits.sessions import FUNNEL
from pipeline.simulate.world.codes import Array

Thing = Literal["device", "network", "address", "card"]
Source = Literal["chargeback", "takedown", "complaint", "review_desk"]
# Whose accounts: anybody's; new ones; ones aged for weeks; ones unseen for weeks; those of recent buyers; those of
# recent buyers from one seller.
Who = Literal["any", "young", "aged", "rested", "buyers", "one_sellers_buyers"]
BURNT_AFTER = 6  # days that a crew works with the same devices and cards


@dataclass(frozen=True)
class Variant:
    """One way to go about it. `always` marks every visit; of `drawn`, from `least` to `most` mark each visit."""

    name: str
    weight: float = 1.0
    _: KW_ONLY
    always: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    least: int = 0
    most: int = 0
    accounts: tuple[int, int] = (1, 1)
    acts: tuple[int, int] = (1, 1)  # days on which each account acts
    every: tuple[int, int] = (1, 3)  # days from one to the next
    shares: tuple[Thing, ...] = ()  # what accounts of a group have in common, where it is marked
    group: int = 1
    crossed: bool = False  # each thing is shared by another grouping, so no two accounts have all in common
    lasts: int = 0  # days after which devices and cards are burnt and replaced, 0: never
    order: int = FUNNEL
    adaptive: bool = False  # reads published lists
    who: Who = "any"
    on_flash_days: bool = False  # begins on days of a flash sale only
    leaves: bool = False  # the accounts are never used again


@dataclass(frozen=True)
class Reporting:
    """How abuse becomes known: chance per user-day, and sources with their weight and median days."""

    chance: float
    sources: tuple[tuple[Source, float, float], ...]


@dataclass(frozen=True)
class Acts:
    """Visits of one process on one day, one row each."""

    user: Array
    campaign: Array  # code
    variant: Array  # index into the process's variants
    account: Array  # the how-manieth of its campaign
    nth: Array  # the how-manieth day of this account
    seller: Array  # that the campaign is about

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class Process:
    """A typology, or an innocent process that resembles one (then `resembles` names it).

    `share` is its part of all bad (or all look-alike) user-days.
    """

    name: str
    intent: Intent
    variants: tuple[Variant, ...]
    share: float = 1.0
    resembles: str = ""
    report: Reporting | None = None
    keeps: tuple[Thing, ...] = ()  # new things that stay the account's own
    cover: float = 0.35  # chance of an ordinary visit besides

    @property
    def is_bad(self) -> bool:
        return not self.resembles
