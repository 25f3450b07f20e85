"""A small shop, simulated once for all tests. `shop.hardness` is a module of benchmarks/."""

import sys

import pytest
from simulated import SMALL, days_of

from pipeline.settings import PROJECT

sys.path.append(str(PROJECT / "benchmarks"))


@pytest.fixture(scope="session")
def small_shop():
    """Thirty days of a shop with 1,500 accounts, 2 % of user-days bad."""
    return days_of(SMALL, 30)
