"""Marks: the few ways in which a visit may differ from an ordinary one. None of them is bad in itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.simulate.catalogue import GIFT_CARDS, RESOLD, TIERS
from pipeline.simulate.codes import Array, mix, uniform, word
from pipeline.simulate.ordinary import Today
from pipeline.simulate.people import MEMORY
from pipeline.simulate.process import Acts, Thing, Variant
from pipeline.simulate.sessions import ANYTHING, BASKET, Sessions


@dataclass(frozen=True)
class Marked:
    """Visits to be marked: `rows` of `sessions`, with what their campaigns have of their own."""

    sessions: Sessions
    rows: Array
    acts: Acts
    variant: Variant
    today: Today
    rng: np.random.Generator

    def code(self, what: Thing | str) -> Array:
        """A code that is the account's within its campaign, or its group's where the variant shares such things."""
        owner = self.acts.account[self.rows]
        if what in self.variant.shares:
            shift = word(what) % self.variant.group if self.variant.crossed else 0
            owner = (owner + shift) // self.variant.group
        campaign = self.acts.campaign[self.rows]
        if what in ("device", "card") and self.variant.lasts:
            owner = owner + 1000 * ((self.today.day + campaign % self.variant.lasts) // self.variant.lasts + 100)
        return (mix(campaign, word(what), owner) >> np.uint64(2)).astype(np.int64)

    def whole(self, low: int, high: int) -> Array:
        return self.rng.integers(low, high + 1, len(self.rows))

    def between(self, low: float, high: float) -> Array:
        return self.rng.uniform(low, high, len(self.rows))


def _device(m: Marked) -> None:
    m.sessions.device[m.rows] = m.code("device")


def _network(m: Marked) -> None:
    """Somewhere else: mostly another home, else a carrier, a hotel or a privacy tunnel."""
    code = m.code("network")
    u, kind = uniform(code, 1), uniform(code, 2)
    nets = m.today.networks
    others = np.where(kind < 0.7, nets.carrier(u), np.where(kind < 0.86, nets.hotel(u), nets.tunnel(u)))
    m.sessions.network[m.rows] = np.where(kind < 0.5, nets.home(u), others)
    m.sessions.host[m.rows] = code


def _address(m: Marked) -> None:
    m.sessions.lives_at[m.rows] = m.code("address")


def _card(m: Marked) -> None:
    m.sessions.card[m.rows] = m.code("card")


def _cards(m: Marked) -> None:
    m.sessions.cards[m.rows] = m.whole(2, 3)


def _expensive(m: Marked) -> None:
    s, rows = m.sessions, m.rows
    s.cell[rows] = s.cell[rows] // TIERS * TIERS + np.minimum(TIERS - 1, s.cell[rows] % TIERS + m.whole(1, 2))
    s.known[rows] *= 0.3


def _cheap(m: Marked) -> None:
    s, rows = m.sessions, m.rows
    s.cell[rows] = s.cell[rows] // TIERS * TIERS + np.maximum(0, s.cell[rows] % TIERS - m.whole(1, 2))


def _resold(m: Marked) -> None:
    m.sessions.cell[m.rows] = m.rng.choice(RESOLD, len(m.rows)) * TIERS + m.sessions.cell[m.rows] % TIERS
    m.sessions.known[m.rows] *= 0.3


def _gift_cards(m: Marked) -> None:
    m.sessions.cell[m.rows] = GIFT_CARDS * TIERS + m.sessions.cell[m.rows] % TIERS
    m.sessions.known[m.rows] *= 0.2


def _quantity(m: Marked) -> None:
    m.sessions.quantity[m.rows] = 1 + m.rng.geometric(0.45, len(m.rows))


def _failures(m: Marked) -> None:
    m.sessions.payment_failure[m.rows] += m.rng.geometric(0.6, len(m.rows))


def _logins(m: Marked) -> None:
    m.sessions.login[m.rows] = 1 + m.rng.geometric(0.5, len(m.rows))


def _signed_in(m: Marked) -> None:
    m.sessions.login[m.rows] = np.maximum(1, m.sessions.login[m.rows])


def _bare(m: Marked) -> None:
    m.sessions.browse[m.rows] = m.whole(0, 1)
    m.sessions.search[m.rows] = 0


def _wide(m: Marked) -> None:
    s, rows = m.sessions, m.rows
    s.browse[rows] = s.browse[rows] * 2 + m.rng.geometric(0.08, len(rows))
    s.width[rows] = np.maximum(1, np.ceil(s.browse[rows] * m.between(0.7, 1.0))).astype(np.int64)
    s.known[rows] *= 0.5


def _fast(m: Marked) -> None:
    m.sessions.pace[m.rows] *= m.between(0.25, 0.5)


def _slow(m: Marked) -> None:
    m.sessions.pace[m.rows] *= m.between(1.8, 3.5)


def _even(m: Marked) -> None:
    m.sessions.spread[m.rows] = m.between(0.25, 0.5)


def _night(m: Marked) -> None:
    m.sessions.start[m.rows] = m.between(0.2, 6.2) * 3600


def _together(m: Marked) -> None:
    """All at about the same hour of the day, a campaign's own."""
    hour = 7 + 16 * uniform(m.acts.campaign[m.rows], m.today.day, word("hour"))
    m.sessions.start[m.rows] = (hour + m.between(-0.35, 0.35)) % 24 * 3600


