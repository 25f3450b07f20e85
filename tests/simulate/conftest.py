"""A small shop, simulated once for all tests that look at it."""

import pytest
from simulated import SMALL, days_of


@pytest.fixture(scope="session")
def small_shop():
    """Thirty days of a shop with 1,500 accounts, 2 % of user-days bad."""
    return days_of(SMALL, 30)
