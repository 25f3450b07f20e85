"""Audit rows: accounts drawn at random from those the list leaves out, to measure what it misses.

Each row carries its propensity, the probability with which it was drawn. A bad one counts as 1 / propensity bad ones:
the sum over the audit rows estimates, without bias, how many bad accounts the list left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from heapq import nsmallest
from math import ceil
from typing import Any, Literal

REASON = "Drawn at random, to measure what the list misses."
SMALLEST_LIST = 10  # a smaller list has no slot to spare
NEXT_SHARE = 0.1  # of the unpicked accounts: those ranked next, where misses are likely


@dataclass(frozen=True)
class Stratum:
    """Accounts ranked next to each other, of which `draws` are drawn, each with the same probability."""

    name: Literal["all", "next", "rest"]
    accounts: int
    draws: int

    @property
    def propensity(self) -> float:
        return self.draws / self.accounts

    def to_dict(self) -> dict[str, Any]:
        return {
            "stratum": self.name,
            "accounts": self.accounts,
            "draws": self.draws,
            "propensity": round(self.propensity, 9),
        }


def audit_slots(list_size: int, share: float) -> int:
    """How many of a day's reviews are for audit rows: at least 1, but none on a list of fewer than ten."""
    if share == 0 or list_size < SMALLEST_LIST:
        return 0
    return max(1, round(list_size * share))


def strata(unpicked: int, slots: int) -> list[Stratum]:
    """Half of the draws come from the tenth ranked next, the other half from the rest. One draw comes from all."""
    if unpicked == 0 or slots == 0:
        return []
    if slots == 1:
        return [Stratum("all", unpicked, 1)]
    near = ceil(unpicked * NEXT_SHARE)
    far = unpicked - near
    draws = min(slots // 2, near)
    both = [Stratum("next", near, draws), Stratum("rest", far, min(slots - draws, far))]
    return [stratum for stratum in both if stratum.accounts]


def draw(unpicked: Sequence[str], of: Sequence[Stratum], seed: str) -> dict[str, float]:
    """The drawn accounts in ranked order, with their propensity. `unpicked` is in ranked order, without repeats.

    A pure function of its arguments. The seed decides the order of hashes, and nobody knows it before the day is over.
    """
    drawn: dict[str, float] = {}
    start = 0
    for stratum in of:
        accounts = unpicked[start : start + stratum.accounts]
        chosen = set(nsmallest(stratum.draws, accounts, key=lambda account: _hash(seed, account)))
        drawn |= {account: stratum.propensity for account in accounts if account in chosen}
        start += stratum.accounts
    return drawn


def _hash(seed: str, account: str) -> bytes:
    return sha256(f"{seed} {account}".encode()).digest()
