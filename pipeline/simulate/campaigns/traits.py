"""Marks: the few ways in which a visit may differ from an ordinary one. None of them is bad in itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.simulate.campaigns.process import Acts, Thing, Variant
from pipeline.simulate.visits.ordinary import Today
from pipeline.simulate.visits.sessions import ANYTHING, BASKET, Sessions
from pipeline.simulate.world.catalogue import GIFT_CARDS, RESOLD, TIERS
from pipeline.simulate.world.codes import Array, mix, name_code, uniform
from pipeline.simulate.world.people import MEMORY


@dataclass(frozen=True)
class Target:
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
            shift = name_code(what) % self.variant.group if self.variant.crossed else 0
            owner = (owner + shift) // self.variant.group
        campaign = self.acts.campaign[self.rows]
        if what in ("device", "card") and self.variant.lasts:
            owner = owner + 1000 * ((self.today.day + campaign % self.variant.lasts) // self.variant.lasts + 100)
        return (mix(campaign, name_code(what), owner) >> np.uint64(2)).astype(np.int64)

    def whole(self, low: int, high: int) -> Array:
        return self.rng.integers(low, high + 1, len(self.rows))

    def between(self, low: float, high: float) -> Array:
        return self.rng.uniform(low, high, len(self.rows))


def _device(target: Target) -> None:
    target.sessions.device[target.rows] = target.code("device")


def _network(target: Target) -> None:
    """Somewhere else: mostly another home, else a carrier, a hotel or a privacy tunnel."""
    code = target.code("network")
    u, kind = uniform(code, 1), uniform(code, 2)
    nets = target.today.networks
    others = np.where(kind < 0.7, nets.carrier(u), np.where(kind < 0.86, nets.hotel(u), nets.tunnel(u)))
    target.sessions.network[target.rows] = np.where(kind < 0.5, nets.home(u), others)
    target.sessions.host[target.rows] = code


def _address(target: Target) -> None:
    target.sessions.address[target.rows] = target.code("address")


def _card(target: Target) -> None:
    target.sessions.card[target.rows] = target.code("card")


def _cards(target: Target) -> None:
    target.sessions.cards[target.rows] = target.whole(2, 3)


def _expensive(target: Target) -> None:
    s, rows = target.sessions, target.rows
    s.cell[rows] = s.cell[rows] // TIERS * TIERS + np.minimum(TIERS - 1, s.cell[rows] % TIERS + target.whole(1, 2))
    s.known_share[rows] *= 0.3


def _cheap(target: Target) -> None:
    s, rows = target.sessions, target.rows
    s.cell[rows] = s.cell[rows] // TIERS * TIERS + np.maximum(0, s.cell[rows] % TIERS - target.whole(1, 2))


def _resold(target: Target) -> None:
    target.sessions.cell[target.rows] = (
        target.rng.choice(RESOLD, len(target.rows)) * TIERS + target.sessions.cell[target.rows] % TIERS
    )
    target.sessions.known_share[target.rows] *= 0.3


def _gift_cards(target: Target) -> None:
    target.sessions.cell[target.rows] = GIFT_CARDS * TIERS + target.sessions.cell[target.rows] % TIERS
    target.sessions.known_share[target.rows] *= 0.2


def _quantity(target: Target) -> None:
    target.sessions.quantity[target.rows] = 1 + target.rng.geometric(0.45, len(target.rows))


def _failures(target: Target) -> None:
    target.sessions.payment_failure[target.rows] += target.rng.geometric(0.6, len(target.rows))


def _logins(target: Target) -> None:
    target.sessions.login[target.rows] = 1 + target.rng.geometric(0.5, len(target.rows))


def _signed_in(target: Target) -> None:
    target.sessions.login[target.rows] = np.maximum(1, target.sessions.login[target.rows])


def _bare(target: Target) -> None:
    target.sessions.browse[target.rows] = target.whole(0, 1)
    target.sessions.search[target.rows] = 0


def _wide(target: Target) -> None:
    s, rows = target.sessions, target.rows
    s.browse[rows] = s.browse[rows] * 2 + target.rng.geometric(0.08, len(rows))
    s.width[rows] = np.maximum(1, np.ceil(s.browse[rows] * target.between(0.7, 1.0))).astype(np.int64)
    s.known_share[rows] *= 0.5


def _fast(target: Target) -> None:
    target.sessions.pace[target.rows] *= target.between(0.25, 0.5)


def _slow(target: Target) -> None:
    target.sessions.pace[target.rows] *= target.between(1.8, 3.5)


def _even(target: Target) -> None:
    target.sessions.spread[target.rows] = target.between(0.25, 0.5)


def _night(target: Target) -> None:
    target.sessions.start[target.rows] = target.between(0.2, 6.2) * 3600


def _together(target: Target) -> None:
    """All at about the same hour of the day, a campaign's own."""
    hour = 7 + 16 * uniform(target.acts.campaign[target.rows], target.today.day, name_code("hour"))
    target.sessions.start[target.rows] = (hour + target.between(-0.35, 0.35)) % 24 * 3600


