"""Innocent processes that resemble abuse. Each resembles one typology, and together they outnumber it.

They are made of the same marks, on as many accounts and days. Where abuse shows several marks at once, or crosses what
it shares, innocence has a reason for one or two of them, and shares all with the same few people.
"""

from collections.abc import Iterable

from pipeline.simulate.ordinary import Intent
from pipeline.simulate.process import Process, Thing, Variant
from pipeline.simulate.sessions import ACT_FIRST, FUNNEL

Span = tuple[int, int]


def _like(
    name: str,
    intent: Intent,
    always: str,
    drawn: str,
    count: Span,
    accounts: Span,
    acts: Span,
    every: Span = (1, 3),
    shares: tuple[Thing, ...] = (),
    group: int = 1,
    order: int = FUNNEL,
    young: bool = False,
    keeps: tuple[Thing, ...] = (),
) -> tuple[str, Intent, Variant, bool, tuple[Thing, ...]]:
    """One process with one variant; marks are words with spaces between, `count` of `drawn` mark each visit."""
    variant = Variant(
        "", 1, tuple(always.split()), tuple(drawn.split()), *count, accounts, acts, every, shares, group, order=order
    )
    return name, intent, variant, young, keeps


def _resembling(typology: str, *alike: tuple[str, Intent, Variant, bool, tuple[Thing, ...]]) -> Iterable[Process]:
    for name, intent, variant, young, keeps in alike:
        yield Process(name, intent, (variant,), resembles=typology, young=young, keeps=keeps)


