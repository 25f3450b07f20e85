"""Fake-review ring: accounts praise a seller's goods for pay.

Actors     a broker and a ring of 5 to 12 accounts, many of them real people
Resources  a chat group with the seller's list; some accounts share phones
Timing     spread over two weeks; reviews follow a look of ordinary length
Intent     rank and trust for one seller's goods

The counts are those of a keen reviewer. The same accounts meet at the same sellers.
unbought  reviews mostly what it never bought
cover     buys cheap goods and reviews them in the same visit, after an ordinary basket
adaptive  buys too, and avoids what lists named
"""

from pipeline.simulate.campaigns.process import BURNT_AFTER, Process, Reporting, Variant
from pipeline.simulate.visits.sessions import ACT_FIRST, AFTERTHOUGHT

_TRAITS = ("seller", "device", "reviews", "fast", "together", "network")

PROCESS = Process(
    name="fake_reviews",
    intent="review",
    variants=(
        Variant(
            "unbought",
            0.4,
            drawn=("unbought", *_TRAITS),
            least=4,
            most=6,
            accounts=(5, 12),
            acts=(1, 3),
            every=(2, 6),
            shares=("device", "network"),
            lasts=BURNT_AFTER,
            group=3,
            order=ACT_FIRST,
            who="buyers",
        ),
        Variant(
            "cover",
            0.35,
            drawn=("of_basket", "seller", "cheap", "together", "device"),
            least=3,
            most=4,
            accounts=(5, 10),
            acts=(1, 3),
            every=(2, 6),
            shares=("device",),
            lasts=BURNT_AFTER,
            group=2,
            order=AFTERTHOUGHT,
            who="buyers",
        ),
        Variant(
            "adaptive",
            0.25,
            drawn=("of_basket", *_TRAITS, "several"),
            least=5,
            most=6,
            accounts=(5, 10),
            acts=(1, 3),
            every=(2, 6),
            shares=("device", "network"),
            lasts=BURNT_AFTER,
            group=3,
            adaptive=True,
            who="buyers",
        ),
    ),
    report=Reporting(0.45, (("takedown", 0.6, 6), ("complaint", 0.2, 8), ("review_desk", 0.2, 4))),
)