def _coupon(m: Marked) -> None:
    m.sessions.coupon[m.rows] = 1 + (m.rng.random(len(m.rows)) < 0.25)


def _buys(m: Marked) -> None:
    s, rows = m.sessions, m.rows
    s.purchase[rows] = np.maximum(1, s.purchase[rows])
    s.cart[rows] = np.maximum(1, s.cart[rows])


def _several(m: Marked) -> None:
    m.sessions.purchase[m.rows] += m.whole(1, 2)
    _buys(m)


def _seller(m: Marked) -> None:
    """About one seller; for accounts chosen because they bought there, about what they bought."""
    s, rows, seller = m.sessions, m.rows, m.acts.seller[m.rows]
    s.seller[rows] = seller
    if m.variant.who == "one_sellers_buyers":
        people, user = m.today.people, s.user[rows]
        for back in range(MEMORY - 1, -1, -1):
            number = people.purchases[user] - 1 - back
            item = people.bought_item[user, number % MEMORY]
            is_there = (number >= 0) & (m.today.catalogue.seller[item] == seller)
            s.about[rows] = np.where(is_there, number, s.about[rows])
            s.item[rows] = np.where(is_there, item, s.item[rows])


def _flash(m: Marked) -> None:
    """At the flash sale: in its hour, for its goods."""
    season, tier = m.today.season, m.sessions.cell[m.rows] % TIERS
    if season.flash_category >= 0:
        m.sessions.start[m.rows] = (season.flash_hour + m.between(-0.3, 1.2)) % 24 * 3600
        m.sessions.cell[m.rows] = season.flash_category * TIERS + tier
        m.sessions.known[m.rows] *= 0.2


def _reviews(m: Marked) -> None:
    m.sessions.review[m.rows] += m.rng.geometric(0.6, len(m.rows))


def _of_basket(m: Marked) -> None:
    """Reviews are of what this visit buys, right after."""
    _buys(m)
    m.sessions.subject[m.rows] = BASKET
    m.sessions.review[m.rows] = np.maximum(1, m.sessions.review[m.rows])


def _unbought(m: Marked) -> None:
    m.sessions.subject[m.rows] = ANYTHING


def _growing(m: Marked) -> None:
    """From modest to large, a step or so with each visit."""
    s, rows, nth = m.sessions, m.rows, m.acts.nth[m.rows]
    tier = np.minimum(TIERS - 1, np.minimum(s.cell[rows] % TIERS, 1) + nth)
    s.cell[rows] = s.cell[rows] // TIERS * TIERS + tier
    s.known[rows] *= 0.3


def _refunds(m: Marked) -> None:
    m.sessions.refund[m.rows] += m.rng.geometric(0.6, len(m.rows))


def _earlier(m: Marked) -> None:
    """About what was bought before, paid with that card."""
    s, rows, people, user = m.sessions, m.rows, m.today.people, m.sessions.user[m.rows]
    bought = (user, people.slot(user, s.about[rows], np.zeros(len(rows), dtype=np.int64)))
    has_bought = people.purchases[user] > 0
    s.item[rows] = np.where(has_bought, people.bought_item[bought], s.item[rows])
    s.card[rows] = np.where(has_bought, people.bought_card[bought], s.card[rows])


MARKS: dict[str, Callable[[Marked], None]] = {
    "device": _device,
    "network": _network,
    "address": _address,
    "card": _card,
    "cards": _cards,
    "expensive": _expensive,
    "cheap": _cheap,
    "resold": _resold,
    "gift_cards": _gift_cards,
    "quantity": _quantity,
    "failures": _failures,
    "logins": _logins,
    "signed_in": _signed_in,
    "bare": _bare,
    "wide": _wide,
    "fast": _fast,
    "slow": _slow,
    "even": _even,
    "night": _night,
    "together": _together,
    "coupon": _coupon,
    "buys": _buys,
    "several": _several,
    "seller": _seller,
    "flash": _flash,
    "reviews": _reviews,
    "of_basket": _of_basket,
    "unbought": _unbought,
    "growing": _growing,
    "refunds": _refunds,
    "earlier": _earlier,
}


def draw(
    variant: Variant, n: int, intensity: float, avoided: Mapping[str, float | Array], rng: np.random.Generator
) -> dict[str, Array]:
    """Which of `n` visits get which mark. Drawn marks that are `avoided` are left out with the chance it gives."""
    found = {mark: np.ones(n, dtype=bool) for mark in variant.always}
    wanted = variant.least + rng.binomial(variant.most - variant.least, intensity, n)
    rank = rng.random((n, len(variant.drawn))).argsort(axis=1).argsort(axis=1)
    found |= {mark: rank[:, place] < wanted for place, mark in enumerate(variant.drawn)}
    return {
        mark: rows & ((rng.random(n) >= avoided.get(mark, 0.0)) | (mark in variant.always))
        for mark, rows in found.items()
    }