LOOK_ALIKES: tuple[Process, ...] = (
    *_resembling(
        "account_takeover",
        _like(
            "new_phone",
            "buy",
            "device",
            "network night bare resold expensive",
            (0, 3),
            (1, 3),
            (1, 2),
            keeps=("device",),
        ),
        _like(
            "moving_house",
            "buy",
            "address network",
            "expensive bare resold night",
            (0, 3),
            (1, 3),
            (1, 2),
            keeps=("address", "network"),
        ),
        _like(
            "gift_giver",
            "buy",
            "address",
            "expensive bare resold gift_cards night",
            (0, 4),
            (1, 3),
            (1, 2),
            shares=("address",),
            group=2,
        ),
        _like("traveller", "buy", "network", "night bare expensive device fast", (0, 3), (1, 3), (1, 2)),
    ),
    *_resembling(
        "credential_stuffing",
        _like("forgotten_password", "login", "logins", "network night bare fast", (0, 3), (1, 3), (1, 2)),
        _like(
            "shared_office_device",
            "login",
            "signed_in device",
            "network bare together even",
            (0, 3),
            (4, 9),
            (1, 2),
            (1, 4),
            shares=("device", "network"),
            group=4,
        ),
        _like(
            "quick_check",
            "login",
            "signed_in",
            "bare fast even network device night",
            (1, 4),
            (1, 3),
            (1, 2),
            shares=("device",),
            group=2,
        ),
    ),
    *_resembling(
        "card_testing",
        _like(
            "expired_card",
            "buy",
            "failures",
            "card cards bare cheap fast",
            (0, 3),
            (1, 3),
            (1, 3),
            young=True,
            keeps=("card",),
        ),
        _like(
            "pocket_money",
            "buy",
            "",
            "cheap gift_cards bare fast card night",
            (1, 4),
            (2, 4),
            (1, 3),
            shares=("card",),
            group=2,
            young=True,
        ),
        _like(
            "family_cards",
            "buy",
            "",
            "card device cards cheap failures",
            (1, 3),
            (2, 5),
            (1, 4),
            shares=("card", "device"),
            group=3,
            young=True,
        ),
    ),
    *_resembling(
        "stolen_card",
        _like(
            "bulk_buyer",
            "buy",
            "quantity",
            "failures expensive several card resold wide",
            (0, 3),
            (1, 3),
            (1, 3),
            (1, 5),
        ),
        _like(
            "wedding_list",
            "buy",
            "address expensive",
            "failures resold several wide device",
            (0, 3),
            (2, 4),
            (1, 3),
            (1, 5),
            shares=("address",),
            group=2,
        ),
        _like(
            "new_bank",
            "buy",
            "card",
            "failures expensive network device resold",
            (0, 3),
            (1, 3),
            (1, 3),
            keeps=("card",),
        ),
    ),
    *_resembling(
        "promo_farming",
        _like(
            "coupon_household",
            "buy",
            "coupon device",
            "address card network",
            (1, 3),
            (3, 6),
            (2, 4),
            (2, 6),
            shares=("device", "address", "card", "network"),
            group=3,
            young=True,
        ),
        _like(
            "student_home",
            "buy",
            "coupon",
            "address network device bare",
            (1, 4),
            (5, 10),
            (2, 4),
            (2, 6),
            shares=("address", "network", "device"),
            group=3,
            young=True,
        ),
        _like(
            "thrifty_newcomer",
            "buy",
            "coupon",
            "cheap bare card device address",
            (1, 3),
            (2, 5),
            (2, 4),
            (2, 6),
            shares=("device", "card"),
            group=2,
            young=True,
        ),
    ),
    *_resembling(
        "fake_reviews",
        _like("enthusiastic_reviewer", "review", "reviews", "fast buys earlier device", (0, 3), (2, 5), (1, 4), (2, 6)),
        _like(
            "fans_of_a_seller", "review", "seller", "together buys network cheap fast", (0, 3), (5, 10), (1, 3), (2, 6)
        ),
        _like(
            "asked_to_review",
            "review",
            "",
            "together reviews seller device network",
            (1, 3),
            (4, 9),
            (1, 2),
            (2, 6),
            shares=("device", "network"),
            group=3,
        ),
    ),
    *_resembling(
        "brushing",
        _like("influencer_crowd", "buy", "seller", "together bare quantity slow", (0, 3), (5, 10), (1, 3), (2, 6)),
        _like("careful_buyer", "buy", "", "slow even wide reviews several", (1, 4), (4, 8), (1, 3), (2, 6)),
        _like(
            "group_order",
            "buy",
            "address",
            "together several quantity even",
            (0, 3),
            (4, 9),
            (1, 3),
            (2, 6),
            shares=("address",),
            group=3,
        ),
    ),
    *_resembling(
        "refund_abuse",
        _like(
            "bad_batch",
            "refund",
            "seller",
            "refunds buys bare expensive quantity network",
            (0, 3),
            (5, 12),
            (1, 2),
            (1, 4),
        ),
        _like(
            "size_orderer",
            "refund",
            "refunds buys",
            "earlier quantity expensive night bare",
            (0, 3),
            (1, 3),
            (2, 5),
            (2, 7),
            order=ACT_FIRST,
        ),
        _like(
            "careful_returner",
            "refund",
            "earlier",
            "card bare device network night expensive",
            (0, 3),
            (3, 6),
            (1, 3),
            shares=("device", "network"),
            group=3,
        ),
    ),
    *_resembling(
        "bots",
        _like(
            "price_comparison_tool",
            "look",
            "even",
            "wide fast network night device",
            (1, 3),
            (2, 5),
            (1, 4),
            (1, 2),
            shares=("network",),
            group=2,
        ),
        _like("flash_sale_collector", "look", "buys", "fast together quantity even", (1, 3), (3, 6), (1, 2)),
        _like(
            "night_owl", "look", "", "night wide device network", (1, 3), (2, 5), (1, 4), shares=("device",), group=2
        ),
    ),
    *_resembling(
        "sleepers",
        _like("growing_customer", "buy", "expensive", "network quantity resold bare", (1, 3), (3, 6), (2, 4), (2, 5)),
        _like(
            "back_after_a_break",
            "buy",
            "",
            "device network card several night resold",
            (1, 3),
            (3, 6),
            (1, 3),
            keeps=("device",),
        ),
        _like(
            "furnishing_together",
            "buy",
            "address expensive",
            "several quantity device resold",
            (0, 3),
            (3, 6),
            (1, 3),
            (2, 5),
            shares=("address", "device"),
            group=2,
        ),
    ),
)

RESEMBLES: dict[str, str] = {process.name: process.resembles for process in LOOK_ALIKES}
