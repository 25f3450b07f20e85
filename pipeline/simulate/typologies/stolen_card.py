"""Stolen card: goods are bought with somebody else's card and shipped to a pickup address.

Actors     a buyer of card data with a few accounts, own or bought
Resources  a new card every purchase or two, pickup addresses that the accounts share
Timing     one to three purchases per account within a week, at ordinary hours
Intent     goods that sell again, as much as the card pays for

A new card, a new address, a large basket: gifts, moves and new jobs look the same, one at a time.
resale       has several traits at once
warm_basket  looks around at length before and after, with ordinary counts
adaptive     avoids what lists named
"""

from pipeline.simulate.campaigns.process import Process, Reporting, Variant
from pipeline.simulate.visits.sessions import ACT_MIDWAY

_TRAITS = ("card", "address", "expensive", "quantity", "resold", "failures", "device")

PROCESS = Process(
    name="stolen_card",
    intent="buy",
    variants=(
        Variant(
            "resale",
            0.4,
            drawn=_TRAITS,
            least=4,
            most=6,
            accounts=(2, 4),
            acts=(1, 3),
            every=(1, 4),
            shares=("address",),
            group=2,
        ),
        Variant(
            "warm_basket",
            0.35,
            drawn=("card", "address", "expensive", "wide", "several", "network"),
            least=4,
            most=6,
            accounts=(1, 3),
            acts=(1, 3),
            every=(2, 5),
            order=ACT_MIDWAY,
        ),
        Variant(
            "adaptive",
            0.25,
            drawn=_TRAITS,
            least=4,
            most=6,
            accounts=(2, 4),
            acts=(1, 3),
            every=(1, 4),
            shares=("address",),
            group=2,
            adaptive=True,
        ),
    ),
    report=Reporting(0.8, (("chargeback", 0.85, 22), ("complaint", 0.05, 6), ("review_desk", 0.1, 3))),
)
