"""Traits: the few ways in which a visit may differ from an ordinary one. No trait is bad in itself."""

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
    """The visits that get one trait: `rows` of `sessions`, with their campaigns and variant."""

    sessions: Sessions
    rows: Array
    acts: Acts
    variant: Variant
    today: Today
    rng: np.random.Generator

    def get(self, field: str) -> Array:
        values: Array = getattr(self.sessions, field)[self.rows]
        return values

    def put(self, **values: Array | int) -> None:
        """Replace fields of these visits."""
        for field, value in values.items():
            getattr(self.sessions, field)[self.rows] = value

    def scale(self, field: str, factor: Array | float) -> None:
        getattr(self.sessions, field)[self.rows] *= factor

    def put_cell(self, category: Array | int, tier: Array) -> None:
        self.put(cell=category * TIERS + tier)

    @property
    def category(self) -> Array:
        return self.get("cell") // TIERS

    @property
    def tier(self) -> Array:
        return self.get("cell") % TIERS

    def code(self, thing: Thing) -> Array:
        """Codes of the campaign's own things: one per account, or one per group where the variant shares them."""
        owner = self.acts.account[self.rows]
        if thing in self.variant.shares:
            shift = name_code(thing) % self.variant.group if self.variant.crossed else 0
            owner = (owner + shift) // self.variant.group
        campaign = self.acts.campaign[self.rows]
        if thing in ("device", "card") and self.variant.lasts:
            owner = owner + 1000 * ((self.today.day + campaign % self.variant.lasts) // self.variant.lasts + 100)
        return (mix(campaign, name_code(thing), owner) >> np.uint64(2)).astype(np.int64)

    def whole(self, low: int, high: int) -> Array:
        return self.rng.integers(low, high + 1, len(self.rows))

    def between(self, low: float, high: float) -> Array:
        return self.rng.uniform(low, high, len(self.rows))

    def geometric(self, chance: float) -> Array:
        return self.rng.geometric(chance, len(self.rows))


def _device(visits: Target) -> None:
    visits.put(device=visits.code("device"))


def _network(visits: Target) -> None:
    """Another network: a home in half of the cases, else a carrier, a hotel or a privacy tunnel."""
    code, networks = visits.code("network"), visits.today.networks
    u, kind = uniform(code, 1), uniform(code, 2)
    others = np.where(kind < 0.7, networks.carrier(u), np.where(kind < 0.86, networks.hotel(u), networks.tunnel(u)))
    visits.put(network=np.where(kind < 0.5, networks.home(u), others), host=code)


def _address(visits: Target) -> None:
    visits.put(address=visits.code("address"))


def _card(visits: Target) -> None:
    visits.put(card=visits.code("card"))


def _cards(visits: Target) -> None:
    visits.put(cards=visits.whole(2, 3))


def _expensive(visits: Target) -> None:
    visits.put_cell(visits.category, np.minimum(TIERS - 1, visits.tier + visits.whole(1, 2)))
    visits.scale("known_share", 0.3)


def _cheap(visits: Target) -> None:
    visits.put_cell(visits.category, np.maximum(0, visits.tier - visits.whole(1, 2)))


def _resold(visits: Target) -> None:
    visits.put_cell(visits.rng.choice(RESOLD, len(visits.rows)), visits.tier)
    visits.scale("known_share", 0.3)


def _gift_cards(visits: Target) -> None:
    visits.put_cell(GIFT_CARDS, visits.tier)
    visits.scale("known_share", 0.2)


def _quantity(visits: Target) -> None:
    visits.put(quantity=1 + visits.geometric(0.45))


def _failures(visits: Target) -> None:
    visits.put(payment_failure=visits.get("payment_failure") + visits.geometric(0.6))


def _logins(visits: Target) -> None:
    visits.put(login=1 + visits.geometric(0.5))


def _signed_in(visits: Target) -> None:
    visits.put(login=np.maximum(1, visits.get("login")))


def _bare(visits: Target) -> None:
    """Hardly any look around."""
    visits.put(browse=visits.whole(0, 1), search=0)


def _wide(visits: Target) -> None:
    """Many looks at many different items."""
    browse = visits.get("browse") * 2 + visits.geometric(0.08)
    width = np.maximum(1, np.ceil(browse * visits.between(0.7, 1.0))).astype(np.int64)
    visits.put(browse=browse, width=width)
    visits.scale("known_share", 0.5)


def _fast(visits: Target) -> None:
    visits.scale("pace", visits.between(0.25, 0.5))


def _slow(visits: Target) -> None:
    visits.scale("pace", visits.between(1.8, 3.5))


def _even(visits: Target) -> None:
    visits.put(spread=visits.between(0.25, 0.5))


def _night(visits: Target) -> None:
    visits.put(start=visits.between(0.2, 6.2) * 3600)


def _together(visits: Target) -> None:
    """All at about the same hour of the day: each campaign has its own."""
    hour = 7 + 16 * uniform(visits.acts.campaign[visits.rows], visits.today.day, name_code("hour"))
    visits.put(start=(hour + visits.between(-0.35, 0.35)) % 24 * 3600)


def _coupon(visits: Target) -> None:
    visits.put(coupon=1 + (visits.rng.random(len(visits.rows)) < 0.25))


def _buys(visits: Target) -> None:
    visits.put(purchase=np.maximum(1, visits.get("purchase")), cart=np.maximum(1, visits.get("cart")))


def _several(visits: Target) -> None:
    visits.put(purchase=visits.get("purchase") + visits.whole(1, 2))
    _buys(visits)


def _seller(visits: Target) -> None:
    """The campaign's seller. Accounts that were chosen as its buyers come back to what they bought."""
    seller = visits.acts.seller[visits.rows]
    visits.put(seller=seller)
    if visits.variant.who == "one_sellers_buyers":
        people, user = visits.today.people, visits.get("user")
        for back in range(MEMORY - 1, -1, -1):
            number = people.purchases[user] - 1 - back
            item = people.bought_item[user, number % MEMORY]
            is_sellers = (number >= 0) & (visits.today.catalogue.seller[item] == seller)
            visits.put(
                about=np.where(is_sellers, number, visits.get("about")),
                item=np.where(is_sellers, item, visits.get("item")),
            )


def _flash(visits: Target) -> None:
    """At the flash sale: in its hour, for its items."""
    season, tier = visits.today.season, visits.tier
    if season.flash_category >= 0:
        visits.put(start=(season.flash_hour + visits.between(-0.3, 1.2)) % 24 * 3600)
        visits.put_cell(season.flash_category, tier)
        visits.scale("known_share", 0.2)


def _reviews(visits: Target) -> None:
    visits.put(review=visits.get("review") + visits.geometric(0.6))


def _of_basket(visits: Target) -> None:
    """Review what this visit buys, right afterwards."""
    _buys(visits)
    visits.put(subject=BASKET, review=np.maximum(1, visits.get("review")))


def _unbought(visits: Target) -> None:
    visits.put(subject=ANYTHING)


def _growing(visits: Target) -> None:
    """Prices grow by about one tier with each visit."""
    nth = visits.acts.nth[visits.rows]
    visits.put_cell(visits.category, np.minimum(TIERS - 1, np.minimum(visits.tier, 1) + nth))
    visits.scale("known_share", 0.3)


def _refunds(visits: Target) -> None:
    visits.put(refund=visits.get("refund") + visits.geometric(0.6))


def _earlier(visits: Target) -> None:
    """An earlier purchase again, with the card that paid it."""
    people, user = visits.today.people, visits.get("user")
    bought = (user, people.slot(user, visits.get("about"), np.zeros(len(user), dtype=np.int64)))
    has_bought = people.purchases[user] > 0
    visits.put(
        item=np.where(has_bought, people.bought_item[bought], visits.get("item")),
        card=np.where(has_bought, people.bought_card[bought], visits.get("card")),
    )


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
    """Which of `n` visits have which trait. `avoided` gives the chance to leave a drawn trait out."""
    visits_with = {trait: np.ones(n, dtype=bool) for trait in variant.always}
    wanted = variant.least + rng.binomial(variant.most - variant.least, intensity, n)
    rank = rng.random((n, len(variant.drawn))).argsort(axis=1).argsort(axis=1)
    visits_with |= {trait: rank[:, place] < wanted for place, trait in enumerate(variant.drawn)}
    return {
        trait: rows & ((rng.random(n) >= avoided.get(trait, 0.0)) | (trait in variant.always))
        for trait, rows in visits_with.items()
    }
