"""The accounts: habits, tastes and budgets, and the devices, networks, cards and homes they share."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from pipeline.simulate.world.catalogue import CATEGORIES
from pipeline.simulate.world.codes import Array, generator, mix, name_code, new_codes, pick

NEW_PER_DAY = 0.0025  # of the accounts the shop began with
STAY_DAYS = 500  # mean life of an account
OLDEST = -400  # the first day of the oldest accounts
NEVER = -1000
MEMORY = 4  # purchases an account remembers


@dataclass
class Networks:
    """How many networks there are, by kind. Each kind has its own range of numbers."""

    carriers: int
    offices: int
    hotels: int
    tunnels: int
    homes: int

    @classmethod
    def of(cls, users: int) -> Self:
        """Hundreds of accounts share a carrier or an office; fewer share a hotel or a privacy tunnel."""
        return cls(
            carriers=max(3, users // 1200),
            offices=max(2, users // 900),
            hotels=max(12, users // 120),
            tunnels=max(4, users // 1500),
            homes=max(40, int(users * 0.35)),
        )

    def carrier(self, u: Array) -> Array:
        return 10**6 + (u * u * self.carriers).astype(np.int64)

    def office(self, u: Array) -> Array:
        return 2 * 10**6 + (u * self.offices).astype(np.int64)

    def hotel(self, u: Array) -> Array:
        return 3 * 10**6 + (u * u * self.hotels).astype(np.int64)

    def tunnel(self, u: Array) -> Array:
        return 4 * 10**6 + (u * self.tunnels).astype(np.int64)

    def home(self, u: Array) -> Array:
        return 10**8 + (u * self.homes).astype(np.int64)


@dataclass
class People:
    """One row per account; every field is an array. Codes are numbers without meaning, 0 means none.

    Codes of phones are odd; codes of computers and tablets are even.
    """

    joined: Array
    leaves: Array
    household: Array
    activity: Array  # chance to visit on an ordinary day
    weekend_factor: Array  # factor on that chance, on weekends
    peak_hour: Array  # of the day
    tempo: Array  # median seconds between two events
    browse_factor: Array  # factor on the number of looks
    extra_sessions: Array  # mean number, on an active day
    purchase_chance: Array  # that a visit ends in a purchase
    budget: Array  # standard normal
    loyalty: Array  # share of looks at items known before
    coupon_chance: Array  # with a purchase
    review_chance: Array  # of a purchase
    refund_chance: Array  # of a purchase
    phone_share: Array
    tastes: Array  # (people, 3) categories
    home: Array  # network numbers
    office: Array
    carrier: Array
    phone: Array
    laptop: Array
    card: Array
    second_card: Array
    address: Array
    purchases: Array  # number so far
    bought_item: Array  # (people, MEMORY): purchase number k is in column k % MEMORY
    bought_card: Array
    bought_cents: Array
    bought_pieces: Array
    bought_on: Array  # day of the latest purchase
    seen_on: Array  # day of the latest visit
    travels_until: Array
    away: Array  # network while travelling
    busy_until: Array  # taken by a campaign until this day

    def __len__(self) -> int:
        return len(self.joined)

    def add(self, others: "People") -> None:
        for field in fields(self):
            setattr(self, field.name, np.concatenate([getattr(self, field.name), getattr(others, field.name)]))

    def exist_on(self, day: int) -> Array:
        """Which accounts exist on a day."""
        is_here: Array = (self.joined <= day) & (day < self.leaves)
        return is_here

    def buy(self, day: int, user: Array, item: Array, card: Array, cents: Array, pieces: Array) -> Array:
        """Remember a day's purchases, given in order of time. Returns each one's number within its account."""
        order = np.argsort(user, kind="stable")
        first = np.searchsorted(user[order], user[order])
        number = np.empty(len(user), dtype=np.int64)
        number[order] = self.purchases[user[order]] + np.arange(len(user)) - first
        slot = number % MEMORY
        for memory, value in (
            (self.bought_item, item),
            (self.bought_card, card),
            (self.bought_cents, cents),
            (self.bought_pieces, pieces),
        ):
            memory[user, slot] = value
        self.bought_on[user] = day
        np.add.at(self.purchases, user, 1)
        return number

    def remembered(self, user: Array) -> Array:
        """Number of remembered purchases, per account."""
        return np.minimum(self.purchases[user], MEMORY)

    def slot(self, user: Array, about: Array, nth: Array) -> Array:
        """The column of the `nth` purchase before number `about` (-1: the latest). Wraps round to the latest."""
        latest = self.purchases[user] - 1
        back = np.where(about >= 0, latest - about, 0) + nth
        column: Array = (latest - back % np.maximum(1, self.remembered(user))) % MEMORY
        return column


def is_phone(device: Array) -> Array:
    """Whether a device is a phone, with the app: odd codes are phones."""
    odd: Array = device % 2 == 1
    return odd


def phones(rng: np.random.Generator, n: int) -> Array:
    return new_codes(rng, n) * 2 + 1


def laptops(rng: np.random.Generator, n: int) -> Array:
    return new_codes(rng, n) * 2


def joining(seed: int, networks: Networks, n: int, day: int, households: int) -> People:
    """`n` accounts that join on a day (-1: before the first). `households` households exist already."""
    rng = generator(seed, day, "people")
    household = _households(rng, n, households)
    of_house = [mix(seed, household, name_code(what)) for what in ("home", "tablet", "card", "address")]
    odds = [(part >> np.uint64(11)).astype(np.float64) * 2.0**-53 for part in of_house]
    joined = np.full(n, day) if day >= 0 else rng.integers(OLDEST, 0, n)
    interest = np.array([share for share, _, _ in CATEGORIES.values()])
    activity = np.clip(0.14 * rng.lognormal(0, 1.05, n), 0.004, 0.93)
    peaks = np.array([8.0, 12.6, 17.5, 20.4])[pick(rng, np.array([0.12, 0.23, 0.2, 0.45]), n)]
    pooled = rng.random(n) < 0.3
    own_phone, own_laptop = phones(rng, n), laptops(rng, n)
    codes = [(part >> np.uint64(2)).astype(np.int64) for part in of_house]
    return People(
        joined=joined,
        leaves=np.maximum(joined, 0) + 1 + np.floor(rng.exponential(STAY_DAYS, n)).astype(np.int64),
        household=household,
        activity=activity,
        weekend_factor=rng.lognormal(0, 0.3, n),
        peak_hour=(peaks + rng.normal(0, 1.3, n)) % 24,
        tempo=32 * rng.lognormal(0, 0.45, n),
        browse_factor=rng.lognormal(0, 0.5, n),
        extra_sessions=0.25 + 0.9 * rng.beta(1, 3, n) + activity,
        purchase_chance=np.clip(0.065 * rng.lognormal(0, 0.8, n), 0.005, 0.8),
        budget=rng.standard_normal(n),
        loyalty=rng.beta(3, 4, n),
        coupon_chance=rng.beta(0.7, 4, n),
        review_chance=rng.beta(0.4, 3, n),
        refund_chance=rng.beta(0.6, 6, n),
        phone_share=rng.beta(1.4, 1.1, n),
        tastes=pick(rng, interest, 3 * n).reshape(n, 3),
        home=networks.home(odds[0]),
        office=np.where(rng.random(n) < 0.3, networks.office(rng.random(n)), 0),
        carrier=networks.carrier(rng.random(n)),
        phone=own_phone,
        laptop=np.where(pooled, codes[1] * 2, own_laptop),
        card=np.where(rng.random(n) < 0.22, codes[2], new_codes(rng, n)),
        second_card=new_codes(rng, n),
        address=np.where(rng.random(n) < 0.93, codes[3], new_codes(rng, n)),
        purchases=np.zeros(n, dtype=np.int64),
        bought_item=np.full((n, MEMORY), -1, dtype=np.int32),
        bought_card=np.zeros((n, MEMORY), dtype=np.int64),
        bought_cents=np.zeros((n, MEMORY), dtype=np.int32),
        bought_pieces=np.zeros((n, MEMORY), dtype=np.int32),
        bought_on=np.full(n, NEVER),
        seen_on=joined.copy(),
        travels_until=np.full(n, -1),
        away=np.zeros(n, dtype=np.int64),
        busy_until=np.full(n, NEVER),
    )


def _households(rng: np.random.Generator, n: int, existing: int) -> Array:
    """Household numbers, one to five people each. Some newcomers join an existing household."""
    size = 1 + pick(rng, np.array([0.38, 0.3, 0.16, 0.12, 0.04]), n)
    own = existing + np.repeat(np.arange(n), size)[:n]
    if not existing:
        return own
    return np.where(rng.random(n) < 0.4, rng.integers(0, existing, n), own)


def daily_changes(people: People, seed: int, day: int, networks: Networks) -> None:
    """The day's new phones, laptops, cards and addresses, and journeys. In place."""
    rng = generator(seed, day, "lives")
    n = len(people)
    for what, days, new in (
        ("phone", 650, phones),
        ("laptop", 1100, laptops),
        ("card", 800, new_codes),
        ("second_card", 900, new_codes),
        ("address", 1500, new_codes),
    ):
        who = np.flatnonzero(rng.random(n) < 1 / days)
        getattr(people, what)[who] = new(rng, len(who))
        if what == "address":
            people.home[who] = networks.home(rng.random(len(who)))
    who = np.flatnonzero((rng.random(n) < 0.003) & (people.travels_until < day))
    people.travels_until[who] = day + rng.integers(2, 11, len(who))
    people.away[who] = networks.hotel(rng.random(len(who)))


def add_newcomers(people: People, seed: int, day: int, networks: Networks, users: int) -> None:
    """Add the accounts that join on a day."""
    n = int(generator(seed, day, "newcomers").poisson(NEW_PER_DAY * users))
    if n:
        people.add(joining(seed, networks, n, day, int(people.household.max()) + 1))
