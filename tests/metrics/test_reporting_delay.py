"""How fast labels come, estimated while the slow ones of recent days are still to come."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics.reporting_delay import FEWEST, FEWEST_MATURED, Arrivals, ReportingDelay, share_known

HORIZON = 30
LAW = {"fast": 3.0, "slow": 14.0}  # medians


def delays(random, median, n):
    """Whole days, some beyond the horizon."""
    return np.floor(median * random.lognormal(0, 0.7, n)).astype(np.int64)


def seen(delay, age):
    """What has come by now."""
    come = delay <= age
    return Arrivals(delay[come], age[come], np.ones(come.sum(), np.int64))


def truth(median):
    """By each age, of the labels that come within the horizon."""
    delay = delays(np.random.default_rng(0), median, 400_000)
    within = delay[delay <= HORIZON]
    return np.cumsum(np.bincount(within, minlength=HORIZON + 1)) / len(within)


@pytest.mark.parametrize("median", LAW.values(), ids=LAW)
def test_labels_that_are_still_to_come_do_not_bias_it(median):
    random = np.random.default_rng(1)
    young = 12_000  # most labels are about days too young to be known in full
    age = np.concatenate([random.integers(0, HORIZON, young), random.integers(HORIZON, 50, 1500)])
    found = seen(delays(random, median, len(age)), age)
    assert share_known(found, HORIZON) == pytest.approx(truth(median), abs=0.035)
    naive = np.cumsum(np.bincount(found.delay[found.delay <= HORIZON], minlength=HORIZON + 1))
    worst = np.abs(naive / naive[-1] - truth(median)).max()
    assert worst > (0.03 if median == LAW["fast"] else 0.1), "counting what has come flatters the pace"


def test_young_days_make_it_more_certain():
    random, error = np.random.default_rng(2), {True: [], False: []}
    for _ in range(60):
        age = random.integers(0, 2 * HORIZON, 600)
        delay = delays(random, LAW["slow"], len(age))
        for matured_only in error:
            kept = (age >= HORIZON) | (not matured_only)
            known = share_known(seen(delay[kept], age[kept]), HORIZON)
            error[matured_only].append(known[7] - truth(LAW["slow"])[7])
    assert np.std(error[False]) < np.std(error[True])
    assert abs(np.mean(error[False])) < 0.015


ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 14), st.integers(1, 5)), min_size=1, max_size=40)


def arrivals(rows):
    delay, more, count = (np.array(part, np.int64) for part in zip(*rows, strict=True))
    return Arrivals(delay, delay + more, count)


@given(ROWS)
def test_it_is_the_share_that_came_where_all_days_are_old(rows):
    delay, _, count = zip(*rows, strict=True)
    found = share_known(arrivals([(d, m + 9, c) for d, m, c in rows]), 9)
    came = [sum(c for d, c in zip(delay, count, strict=True) if d <= age) / sum(count) for age in range(10)]
    assert found == pytest.approx(came) and found[-1] == 1


@given(ROWS)
def test_it_is_as_counted_one_by_one(rows):
    everything = arrivals(rows)
    labels = [
        (d, a) for d, a, c in zip(everything.delay, everything.age, everything.count, strict=True) for _ in range(c)
    ]
    expected = [1.0] * 10
    for age in range(8, -1, -1):
        compared = [d for d, old in labels if d <= age + 1 <= old]
        expected[age] = expected[age + 1] * (1 - compared.count(age + 1) / max(len(compared), 1))
    found = share_known(everything, 9)
    assert found == pytest.approx(expected)
    assert (np.diff(found) >= -1e-12).all() and found.min() >= 0


@pytest.mark.parametrize(
    ("young", "matured", "is_measured"),
    [
        (FEWEST - FEWEST_MATURED, FEWEST_MATURED, True),
        (FEWEST - FEWEST_MATURED - 1, FEWEST_MATURED, False),
        (500, FEWEST_MATURED - 1, False),
    ],
)
def test_with_few_labels_or_only_young_days_nothing_is_claimed(young, matured, is_measured):
    age = np.array([3] * young + [10] * matured)
    found = ReportingDelay.of(Arrivals(np.full(len(age), 2), age, np.ones(len(age), np.int64)), 10)
    assert (found is not None) == is_measured


def test_labels_later_than_the_horizon_are_no_part_of_it():
    within, later = [(2, 20, 60), (5, 20, 60)], [(12, 8, 500)]
    found = [ReportingDelay.of(arrivals(rows), 10) for rows in (within, within + later)]
    assert found[0] == found[1] and found[0].labels == 120
    assert (found[0].median_days, found[0].days_until(0.51), found[0].days_until(1)) == (2, 5, 5)
    assert found[0].share_at(np.array([0, 2, 5, 99])).tolist() == [0, 0.5, 1, 1]
