"""Refund abuse: money back for goods that are kept, swapped or were never missing.

Actors     single customers, and services that do it for a fee
Resources  the customer's own account; a service brings devices and return addresses
Timing     every few days, soon after a purchase
Intent     the money and the goods

Honest people return a tenth of what they buy, and much at once after a bad batch.
serial   claims often and buys again as often
service  works through many customers' accounts from its own devices
swap     returns an old item and buys the same expensive one in one visit, the refund first
"""

from pipeline.simulate.campaigns.process import BURNT_AFTER, Process, Reporting, Variant
from pipeline.simulate.visits.sessions import ACT_FIRST

PROCESS = Process(
    name="refund_abuse",
    intent="refund",
    variants=(
        Variant(
            "serial",
            0.4,
            who="buyers",
            drawn=("refunds", "buys", "quantity", "several", "night", "bare"),
            least=3,
            most=5,
            accounts=(1, 3),
            acts=(2, 5),
            every=(2, 7),
        ),
        Variant(
            "service",
            0.35,
            who="buyers",
            drawn=("refunds", "device", "network", "earlier", "night"),
            least=3,
            most=4,
            accounts=(4, 8),
            acts=(1, 2),
            shares=("device", "network"),
            lasts=BURNT_AFTER,
            group=3,
            adaptive=True,
        ),
        Variant(
            "swap",
            0.25,
            who="buyers",
            always=("buys", "earlier"),
            drawn=("expensive", "quantity", "bare", "refunds"),
            least=1,
            most=3,
            accounts=(1, 3),
            acts=(1, 3),
            every=(3, 8),
            order=ACT_FIRST,
        ),
    ),
    report=Reporting(0.4, (("review_desk", 0.6, 9), ("complaint", 0.4, 12))),
)
