"""Visits become events: steps in order, with times, items and prices."""

from dataclasses import dataclass, fields

import numpy as np

from pipeline.simulate.visits.ordinary import Today
from pipeline.simulate.visits.sessions import BASKET, PAST, STEPS, Sessions
from pipeline.simulate.world.catalogue import TIERS
from pipeline.simulate.world.codes import Array, generator, mix, name_code, uniform

LOGIN, SEARCH, BROWSE, CART, COUPON, FAILURE, PURCHASE, REVIEW, REFUND = range(len(STEPS))
PRICED = (CART, COUPON, FAILURE, PURCHASE, REFUND)
DAY_MS = 24 * 3600 * 1000

# When in a visit (0 to 1) a step may come. Per order of steps: (from, to) for each of STEPS.
_PHASES = np.array(
    [
        [(0, 0.02), (0.02, 0.8), (0.03, 0.86), (0.3, 0.86), (0.87, 0.89), (0.9, 0.92), (0.93, 1), (0.5, 1), (0.4, 1)],
        [
            (0, 0.02),
            (0.4, 0.9),
            (0.35, 1),
            (0.03, 0.1),
            (0.11, 0.13),
            (0.14, 0.17),
            (0.18, 0.3),
            (0.05, 0.3),
            (0.05, 0.3),
        ],
        [(0, 0.02), (0.02, 0.9), (0.03, 1), (0.3, 0.5), (0.5, 0.52), (0.52, 0.56), (0.56, 0.7), (0.4, 0.6), (0.4, 0.6)],
        [(0.6, 0.7), (0.02, 0.5), (0.03, 0.6), (0.5, 0.7), (0.71, 0.8), (0.8, 0.9), (0.9, 1), (0.9, 1), (0.9, 1)],
    ]
)


@dataclass
class Events:
    """A day's events in the order of the file. Every field is an array; `visit` is a row of `Sessions`."""

    visit: Array
    step: Array
    at: Array  # milliseconds of the day
    item: Array  # -1: none
    category: Array  # -1: none
    cents: Array  # -1: none
    quantity: Array  # 0: none
    card: Array  # 0: none
    number: Array  # the code of the event

    def __len__(self) -> int:
        return len(self.visit)


