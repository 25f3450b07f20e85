"""Whose accounts a campaign uses: chosen by age, by when they were last seen, by what they bought and from whom."""

import numpy as np

from pipeline.simulate.catalogue import Catalogue
from pipeline.simulate.codes import Array, pick, uniform, word
from pipeline.simulate.people import People
from pipeline.simulate.process import Who

YOUNG_DAYS = 45
AGED_DAYS = (25, 160)
RESTED_DAYS = 21
RECENT_DAYS = 30
FEW = 0.02  # weight of accounts of another age than what is looked for: there may not be enough others


class Accounts:
    """The accounts on one day, to draw from: the more active the more often, none that a campaign has taken."""

    def __init__(self, people: People, catalogue: Catalogue, day: int, is_flash_day: bool) -> None:
        self.people, self.catalogue, self.day, self.is_flash_day = people, catalogue, day, is_flash_day
        self._edges: dict[Who, Array] = {}
        self._bought: tuple[Array, Array] | None = None

    def draw(self, who: Who, n: int, code: int, rng: np.random.Generator) -> tuple[Array, int]:
        """`n` different accounts, fewer if they run out, and the seller that campaign `code` is about."""
        if who == "one_sellers_buyers":
            return self._of_one_seller(n, rng)
        edges = self._edges[who] if who in self._edges else self._edges.setdefault(who, self._weigh(who))
        users = np.zeros(0, dtype=np.int64)
        for tries in (2, 8, 32) if edges[-1] > 0 else ():
            found = np.searchsorted(edges, rng.random(n * tries + 8) * edges[-1], side="right")
            found = np.minimum(found, len(self.people) - 1)
            found = found[self.people.busy_until[found] < self.day]
            users = found[np.sort(np.unique(found, return_index=True)[1])]
            if len(users) >= n:
                break
        # a small or middling seller, never one of the largest quarter
        seller = int(self.catalogue.sellers * (0.25 + 0.75 * uniform(code, word("seller"))[0]))
        return users[:n], seller

    def take(self, users: Array, until: Array, leaves: bool) -> None:
        """These accounts are taken until these days, and never seen again if the campaign `leaves`."""
        self.people.busy_until[users] = until
        if leaves:
            self.people.leaves[users] = np.minimum(self.people.leaves[users], until + 1)

    def _weigh(self, who: Who) -> Array:
        people, day = self.people, self.day
        age, rest = day - people.joined, day - people.seen_on
        fits = {
            "any": np.ones(len(people), dtype=bool),
            "young": age < YOUNG_DAYS,
            "aged": (age >= AGED_DAYS[0]) & (age <= AGED_DAYS[1]),
            "rested": rest >= RESTED_DAYS,
            "buyers": self._recent_buyers(),
        }[who]
        weight = people.activity**0.6 * people.here(day) * np.where(fits, 1.0, FEW if who in ("young", "aged") else 0.0)
        edges: Array = np.cumsum(weight)
        return edges

    def _recent_buyers(self) -> Array:
        recent: Array = (self.people.purchases > 0) & (self.day - self.people.bought_on <= RECENT_DAYS)
        return recent

    def _of_one_seller(self, n: int, rng: np.random.Generator) -> tuple[Array, int]:
        """Recent buyers of a seller that has as many, else of the one that has most."""
        if self._bought is None:
            rows = np.flatnonzero(self._recent_buyers() & self.people.here(self.day))
            item = self.people.bought_item[rows]
            row, slot = np.nonzero(item >= 0)
            pairs = np.unique(np.stack([self.catalogue.seller[item[row, slot]], rows[row]], axis=1), axis=0)
            self._bought = pairs[:, 0], pairs[:, 1]
        seller, user = self._bought
        free = self.people.busy_until[user] < self.day
        seller, user = seller[free], user[free]
        if not len(user):
            return user, 0
        count = np.bincount(seller)
        enough = np.where(count >= n, np.minimum(count, 3 * n), 0)
        chosen = int(pick(rng, enough, 1)[0]) if enough.any() else int(np.argmax(count))
        return rng.permutation(user[seller == chosen])[:n], chosen
