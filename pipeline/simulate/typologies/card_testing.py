"""Card testing: small purchases show which stolen cards still work.

Actors     a seller of card data, with a few accounts
Resources  many cards, few accounts; the accounts share cards and devices
Timing     short bursts over several days, a few cards at a time
Intent     to know which cards work; cheap goods and gift cards are enough

Failed payments, new cards and small amounts are each common.
small_baskets  buys cheap goods after failed payments
gift_cards     buys digital goods at once
patient        tries one card per ordinary visit; only the cards' path between accounts remains
"""

from pipeline.simulate.campaigns.process import BURNT_AFTER, Process, Reporting, Variant
from pipeline.simulate.visits.sessions import ACT_MIDWAY

_TRAITS = ("failures", "card", "cards", "cheap", "bare", "device", "gift_cards")

PROCESS = Process(
    name="card_testing",
    intent="buy",
    variants=(
        Variant(
            "small_baskets",
            0.35,
            who="young",
            drawn=_TRAITS,
            least=4,
            most=6,
            accounts=(2, 5),
            acts=(1, 4),
            shares=("card", "device"),
            lasts=BURNT_AFTER,
            group=2,
        ),
        Variant(
            "gift_cards",
            0.3,
            who="young",
            drawn=("gift_cards", "failures", "card", "bare", "device", "cheap"),
            least=4,
            most=5,
            accounts=(2, 4),
            acts=(1, 3),
            shares=("device", "card"),
            lasts=BURNT_AFTER,
            group=2,
            order=ACT_MIDWAY,
        ),
        Variant(
            "patient",
            0.35,
            who="young",
            drawn=("card", "failures", "cheap", "device", "cards"),
            least=3,
            most=5,
            accounts=(3, 6),
            acts=(2, 4),
            every=(1, 4),
            shares=("card", "device"),
            lasts=BURNT_AFTER,
            group=3,
            crossed=True,
            adaptive=True,
        ),
    ),
    report=Reporting(0.6, (("chargeback", 0.75, 16), ("review_desk", 0.15, 3), ("takedown", 0.1, 4))),
)
