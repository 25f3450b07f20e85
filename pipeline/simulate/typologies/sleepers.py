"""Sleepers: accounts earn trust for weeks, then spend what trust allows and disappear.

Actors     a patient crew with 3 to 8 accounts that it opened or bought long ago
Resources  devices and drop addresses that some of the accounts share, new cards at the end
Timing     weeks of ordinary visits, which are not bad; then a few visits, each with a larger basket
Intent     one large haul before anybody asks

Growing customers spend more too. People come back after long breaks to buy something large.
ramp      grows over its visits
silent    takes all at once; no two accounts share both device and address
adaptive  avoids what lists named
"""

from pipeline.simulate.campaigns.process import BURNT_AFTER, Process, Reporting, Variant

_TRAITS = ("expensive", "quantity", "network", "address", "device", "resold", "bare")

PROCESS = Process(
    name="sleepers",
    intent="buy",
    variants=(
        Variant(
            "ramp",
            0.45,
            always=("growing",),
            who="aged",
            leaves=True,
            drawn=_TRAITS,
            least=4,
            most=6,
            accounts=(3, 6),
            acts=(2, 4),
            every=(2, 5),
            shares=("device", "address"),
            lasts=BURNT_AFTER,
            group=2,
        ),
        Variant(
            "silent",
            0.3,
            who="aged",
            leaves=True,
            drawn=("address", "expensive", "several", "device", "resold", "card"),
            least=4,
            most=5,
            accounts=(3, 8),
            acts=(1, 2),
            shares=("device", "address"),
            lasts=BURNT_AFTER,
            group=3,
            crossed=True,
        ),
        Variant(
            "adaptive",
            0.25,
            who="aged",
            leaves=True,
            drawn=_TRAITS,
            least=4,
            most=6,
            accounts=(3, 6),
            acts=(1, 3),
            every=(2, 5),
            shares=("address",),
            group=2,
            adaptive=True,
        ),
    ),
    report=Reporting(0.65, (("chargeback", 0.8, 24), ("takedown", 0.1, 8), ("review_desk", 0.1, 4))),
)
