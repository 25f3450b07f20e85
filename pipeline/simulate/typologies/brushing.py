"""Brushing (刷单): a seller has its own goods bought, so they rank as best sellers.

Actors     a seller, a broker, and 5 to 12 paid buyers with real accounts
Resources  the buyers' own phones and cards; empty parcels go to a few addresses
Timing     on the seller's quiet days; buyers search and look at competitors first, as instructed
Intent     sales rank; the money comes back outside the shop

Each buyer's day looks like a careful customer's. The buyers of one small seller meet again, at the same addresses.
instructed  looks around as the script says, slowly and evenly
hurried     skips the script
praised     writes a review in the same visit
"""

from pipeline.simulate.campaigns.process import Process, Reporting, Variant
from pipeline.simulate.visits.sessions import AFTERTHOUGHT

PROCESS = Process(
    name="brushing",
    intent="buy",
    variants=(
        Variant(
            "instructed",
            0.4,
            drawn=("seller", "address", "slow", "even", "together", "wide"),
            least=4,
            most=6,
            accounts=(5, 10),
            acts=(1, 3),
            every=(2, 6),
            shares=("address",),
            group=3,
        ),
        Variant(
            "hurried",
            0.3,
            drawn=("seller", "address", "bare", "together", "fast"),
            least=3,
            most=5,
            accounts=(5, 9),
            acts=(1, 3),
            every=(2, 5),
            shares=("address",),
            group=3,
        ),
        Variant(
            "praised",
            0.3,
            drawn=("seller", "of_basket", "address", "together", "slow", "even"),
            least=4,
            most=6,
            accounts=(5, 9),
            acts=(1, 3),
            every=(2, 6),
            shares=("address",),
            group=3,
            order=AFTERTHOUGHT,
            adaptive=True,
        ),
    ),
    report=Reporting(0.3, (("takedown", 0.7, 9), ("review_desk", 0.3, 5))),
)
