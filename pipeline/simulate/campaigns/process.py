"""The description of one kind of behaviour. Abuse and its look-alikes are described in the same terms.

A process runs in campaigns: a few accounts, over a few days, with some devices, addresses or cards of their own.
On each of its days an account makes one visit. It is an ordinary visit with a few traits (see `traits`).
So no single trait tells abuse from its look-alikes. The combination does: which, when, in which order, shared by whom.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from pipeline.simulate.visits.ordinary import Intent
from pipeline.simulate.visits.sessions import FUNNEL
from pipeline.simulate.world.codes import Array

Thing = Literal["device", "network", "address", "card"]
Source = Literal["chargeback", "takedown", "complaint", "review_desk"]
# Whose accounts: anybody's; new ones; some weeks old; unseen for weeks; recent buyers; recent buyers of one seller.
Who = Literal["any", "young", "aged", "rested", "buyers", "one_sellers_buyers"]
BURNT_AFTER = 6  # days that a crew works with the same devices and cards


@dataclass(frozen=True)
class Variant:
    """One way to do it. Every visit has the traits `always`, and `least` to `most` of the traits `drawn`."""

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
    shares: tuple[Thing, ...] = ()  # things that the accounts of a group have in common
    group: int = 1
    crossed: bool = False  # each thing has its own grouping, so no two accounts share all things
    lasts: int = 0  # days until devices and cards are replaced, 0: never
    order: int = FUNNEL
    adaptive: bool = False  # reads published lists
    who: Who = "any"
    on_flash_days: bool = False  # begins on days of a flash sale only
    leaves: bool = False  # the accounts are never used again


@dataclass(frozen=True)
class Reporting:
    """How abuse becomes known: the chance per user-day, and each source's weight and median days."""

    chance: float
    sources: tuple[tuple[Source, float, float], ...]


@dataclass(frozen=True)
class Acts:
    """Visits of one process on one day, one row each."""

    user: Array
    campaign: Array  # code
    variant: Array  # index into the process's variants
    account: Array  # index of the account within its campaign
    nth: Array  # index of the day within the account's days
    seller: Array  # the campaign's seller

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class Process:
    """A typology, or a look-alike; then `resembles` names the typology.

    `share` is its part of all bad (or all look-alike) user-days.
    """

    name: str
    intent: Intent
    variants: tuple[Variant, ...]
    share: float = 1.0
    resembles: str = ""
    report: Reporting | None = None
    keeps: tuple[Thing, ...] = ()  # new things that the account goes on using
    cover: float = 0.35  # chance of an ordinary visit on the same day

    @property
    def is_bad(self) -> bool:
        return not self.resembles