def _coupon(target: Target) -> None:
    target.sessions.coupon[target.rows] = 1 + (target.rng.random(len(target.rows)) < 0.25)


def _buys(target: Target) -> None:
    s, rows = target.sessions, target.rows
    s.purchase[rows] = np.maximum(1, s.purchase[rows])
    s.cart[rows] = np.maximum(1, s.cart[rows])


def _several(target: Target) -> None:
    target.sessions.purchase[target.rows] += target.whole(1, 2)
    _buys(target)


def _seller(target: Target) -> None:
    """About one seller; for accounts chosen because they bought there, about what they bought."""
    s, rows, seller = target.sessions, target.rows, target.acts.seller[target.rows]
    s.seller[rows] = seller
    if target.variant.who == "one_sellers_buyers":
        people, user = target.today.people, s.user[rows]
        for back in range(MEMORY - 1, -1, -1):
            number = people.purchases[user] - 1 - back
            item = people.bought_item[user, number % MEMORY]
            is_there = (number >= 0) & (target.today.catalogue.seller[item] == seller)
            s.about[rows] = np.where(is_there, number, s.about[rows])
            s.item[rows] = np.where(is_there, item, s.item[rows])


def _flash(target: Target) -> None:
    """At the flash sale: in its hour, for its goods."""
    season, tier = target.today.season, target.sessions.cell[target.rows] % TIERS
    if season.flash_category >= 0:
        target.sessions.start[target.rows] = (season.flash_hour + target.between(-0.3, 1.2)) % 24 * 3600
        target.sessions.cell[target.rows] = season.flash_category * TIERS + tier
        target.sessions.known_share[target.rows] *= 0.2


def _reviews(target: Target) -> None:
    target.sessions.review[target.rows] += target.rng.geometric(0.6, len(target.rows))


def _of_basket(target: Target) -> None:
    """Reviews are of what this visit buys, right after."""
    _buys(target)
    target.sessions.subject[target.rows] = BASKET
    target.sessions.review[target.rows] = np.maximum(1, target.sessions.review[target.rows])


def _unbought(target: Target) -> None:
    target.sessions.subject[target.rows] = ANYTHING


def _growing(target: Target) -> None:
    """From modest to large, a step or so with each visit."""
    s, rows, nth = target.sessions, target.rows, target.acts.nth[target.rows]
    tier = np.minimum(TIERS - 1, np.minimum(s.cell[rows] % TIERS, 1) + nth)
    s.cell[rows] = s.cell[rows] // TIERS * TIERS + tier
    s.known_share[rows] *= 0.3


def _refunds(target: Target) -> None:
    target.sessions.refund[target.rows] += target.rng.geometric(0.6, len(target.rows))


def _earlier(target: Target) -> None:
    """About what was bought before, paid with that card."""
    s, rows, people, user = target.sessions, target.rows, target.today.people, target.sessions.user[target.rows]
    bought = (user, people.slot(user, s.about[rows], np.zeros(len(rows), dtype=np.int64)))
    has_bought = people.purchases[user] > 0
    s.item[rows] = np.where(has_bought, people.bought_item[bought], s.item[rows])
    s.card[rows] = np.where(has_bought, people.bought_card[bought], s.card[rows])


TRAITS: dict[str, Callable[[Target], None]] = {
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


def draw_traits(
    variant: Variant, n: int, intensity: float, avoided: Mapping[str, float | Array], rng: np.random.Generator
) -> dict[str, Array]:
    """Which of `n` visits get which trait. Drawn marks that are `avoided` are left out with the chance it gives."""
    found = {trait: np.ones(n, dtype=bool) for trait in variant.always}
    wanted = variant.least + rng.binomial(variant.most - variant.least, intensity, n)
    rank = rng.random((n, len(variant.drawn))).argsort(axis=1).argsort(axis=1)
    found |= {trait: rank[:, place] < wanted for place, trait in enumerate(variant.drawn)}
    return {
        trait: rows & ((rng.random(n) >= avoided.get(trait, 0.0)) | (trait in variant.always))
        for trait, rows in found.items()
    }
