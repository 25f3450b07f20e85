"""Scraping and scalping: programs look at everything, or buy scarce goods before people can.

Actors     a reseller or a competitor, with a few accounts
Resources  emulated devices on networks that the accounts share, bought addresses
Timing     when prices change and sales begin, at nearly a person's pace
Intent     prices and stock of a whole category, or scarce goods to sell again

Power shoppers look at as many items. Price-comparison tools have the same even pace.
scraper    looks at many items
scalper    waits for a flash sale and buys
humanised  is as slow as a person and acts in the middle of a visit; its shared devices remain
adaptive   slows down when lists name its speed
"""

from pipeline.simulate.campaigns.process import BURNT_AFTER, Process, Reporting, Variant
from pipeline.simulate.visits.sessions import ACT_MIDWAY

_SCRAPES = ("wide", "even", "fast", "night", "device", "network")
_UNSEEN = ("wide", "even", "fast", "device", "network")  # not at night, when nobody else is there

PROCESS = Process(
    name="bots",
    intent="look",
    variants=(
        Variant(
            "scraper",
            0.3,
            drawn=_SCRAPES,
            least=4,
            most=5,
            accounts=(2, 5),
            acts=(1, 4),
            every=(1, 2),
            shares=("device", "network"),
            lasts=BURNT_AFTER,
            group=2,
        ),
        Variant(
            "scalper",
            0.3,
            always=("buys", "flash"),
            drawn=("fast", "even", "quantity", "network", "device"),
            least=3,
            most=4,
            accounts=(3, 6),
            acts=(1, 1),
            on_flash_days=True,
            shares=("network", "device"),
            lasts=BURNT_AFTER,
            group=3,
        ),
        Variant(
            "humanised",
            0.2,
            drawn=("wide", "even", "device", "network", "slow"),
            least=3,
            most=5,
            accounts=(2, 5),
            acts=(1, 4),
            shares=("device",),
            lasts=BURNT_AFTER,
            group=2,
            order=ACT_MIDWAY,
        ),
        Variant(
            "adaptive",
            0.2,
            drawn=_SCRAPES[:3] + _SCRAPES[4:],
            least=3,
            most=5,
            accounts=(2, 5),
            acts=(1, 4),
            every=(1, 2),
            shares=("device",),
            lasts=BURNT_AFTER,
            group=2,
            adaptive=True,
        ),
    ),
    report=Reporting(0.5, (("takedown", 0.65, 3), ("review_desk", 0.35, 2))),
)
