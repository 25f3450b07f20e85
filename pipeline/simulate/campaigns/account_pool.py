"""The accounts a campaign can use: by age, by last visit, by what they bought and from whom."""

import numpy as np

from pipeline.simulate.campaigns.process import Who
from pipeline.simulate.world.catalogue import Catalogue
from pipeline.simulate.world.codes import Array, name_code, pick, uniform
from pipeline.simulate.world.people import People

YOUNG_DAYS = 45
AGED_DAYS = (25, 160)
RESTED_DAYS = 21
RECENT_DAYS = 30
OTHER_AGE_WEIGHT = 0.02  # of accounts of the wrong age: a small shop may have too few of the right one


class AccountPool:
    """The accounts of one day. Active accounts are drawn more often; accounts of a running campaign are not drawn."""

    def __init__(self, people: People, catalogue: Catalogue, day: int, is_flash_day: bool) -> None:
        self.people, self.catalogue, self.day, self.is_flash_day = people, catalogue, day, is_flash_day
        self._edges: dict[Who, Array] = {}
        self._bought: tuple[Array, Array] | None = None

    def draw(self, who: Who, n: int, code: int, rng: np.random.Generator) -> tuple[Array, int]:
        """At most `n` different accounts, and the seller of campaign `code`."""
        if who == "one_sellers_buyers":
            return self._buyers_of_one_seller(n, rng)
        edges = self._edges[who] if who in self._edges else self._edges.setdefault(who, self._cumulative_weights(who))
        users = np.zeros(0, dtype=np.int64)
        for tries in (2, 8, 32) if edges[-1] > 0 else ():
            drawn = np.searchsorted(edges, rng.random(n * tries + 8) * edges[-1], side="right")
            drawn = np.minimum(drawn, len(self.people) - 1)
            drawn = drawn[self.people.busy_until[drawn] < self.day]
            users = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
            if len(users) >= n:
                break
        # a small or middling seller, never one of the largest quarter
        seller = int(self.catalogue.sellers * (0.25 + 0.75 * uniform(code, name_code("seller"))[0]))
        return users[:n], seller

    def take(self, users: Array, until: Array, leaves: bool) -> None:
        """Reserve accounts for a campaign `until` these days. If the campaign `leaves`, they are never used again."""
        self.people.busy_until[users] = until
        if leaves:
            self.people.leaves[users] = np.minimum(self.people.leaves[users], until + 1)

    def _cumulative_weights(self, who: Who) -> Array:
        people, day = self.people, self.day
        age, rest = day - people.joined, day - people.seen_on
        fits = {
            "any": np.ones(len(people), dtype=bool),
            "young": age < YOUNG_DAYS,
            "aged": (age >= AGED_DAYS[0]) & (age <= AGED_DAYS[1]),
            "rested": rest >= RESTED_DAYS,
            "buyers": self._are_recent_buyers(),
        }[who]
        fit = np.where(fits, 1.0, OTHER_AGE_WEIGHT if who in ("young", "aged") else 0.0)
        edges: Array = np.cumsum(people.activity**0.6 * people.exist_on(day) * fit)
        return edges

    def _are_recent_buyers(self) -> Array:
        recent: Array = (self.people.purchases > 0) & (self.day - self.people.bought_on <= RECENT_DAYS)
        return recent

    def _buyers_of_one_seller(self, n: int, rng: np.random.Generator) -> tuple[Array, int]:
        """`n` recent buyers of one seller. If no seller has so many, the buyers of the seller with most."""
        if self._bought is None:
            rows = np.flatnonzero(self._are_recent_buyers() & self.people.exist_on(self.day))
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
