"""What the shop sells: items with price and popularity, their sellers, seasons and flash sales."""

from dataclasses import dataclass
from math import cos, pi

import numpy as np

from pipeline.simulate.world.codes import Array, generator

# category -> (share of interest, typical price, day of the year it peaks)
CATEGORIES: dict[str, tuple[float, float, int]] = {
    "fashion": (0.16, 32, 100),
    "shoes": (0.08, 55, 110),
    "phones": (0.06, 190, 330),
    "computers": (0.05, 260, 330),
    "audio": (0.05, 70, 340),
    "toys": (0.07, 22, 345),
    "books": (0.08, 13, 350),
    "beauty": (0.09, 18, 130),
    "grocery": (0.08, 9, 340),
    "pets": (0.05, 17, 30),
    "garden": (0.05, 35, 140),
    "sports": (0.06, 38, 170),
    "home": (0.07, 42, 290),
    "collectibles": (0.02, 48, 330),
    "gift_cards": (0.03, 30, 350),
}
NAMES = tuple(CATEGORIES)
GIFT_CARDS = NAMES.index("gift_cards")
RESOLD = np.array([NAMES.index(name) for name in ("phones", "computers", "audio", "shoes")])
TIERS = 4  # of price, within a category
ENDINGS = np.array([0.99, 0.95, 0.00, 0.49, 0.90])
ENDING_SHARES = np.array([0.42, 0.14, 0.16, 0.12, 0.16])
FLASH_EVERY = 8  # days, on average


@dataclass(frozen=True)
class Catalogue:
    """Items, sorted by cell (category and price tier).

    Per item: price in cents, seller, category, and in `edges` the cumulative popularity within its cell.
    Per seller: its items in `of_seller`, from `starts` on.
    """

    price: Array
    seller: Array
    category: Array
    edges: Array
    of_seller: Array
    starts: Array

    @property
    def sellers(self) -> int:
        return len(self.starts) - 1

    def in_cell(self, cell: Array, u: Array) -> Array:
        """The item at quantile `u` of popularity in each cell."""
        item: Array = np.searchsorted(self.edges, cell + u, side="right")
        return np.minimum(item, len(self.price) - 1)

    def at_seller(self, seller: Array, u: Array) -> Array:
        """An item of the seller. Its first items are the popular ones."""
        size = self.starts[seller + 1] - self.starts[seller]
        items: Array = self.of_seller[self.starts[seller] + (u * u * size).astype(np.int64)]
        return items


def build(seed: int, users: int) -> Catalogue:
    """A catalogue. Its size grows with the number of users."""
    rng = generator(seed, -1, "catalogue")
    cells = len(NAMES) * TIERS
    n_items, n_sellers = max(900, int(users * 0.4)), max(120, users // 30)
    cell = np.sort(np.concatenate([np.arange(cells).repeat(4), rng.integers(0, cells, n_items - 4 * cells)]))
    category, tier = cell // TIERS, cell % TIERS
    typical = np.array([price for _, price, _ in CATEGORIES.values()])[category]
    euros = typical * np.exp(0.75 * (tier - 1.3) + 0.25 * rng.standard_normal(n_items))
    ending = rng.choice(ENDINGS, n_items, p=ENDING_SHARES)
    cents = np.rint((np.floor(euros) + ending) * 100).astype(np.int64)
    is_card = category == GIFT_CARDS
    cents[is_card] = np.maximum(1, np.rint(euros[is_card] / 5)).astype(np.int64) * 500
    seller = _sellers(rng, category, n_sellers)
    order = np.argsort(seller, kind="stable")
    starts = np.searchsorted(seller[order], np.arange(n_sellers + 1))
    return Catalogue(np.maximum(cents, 99), seller, category, _edges(rng, cell), order, starts)


def _edges(rng: np.random.Generator, cell: Array) -> Array:
    """Cumulative popularity. It falls with the rank in the cell, by a power law."""
    n = len(cell)
    starts = np.searchsorted(cell, np.arange(cell[-1] + 2))
    rank = np.arange(n) - starts[cell]
    weight = (1.0 + rank) ** -0.9 * np.exp(0.3 * rng.standard_normal(n))
    total = np.concatenate([[0.0], np.cumsum(weight)])
    inside = (total[1:] - total[starts[cell]]) / (total[starts[cell + 1]] - total[starts[cell]])
    edges: Array = cell + inside
    return edges


def _sellers(rng: np.random.Generator, category: Array, n_sellers: int) -> Array:
    """The seller of each item. Sizes follow a power law; most items of a seller are of one category."""
    home = rng.integers(0, len(NAMES), n_sellers)
    weight = (1.0 + np.arange(n_sellers)) ** -0.75
    seller = np.zeros(len(category), dtype=np.int64)
    for number in range(len(NAMES)):
        chosen = np.flatnonzero(category == number)
        bias = weight * np.where(home == number, 12.0, 0.4)
        seller[chosen] = rng.choice(n_sellers, len(chosen), p=bias / bias.sum())
    seller[rng.permutation(len(category))[:n_sellers]] = np.arange(n_sellers)  # every seller has an item
    return seller


@dataclass(frozen=True)
class Season:
    """How a day differs: activity, interest per category, and a flash sale, if any."""

    activity: float  # factor on the chance to visit and to buy
    interest: Array
    flash_category: int  # -1: none today
    flash_hour: float


def season(seed: int, day_of_year: int, day: int) -> Season:
    """The season on the `day`-th simulated day."""
    rng = generator(seed, day, "season")
    peaks = np.array([peak for _, _, peak in CATEGORIES.values()])
    shares = np.array([share for share, _, _ in CATEGORIES.values()])
    interest = shares * (1 + 0.35 * np.cos(2 * pi * (day_of_year - peaks) / 365.25))
    activity = 1 + 0.12 * cos(2 * pi * (day_of_year - 340) / 365.25) + 0.04 * rng.standard_normal()
    is_flash = rng.random() < 1 / FLASH_EVERY
    category = int(rng.integers(0, len(NAMES) - 1)) if is_flash else -1
    return Season(
        activity * (1.15 if is_flash else 1.0), interest / interest.sum(), category, float(rng.uniform(9, 21))
    )
