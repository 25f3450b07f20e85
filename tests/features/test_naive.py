"""Every cell of the features equals what a reader of their descriptions would count by hand."""

import math
from datetime import timedelta

import pyarrow.parquet as pq
import pytest
import random_lake
from naive import Naive

from pipeline import features
from pipeline.catalogue import features as catalogue
from pipeline.context import Run
from pipeline.models.reasons import sentence_of
from pipeline.settings import Settings
from pipeline.storage import snapshots

pytestmark = pytest.mark.slow

LAKES = {
    "with labels": (1, random_lake.shop()),
    "with labels, later days": (2, random_lake.shop(label_delay=12, timezone="America/New_York")),
    "labels known at once": (3, random_lake.shop(label_delay=0, timezone="Asia/Kolkata")),
    "no labels, few roles": (4, random_lake.shop(label_delay=None, roles=("browse", "purchase"), timezone="UTC")),
    "no purchases": (5, random_lake.shop(label_delay=None, roles=("login", "refund"))),
}
BUILT_DAYS = 15

# The SQL takes a variance from sums of squares: exact sums, but one rounding before a square root.
LOOSE = {"max_purchase_own_spreads": 1e-5, "counterparty_amount_deviation": 1e-5}


@pytest.fixture(scope="module", params=LAKES)
def built(request, tmp_path_factory):
    """A random lake, the cells counted by hand and the home with those dbt made."""
    seed, domain = LAKES[request.param]
    lake = random_lake.draw(seed, domain)
    home = lake.write(tmp_path_factory.mktemp("home"), seed=seed)
    first = random_lake.LAST - timedelta(days=BUILT_DAYS - 1)
    features.run(Run(Settings(home=home), domain, random_lake.LAST, random_lake.AS_OF), first)
    return first, Naive(lake, random_lake.AS_OF), home


def rows_of(home, table, day):
    return pq.read_table(snapshots.newest(home, table, day, random_lake.AS_OF).path(home)).to_pylist()


def days_from(first):
    return [first + timedelta(days=n) for n in range((random_lake.LAST - first).days + 1)]


def is_same(name, found, expected):
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=LOOSE.get(name, 1e-9), abs_tol=LOOSE.get(name, 1e-12))


def test_every_cell_of_every_user_day_is_as_counted_by_hand(built):
    first, naive, home = built
    expected = naive.user_days(first, random_lake.LAST)
    found = {
        (row["user_id"], row["event_day"]): row for day in days_from(first) for row in rows_of(home, "user_days", day)
    }
    assert list(found) == sorted(expected, key=lambda key: (key[1], key[0]))
    wrong = [
        f"{user} {day} {name}: {found[user, day][name]}, by hand {value}"
        for (user, day), cells in expected.items()
        for name, value in cells.items()
        if not is_same(name, found[user, day][name], value)
    ]
    assert not wrong, f"{len(wrong)} cells differ\n" + "\n".join(wrong[:30])
    assert set(catalogue()) == {name for cells in expected.values() for name in cells}


def test_every_event_token_is_as_read_by_hand(built):
    first, naive, home = built
    for day in days_from(first):
        expected = naive.tokens(day)
        found = [{name: row[name] for name in expected[0]} for row in rows_of(home, "event_tokens", day)]
        assert found == expected


def test_every_known_cell_can_be_told_to_an_analyst(built):
    first, _, home = built
    rows = [row for day in days_from(first) for row in rows_of(home, "user_days", day)]
    untold = {
        name
        for row in rows
        for name in catalogue()
        if row[name] is not None and sentence_of(name, row[name], row, "EUR") is None
    }
    assert untold == set()
