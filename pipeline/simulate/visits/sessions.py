"""Visits before they become events: who, when, from where, and the number of each step."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from pipeline.simulate.world.codes import Array

# In the order of an ordinary visit. The words are those of domains/shop.yml.
STEPS = ("login", "search", "browse", "cart", "coupon", "payment_failure", "purchase", "review", "refund")
FUNNEL, ACT_FIRST, ACT_MIDWAY, AFTERTHOUGHT = 0, 1, 2, 3  # orders of steps within a visit
PAST, BASKET, ANYTHING = 0, 1, 2  # subjects of reviews: earlier purchases, this visit's purchases, any item


@dataclass
class Sessions:
    """One row per visit; every field is an array. `process` is 0 for ordinary visits."""

    user: Array
    start: Array  # seconds of the day
    pace: Array  # median seconds between two steps
    spread: Array  # standard deviation of the log of those gaps
    login: Array  # counts, one per step
    search: Array
    browse: Array
    cart: Array
    coupon: Array
    payment_failure: Array
    purchase: Array
    review: Array
    refund: Array
    cell: Array  # category and price tier
    known_share: Array  # share of looks at items known before
    width: Array  # number of different items
    item: Array  # the subject of this visit, -1: any item it looks at
    seller: Array  # whose items it is about, -1: any seller
    subject: Array  # of its reviews: PAST, BASKET or ANYTHING
    about: Array  # number of the purchase to review or return first (see People.slot), -1: the latest
    quantity: Array
    device: Array
    network: Array
    host: Array  # within the network
    card: Array
    cards: Array  # number of different cards tried
    address: Array
    order: Array
    process: Array
    actor: Array

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: Array) -> Self:
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def counts(self) -> Array:
        """Steps per visit, (visits, steps)."""
        return np.stack([getattr(self, step) for step in STEPS], axis=1)


def concatenate(parts: Sequence[Sessions]) -> Sessions:
    return Sessions(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Sessions)))
