"""Promo farming: one person keeps many accounts to use each coupon many times.

Actors     one person with 4 to 12 accounts, most of them young
Resources  two or three phones, a few cards and addresses, each shared by some of the accounts
Timing     around coupons, every few days, as often as a thrifty customer
Intent     discounts meant for one person

Each account looks like a thrifty customer. Households share as much.
crossed   no two accounts share everything; only the whole pattern of sharing shows the farm
own_home  uses one home for all accounts
adaptive  no longer shares what lists named
"""

from pipeline.simulate.campaigns.process import BURNT_AFTER, Process, Reporting, Variant

_TRAITS = ("device", "card", "address", "network", "cheap", "bare")

PROCESS = Process(
    name="promo_farming",
    intent="buy",
    variants=(
        Variant(
            "crossed",
            0.4,
            who="young",
            always=("coupon",),
            drawn=("device", "card", "address", "network"),
            least=3,
            most=4,
            accounts=(6, 12),
            acts=(2, 5),
            every=(2, 6),
            shares=("device", "card", "address"),
            lasts=BURNT_AFTER,
            group=3,
            crossed=True,
        ),
        Variant(
            "own_home",
            0.35,
            who="young",
            always=("coupon",),
            drawn=_TRAITS,
            least=4,
            most=5,
            accounts=(4, 8),
            acts=(2, 4),
            every=(2, 6),
            shares=("network", "address", "device"),
            lasts=BURNT_AFTER,
            group=3,
        ),
        Variant(
            "adaptive",
            0.25,
            who="young",
            always=("coupon",),
            drawn=_TRAITS,
            least=4,
            most=5,
            accounts=(4, 8),
            acts=(2, 4),
            every=(2, 6),
            shares=("device", "card"),
            lasts=BURNT_AFTER,
            group=3,
            adaptive=True,
        ),
    ),
    report=Reporting(0.32, (("takedown", 0.6, 5), ("review_desk", 0.4, 4))),
)
