"""Account takeover: somebody else shops with a customer's account and stored card.

Actors     two or three people who bought the passwords of a few accounts
Resources  own devices, networks that look like homes, a few addresses to receive goods
Timing     each account on one or two days, often at night, fast, before the victim notices
Intent     goods that sell again, or gift cards, paid with the victim's stored card

A new device, network or address, or a large basket, is ordinary by itself. Several at once are not.
drop_address      ships to addresses that the crew shares
borrowed_session  stole the cookie, so the device is the victim's; buys first, then looks around
adaptive          avoids what lists named
"""

from pipeline.simulate.campaigns.process import BURNT_AFTER, Process, Reporting, Variant
from pipeline.simulate.visits.sessions import ACT_FIRST

_TRAITS = ("device", "network", "address", "expensive", "bare", "night", "resold")

PROCESS = Process(
    name="account_takeover",
    intent="buy",
    variants=(
        Variant(
            "drop_address",
            0.4,
            drawn=_TRAITS,
            least=4,
            most=6,
            accounts=(3, 6),
            acts=(1, 2),
            shares=("address", "device"),
            lasts=BURNT_AFTER,
            group=3,
        ),
        Variant(
            "borrowed_session",
            0.35,
            drawn=("network", "address", "gift_cards", "bare", "fast", "night", "expensive"),
            least=3,
            most=6,
            accounts=(2, 5),
            acts=(1, 2),
            order=ACT_FIRST,
        ),
        Variant(
            "adaptive",
            0.25,
            drawn=_TRAITS,
            least=4,
            most=6,
            accounts=(3, 6),
            acts=(1, 2),
            shares=("address",),
            group=2,
            adaptive=True,
        ),
    ),
    report=Reporting(0.7, (("complaint", 0.6, 1.5), ("chargeback", 0.3, 20), ("review_desk", 0.1, 3))),
)
