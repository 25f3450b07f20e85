"""Bundles that were never trained, and a ledger that decides about them."""

from datetime import UTC, date, datetime

import numpy as np

from pipeline.catalogue import features
from pipeline.domain import Domain
from pipeline.metrics.bootstrap import Difference
from pipeline.metrics.lift import Lift

SHOP = Domain(name="shop", currency="EUR", event_types={"purchase": "purchase"}, labels={"delay_days": 7}, list_size=5)
AT = datetime(2026, 4, 1, tzinfo=UTC)
MARCH = (date(2026, 3, 10), date(2026, 3, 20))
BETTER, LEVEL, BELOW, WORSE = Difference(3, 1, 5), Difference(1, -2, 4), Difference(-1, -4, 2), Difference(-3, -5, -1)
ALL = tuple(features())
IS_BAD = np.arange(40) < 8
REPORTED = 0.6  # share of what is bad


def over(caught, precise):
    """The lift of one score over another, as a manifest has it."""
    return Lift(5, caught, precise).to_dict()
