"""Ordinary visits: who comes, when, from which device and network, and to do what."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.simulate.visits.sessions import (
    ACT_FIRST,
    ACT_MIDWAY,
    AFTERTHOUGHT,
    ANYTHING,
    BASKET,
    FUNNEL,
    PAST,
    Sessions,
    concatenate,
)
from pipeline.simulate.world.catalogue import TIERS, Catalogue, Season
from pipeline.simulate.world.codes import Array, generator, mix, name_code, pick
from pipeline.simulate.world.people import MEMORY, Networks, People

Intent = Literal["usual", "buy", "look", "login", "review", "refund"]
# Most people look first. Some put an item into the cart first, some go on after buying, some sign in at the checkout.
SHARE_OF_ORDER = {FUNNEL: 0.62, ACT_FIRST: 0.11, ACT_MIDWAY: 0.11, AFTERTHOUGHT: 0.16}
ORDERS = np.array([SHARE_OF_ORDER[order] for order in sorted(SHARE_OF_ORDER)])
PROMPTED = 0.5  # factor on the chance to review, when the checkout asks
NEVER_BOUGHT = 0.07  # share of reviews of gifts, or of items bought elsewhere
MOST_LOOKS = 150
YOUNG_DAYS = 14


@dataclass(frozen=True)
class Today:
    """The day, the season and the shop, as every process sees them."""

    seed: int
    day: int
    weekday: int
    season: Season
    people: People
    networks: Networks
    catalogue: Catalogue


@dataclass
class FollowUps:
    """Pending reviews and refunds. Due day -> accounts and purchase numbers, in turn."""

    reviews: dict[int, list[Array]]
    refunds: dict[int, list[Array]]


def active_accounts(today: Today) -> Array:
    """Accounts that visit by themselves today, sorted."""
    people, rng = today.people, generator(today.seed, today.day, "activity")
    chance = people.activity * today.season.activity
    if today.weekday >= 5:
        chance = chance * people.weekend_factor
    age = today.day - people.joined
    chance = chance * np.where((age >= 0) & (age < YOUNG_DAYS), 1.6, 1.0)
    comes = rng.random(len(people)) < np.where(age == 0, 0.9, chance)
    return np.flatnonzero(comes & people.exist_on(today.day))


def visits_of_day(today: Today, follow_ups: FollowUps) -> Sessions:
    """All ordinary visits of a day, also those to review or return earlier purchases."""
    rng = generator(today.seed, today.day, "ordinary")
    users = active_accounts(today)
    visits = 1 + rng.poisson(today.people.extra_sessions[users])
    parts = [make_visits(np.repeat(users, visits), today, rng, "usual")]
    due: tuple[tuple[Intent, dict[int, list[Array]]], ...] = (
        ("review", follow_ups.reviews),
        ("refund", follow_ups.refunds),
    )
    for intent, queue in due:
        for who, number in zip(*[iter(queue.pop(today.day, []))] * 2, strict=True):
            sessions = make_visits(who, today, rng, intent)
            bought = today.people.bought_item[who, number % MEMORY].astype(np.int64)
            sessions.about, sessions.item = number, np.where(sessions.subject == ANYTHING, -1, bought)
            is_known = number >= today.people.purchases[who] - MEMORY
            parts.append(sessions.take(np.flatnonzero(is_known & (today.people.leaves[who] > today.day))))
    return concatenate(parts)


def make_visits(users: Array, today: Today, rng: np.random.Generator, intent: Intent) -> Sessions:
    """One visit per entry of `users`, with that account's habits and devices."""
    people, n = today.people, len(users)
    hour = _hours(users, today, rng)
    phone = rng.random(n) < people.phone_share[users]
    network = _networks(users, hour, phone, today, rng)
    buys, carts = _buys(users, today, rng, intent)
    browse = np.floor(rng.lognormal(0.45, 1.05, n) * people.browse_factor[users]).astype(np.int64)
    browse = np.minimum(browse + (intent in ("usual", "look")), MOST_LOOKS)
    if intent in ("login", "refund", "review"):
        browse = browse // 2
    purchase = np.where(buys, 1 + (rng.random(n) < 0.15) + (rng.random(n) < 0.05), 0)
    cart = np.where(carts, np.maximum(purchase, 1) + rng.poisson(0.35, n), 0)
    cell = _cells(users, hour, today, rng)
    review, subject = _reviews(users, buys, today, rng, intent)
    device = np.where(phone, people.phone[users], people.laptop[users])
    return Sessions(
        user=users,
        start=hour * 3600,
        pace=people.tempo[users] * rng.lognormal(0, 0.35, n),
        spread=rng.uniform(0.75, 1.25, n),
        login=1 * (rng.random(n) < (0.8 if intent in ("login", "refund") else 0.32)) + (rng.random(n) < 0.03),
        search=rng.poisson(0.55, n),
        browse=browse,
        cart=cart,
        coupon=np.where(buys, rng.random(n) < people.coupon_chance[users], 0).astype(np.int64),
        payment_failure=np.where(carts, rng.poisson(0.06, n), 0),
        purchase=purchase,
        review=review,
        refund=np.full(n, intent == "refund", dtype=np.int64) * (1 + (rng.random(n) < 0.12)),
        cell=cell,
        known_share=people.loyalty[users],
        width=np.maximum(1, np.ceil(browse * rng.uniform(0.45, 1.0, n))).astype(np.int64),
        item=np.full(n, -1),
        seller=np.full(n, -1),
        subject=subject,
        about=np.full(n, -1),
        quantity=np.where(rng.random(n) < 0.12, 1 + rng.geometric(0.6, n), 1),
        device=np.where(rng.random(n) < 0.006, 1 + rng.integers(0, len(people) // 150 + 2, n), device),
        network=network,
        host=np.where(network == people.home[users], people.household[users], users),
        card=np.where(rng.random(n) < 0.85, people.card[users], people.second_card[users]),
        cards=1 + (rng.random(n) < 0.045) + (rng.random(n) < 0.012),
        address=_addresses(users, today, rng),
        order=pick(rng, ORDERS, n),
        process=np.zeros(n, dtype=np.int64),
        actor=np.zeros(n, dtype=np.int64),
    )


def _hours(users: Array, today: Today, rng: np.random.Generator) -> Array:
    """Most visits are around the person's own hour, later on weekends. Some are at any waking hour."""
    n = len(users)
    wide = 2.8 if today.weekday >= 5 else 2.1
    own = today.people.peak_hour[users] + (0.7 if today.weekday >= 5 else 0) + rng.normal(0, wide, n)
    return np.where(rng.random(n) < 0.18, rng.uniform(6.5, 24, n), own) % 24


def _networks(users: Array, hour: Array, phone: Array, today: Today, rng: np.random.Generator) -> Array:
    people, n, u = today.people, len(users), rng.random(len(users))
    network = people.home[users]
    network = np.where(phone & (u < 0.45), people.carrier[users], network)
    at_work = (today.weekday < 5) & (hour > 8) & (hour < 17.5) & (people.office[users] > 0) & (u > 0.3)
    network = np.where(at_work, people.office[users], network)
    network = np.where(rng.random(n) < 0.015, today.networks.hotel(rng.random(n)), network)
    network = np.where(rng.random(n) < 0.008, today.networks.tunnel(rng.random(n)), network)
    return np.where(people.travels_until[users] >= today.day, people.away[users], network)


def _buys(users: Array, today: Today, rng: np.random.Generator, intent: Intent) -> tuple[Array, Array]:
    """Which visits end in a purchase, and which fill a cart."""
    n = len(users)
    if intent == "buy":
        return np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    if intent in ("look", "login"):
        return np.zeros(n, dtype=bool), rng.random(n) < (0.15 if intent == "look" else 0)
    buys = rng.random(n) < today.people.purchase_chance[users] * today.season.activity
    return buys, buys | (rng.random(n) < 0.09)


def _reviews(users: Array, buys: Array, today: Today, rng: np.random.Generator, intent: Intent) -> tuple[Array, Array]:
    """Number of reviews per visit, and their subject. A checkout asks for one, of this or an earlier purchase."""
    n = len(users)
    prompted = buys & (rng.random(n) < PROMPTED * today.people.review_chance[users])
    subject = np.where(rng.random(n) < 0.6, BASKET, PAST)
    if intent != "review":
        return prompted.astype(np.int64), np.where(prompted, subject, PAST)
    return 1 + (rng.random(n) < 0.25), np.where(rng.random(n) < NEVER_BOUGHT, ANYTHING, PAST)


def _cells(users: Array, hour: Array, today: Today, rng: np.random.Generator) -> Array:
    """Category by taste, season and flash sale; price tier by budget."""
    people, n, season = today.people, len(users), today.season
    rank = pick(rng, np.array([0.55, 0.25, 0.2]), n)
    category = people.tastes[users, rank]
    category = np.where(rng.random(n) < 0.22, pick(rng, season.interest, n), category)
    if season.flash_category >= 0:
        near = np.abs(hour - season.flash_hour) < 1.5
        category = np.where(near & (rng.random(n) < 0.5), season.flash_category, category)
    tier = np.clip(np.rint(1.3 + 0.75 * people.budget[users] + 0.6 * rng.standard_normal(n)), 0, TIERS - 1)
    cell: Array = category * TIERS + tier.astype(np.int64)
    return cell


def _addresses(users: Array, today: Today, rng: np.random.Generator) -> Array:
    """Home; sometimes a shared pickup point, or the address of a friend."""
    n = len(users)
    pickup = 10 + mix(name_code("pickup"), users % 97, users // 400).astype(np.int64) % max(5, len(today.people) // 250)
    friend = (mix(today.seed, name_code("friend"), users, rng.integers(0, 4, n)) >> np.uint64(2)).astype(np.int64)
    u = rng.random(n)
    return np.where(u < 0.07, pickup, np.where(u < 0.13, friend, today.people.address[users]))


def keep_possible(sessions: Sessions, people: People) -> None:
    """Refunds and reviews are of items that the account bought, except reviews of ANYTHING. In place."""
    had = people.remembered(sessions.user)
    sessions.refund = np.minimum(sessions.refund, had)
    is_first = (sessions.subject == PAST) & (had == 0) & (sessions.purchase > 0)
    sessions.subject = np.where(is_first, BASKET, sessions.subject)
    possible = np.select([sessions.subject == PAST, sessions.subject == BASKET], [had, sessions.purchase], MEMORY)
    sessions.review = np.minimum(sessions.review, possible)
    sessions.browse = np.where(sessions.counts().sum(axis=1) == 0, 1, sessions.browse)