def expand(sessions: Sessions, today: Today) -> Events:
    """All events of these visits, sorted by time."""
    rng = generator(today.seed, today.day, "events")
    visit, step, nth = _steps(sessions)
    phases = _PHASES[sessions.order[visit], step]
    chance = rng.random(len(visit))
    phase = phases[:, 0] + chance * (phases[:, 1] - phases[:, 0])
    is_of_basket = (step == REVIEW) & (sessions.subject[visit] == BASKET)  # never before the purchase
    phase = np.where(is_of_basket, _PHASES[sessions.order[visit], PURCHASE, 1] + 0.05 * chance, phase)
    in_order = np.argsort(visit + phase * 0.9, kind="stable")
    visit, step, nth = visit[in_order], step[in_order], nth[in_order]
    at = _moments(sessions, visit, rng)
    item = _items(sessions, today, visit, step, nth, rng)
    cents, quantity = _money(sessions, today, visit, step, item, rng)
    other = mix(sessions.card[visit], nth % sessions.cards[visit])
    card = np.where(nth % sessions.cards[visit] > 0, _next_card(sessions, today, visit, other), sessions.card[visit])
    card = np.where(np.isin(step, (FAILURE, PURCHASE)), card, 0)
    number = mix(today.seed, name_code("event"), today.day, np.arange(len(visit)))
    events = Events(visit, step, at, item, item, cents, quantity, card, number)
    _copy_purchases(events, nth, sessions, today)
    searched = np.where(step == SEARCH, sessions.cell[visit] // TIERS, -1)
    events.category = np.where(events.item >= 0, today.catalogue.category[events.item], searched)
    file_order = np.lexsort((number, at))
    return Events(*(getattr(events, field.name)[file_order] for field in fields(Events)))


def _steps(sessions: Sessions) -> tuple[Array, Array, Array]:
    """Per event: its visit, its step, and its index among the visit's equal steps."""
    counts = sessions.counts()
    flat = counts.ravel()
    total = int(flat.sum())
    cells = np.repeat(np.arange(flat.size), flat)
    starts = np.cumsum(flat) - flat
    return cells // len(STEPS), cells % len(STEPS), np.arange(total) - starts[cells]


def _moments(sessions: Sessions, visit: Array, rng: np.random.Generator) -> Array:
    """Milliseconds of the day. A visit that would pass midnight is moved to end before it."""
    gaps = sessions.pace[visit] * np.exp(sessions.spread[visit] * rng.standard_normal(len(visit)))
    # people pause: the tail is heavier for an uneven pace
    gaps = np.minimum(gaps, 1500) + np.where(
        rng.random(len(visit)) < 0.02 * sessions.spread[visit], rng.exponential(240, len(visit)), 0
    )
    is_first = np.diff(visit, prepend=-1) > 0
    gaps[is_first] = 0
    run = np.cumsum(gaps)
    first = np.flatnonzero(is_first)
    lengths = np.diff(np.append(first, len(visit)))
    within = run - np.repeat(run[first], lengths)
    last = np.repeat(within[first + lengths - 1], lengths)
    scale = np.minimum(1.0, 80_000 / np.maximum(last, 1))
    start = sessions.start[visit]
    over = start + last * scale - 86_399
    start = start - np.where(over > 0, over + np.repeat(rng.exponential(1200, len(first)), lengths), 0)
    start = np.maximum(start, 0)
    fraction = np.repeat(rng.random(len(first)) * 1000, lengths)
    at = np.floor((start + within * scale) * 1000 + fraction)
    moments: Array = np.clip(at, 0, DAY_MS - 1).astype(np.int64)
    return moments


def _items(sessions: Sessions, today: Today, visit: Array, step: Array, nth: Array, rng: np.random.Generator) -> Array:
    """The item of each step. A visit looks at a few items again and again; some are known from before."""
    looks = step == BROWSE
    slot = np.where(looks, np.floor(rng.random(len(visit)) ** 1.4 * sessions.width[visit]), nth).astype(np.int64)
    user = sessions.user[visit]
    is_known = uniform(today.seed, name_code("known"), today.day, visit, slot) < sessions.known_share[visit]
    habit = uniform(today.seed, name_code("habit"), user, slot % 7)
    chance = uniform(today.seed, name_code("slot"), today.day, visit, slot)
    # known items are drawn from the account's tastes, all others by popularity
    cell = np.where(
        is_known, today.people.tastes[user, slot % 3] * TIERS + sessions.cell[visit] % TIERS, sessions.cell[visit]
    )
    item = today.catalogue.in_cell(cell, np.where(is_known, habit, chance))
    seller = sessions.seller[visit]
    is_about = (seller >= 0) & (~looks | (slot % 3 == 0))
    item = np.where(
        is_about,
        today.catalogue.at_seller(np.maximum(seller, 0), uniform(today.seed, name_code("at"), seller, user, slot)),
        item,
    )
    item = np.where((sessions.item[visit] >= 0) & (slot == 0), sessions.item[visit], item)
    return np.where((step == LOGIN) | (step == SEARCH), -1, item)


def _copy_purchases(events: Events, nth: Array, sessions: Sessions, today: Today) -> None:
    """Refunds and reviews copy the item of the purchase; refunds copy amount and card too. In place."""
    is_return = events.step == REFUND
    is_past = is_return | ((events.step == REVIEW) & (sessions.subject[events.visit] == PAST))
    for rows, money_too in ((np.flatnonzero(is_past), False), (np.flatnonzero(is_return), True)):
        people, visit = today.people, events.visit[rows]
        user = sessions.user[visit]
        bought = (user, people.slot(user, sessions.about[visit], nth[rows]))
        events.item[rows] = people.bought_item[bought]
        if money_too:
            events.card[rows] = people.bought_card[bought]
            events.cents[rows], events.quantity[rows] = people.bought_cents[bought], people.bought_pieces[bought]


def _money(
    sessions: Sessions, today: Today, visit: Array, step: Array, item: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Cents and pieces, for steps that have them."""
    price = today.catalogue.price[item]
    on_sale = today.catalogue.category[item] == today.season.flash_category
    price = np.where(on_sale, np.rint(price * 0.8), price).astype(np.int64)
    has_pieces = np.isin(step, (CART, FAILURE, PURCHASE, REFUND))
    pieces = np.where(has_pieces, sessions.quantity[visit], 0)
    off = np.rint(price * rng.choice([0.05, 0.1, 0.15, 0.2], len(visit))).astype(np.int64)
    cents = np.where(step == COUPON, np.maximum(off, 10), price * np.maximum(pieces, 1))
    return np.where(np.isin(step, PRICED), cents, -1), pieces


def _next_card(sessions: Sessions, today: Today, visit: Array, other: Array) -> Array:
    """The next card tried: the account's other card, or `other` if the first was not its own."""
    user, card = sessions.user[visit], sessions.card[visit]
    people = today.people
    own = np.where(card == people.card[user], people.second_card[user], people.card[user])
    is_own = (card == people.card[user]) | (card == people.second_card[user])
    return np.where(is_own, own, (other >> np.uint64(2)).astype(np.int64))
