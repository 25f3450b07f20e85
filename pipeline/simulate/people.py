"""Who shops: accounts with habits, tastes and budgets, and the devices, networks, cards and homes they share."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from pipeline.simulate.catalogue import CATEGORIES
from pipeline.simulate.codes import Array, fresh, generator, mix, pick, word

NEW_PER_DAY = 0.0025  # of the accounts the shop began with
STAY_DAYS = 500  # of an account, on average
EXISTED = -400  # accounts that were there before the first day
NEVER = -1000


@dataclass
class Networks:
    """Network numbers by kind: each range of numbers is one pool of networks."""

    carriers: int
    offices: int
    hotels: int
    tunnels: int

    @classmethod
    def of(cls, users: int) -> Self:
        """Carrier and office networks with hundreds of users each; hotels, cafes, and privacy tunnels."""
        return cls(max(3, users // 1200), max(2, users // 900), max(12, users // 120), max(4, users // 1500))

    def carrier(self, u: Array) -> Array:
        return 10**6 + (u * u * self.carriers).astype(np.int64)

    def office(self, u: Array) -> Array:
        return 2 * 10**6 + (u * self.offices).astype(np.int64)

    def hotel(self, u: Array) -> Array:
        return 3 * 10**6 + (u * u * self.hotels).astype(np.int64)

    def tunnel(self, u: Array) -> Array:
        return 4 * 10**6 + (u * self.tunnels).astype(np.int64)


@dataclass
class People:
    """One row per account; every field is an array. Codes are numbers without meaning, 0 means none."""

    joined: Array
    leaves: Array
    household: Array
    activity: Array  # chance to be active on an ordinary day
    weekend: Array  # factor on it
    peak: Array  # hour of the day
    tempo: Array  # median seconds between two events
    depth: Array  # factor on how much is looked at
    busy: Array  # further sessions on an active day
    buys: Array  # chance that a session ends in a purchase
    budget: Array  # standard normal
    loyalty: Array  # share of looks at things known before
    frugal: Array  # chance of a coupon with a purchase
    writes: Array  # chance to review a purchase
    returns: Array  # chance to return one
    phone_share: Array
    tastes: Array  # (people, 3) categories
    home: Array  # network numbers
    office: Array
    carrier: Array
    phone: Array
    laptop: Array
    card: Array
    card2: Array
    lives_at: Array
    last_item: Array  # of the latest purchase, -1: none yet
    last_card: Array
    travels_until: Array
    away: Array  # network while travelling
    busy_until: Array  # taken by a campaign until this day

    def __len__(self) -> int:
        return len(self.joined)

    def add(self, others: "People") -> None:
        for field in fields(self):
            setattr(self, field.name, np.concatenate([getattr(self, field.name), getattr(others, field.name)]))

    def here(self, day: int) -> Array:
        """Which accounts exist on a day."""
        is_here: Array = (self.joined <= day) & (day < self.leaves)
        return is_here


def block(seed: int, networks: Networks, n: int, day: int, households: int) -> People:
    """`n` accounts that join on a day (-1: all who were there from the start). `households` exist already."""
    rng = generator(seed, day, "people")
    household = _households(rng, n, households)
    of_house = [mix(seed, household, word(what)) for what in ("home", "tablet", "card", "address")]
    odds = [(part >> np.uint64(11)).astype(np.float64) * 2.0**-53 for part in of_house]
    joined = np.full(n, day) if day >= 0 else rng.integers(EXISTED, 0, n)
    interest = np.array([share for share, _, _ in CATEGORIES.values()])
    activity = np.clip(0.14 * rng.lognormal(0, 1.05, n), 0.004, 0.93)
    peaks = np.array([8.0, 12.6, 17.5, 20.4])[pick(rng, np.array([0.12, 0.23, 0.2, 0.45]), n)]
    pooled = rng.random(n) < 0.3
    own_phone, own_laptop = fresh(rng, n), fresh(rng, n)
    codes = [(part >> np.uint64(2)).astype(np.int64) for part in of_house]
    return People(
        joined=joined,
        leaves=np.maximum(joined, 0) + 1 + np.floor(rng.exponential(STAY_DAYS, n)).astype(np.int64),
        household=household,
        activity=activity,
        weekend=rng.lognormal(0, 0.3, n),
        peak=(peaks + rng.normal(0, 1.3, n)) % 24,
        tempo=32 * rng.lognormal(0, 0.45, n),
        depth=rng.lognormal(0, 0.5, n),
        busy=0.25 + 0.9 * rng.beta(1, 3, n) + activity,
        buys=np.clip(0.065 * rng.lognormal(0, 0.8, n), 0.005, 0.8),
        budget=rng.standard_normal(n),
        loyalty=rng.beta(3, 4, n),
        frugal=rng.beta(0.7, 4, n),
        writes=rng.beta(0.4, 3, n),
        returns=rng.beta(0.6, 6, n),
        phone_share=rng.beta(1.4, 1.1, n),
        tastes=pick(rng, interest, 3 * n).reshape(n, 3),
        home=10**8 + (odds[0] * max(40, (households + n) * 0.35)).astype(np.int64),
        office=np.where(rng.random(n) < 0.3, networks.office(rng.random(n)), 0),
        carrier=networks.carrier(rng.random(n)),
        phone=own_phone,
        laptop=np.where(pooled, codes[1], own_laptop),
        card=np.where(rng.random(n) < 0.22, codes[2], fresh(rng, n)),
        card2=fresh(rng, n),
        lives_at=np.where(rng.random(n) < 0.93, codes[3], fresh(rng, n)),
        last_item=np.full(n, -1),
        last_card=np.zeros(n, dtype=np.int64),
        travels_until=np.full(n, -1),
        away=np.zeros(n, dtype=np.int64),
        busy_until=np.full(n, NEVER),
    )


def _households(rng: np.random.Generator, n: int, existing: int) -> Array:
    """One to five people each; a newcomer joins an existing household now and then."""
    size = 1 + pick(rng, np.array([0.38, 0.3, 0.16, 0.12, 0.04]), n)
    own = existing + np.repeat(np.arange(n), size)[:n]
    if not existing:
        return own
    return np.where(rng.random(n) < 0.4, rng.integers(0, existing, n), own)


def change(people: People, seed: int, day: int, networks: Networks) -> None:
    """What a day changes in people's lives: new phones and laptops, new cards, moves, journeys."""
    rng = generator(seed, day, "lives")
    n = len(people)
    for what, days in (("phone", 650), ("laptop", 1100), ("card", 800), ("card2", 900), ("lives_at", 1500)):
        who = np.flatnonzero(rng.random(n) < 1 / days)
        getattr(people, what)[who] = fresh(rng, len(who))
        if what == "lives_at":
            people.home[who] = 2 * 10**8 + rng.integers(0, max(40, int(n * 0.25)), len(who))
    who = np.flatnonzero((rng.random(n) < 0.003) & (people.travels_until < day))
    people.travels_until[who] = day + rng.integers(2, 11, len(who))
    people.away[who] = networks.hotel(rng.random(len(who)))


def newcomers(people: People, seed: int, day: int, networks: Networks, users: int) -> None:
    """Add the accounts that join on a day."""
    n = int(generator(seed, day, "newcomers").poisson(NEW_PER_DAY * users))
    if n:
        people.add(block(seed, networks, n, day, int(people.household.max()) + 1))
