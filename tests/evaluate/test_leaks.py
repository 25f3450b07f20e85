"""The leak price list on a small stream: every leak is caught, and those made to pay do."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from payment_stream import DELAY_DAYS, payments

from pipeline.errors import InputError
from pipeline.evaluate.guards import LeakError
from pipeline.evaluate.leaks.bench import HONEST, Fold
from pipeline.evaluate.leaks.prices import ALL_HISTORY, AROUND_THE_DAY, CUT_AT_FRAUD, NO_DELAY, Price, price_list
from pipeline.evaluate.leaks.user_days import features, label_user_days

pytestmark = pytest.mark.slow

TRAIN, TEST = (date(2026, 3, 21), date(2026, 4, 11)), (date(2026, 4, 19), date(2026, 5, 2))
FOLD = Fold(TRAIN, TEST, DELAY_DAYS, reviews=10)
LEAKS = {
    "label without delay, in features",
    "label without delay, in training",
    "known accounts kept in the test",
    "random split instead of time",
    "whole-history normalisation",
    "features from after the day's end",
    "sequence length that tells the label",
}


@pytest.fixture(scope="module")
def prices():
    found = price_list(*payments(), FOLD, threads=1)
    return {price.name: price for price in found}


def test_every_known_leak_is_on_the_list_and_caught(prices):
    assert set(prices) == LEAKS
    assert [price.name for price in prices.values() if not price.caught] == []


def test_all_are_held_against_the_same_honest_numbers(prices):
    assert len({(price.honest_ap, price.honest_precision) for price in prices.values()}) == 1


@pytest.mark.parametrize("name", ["label without delay, in features", "sequence length that tells the label"])
def test_two_leaks_would_have_faked_much_here(prices, name):
    """On eight other streams of this size their intervals were above 0 in 8 and 7, the random split's in 2 only."""
    price = prices[name]
    assert 0 < price.gain_low < price.faked_ap - price.honest_ap < price.gain_high


def test_known_accounts_fill_the_list_with_what_needs_no_finding(prices):
    price = prices["known accounts kept in the test"]
    assert price.faked_precision > price.honest_precision + 0.05


def test_a_price_survives_json(prices):
    for price in prices.values():
        assert Price.model_validate_json(price.model_dump_json()) == price


NOON = datetime(2026, 3, 10, 12)  # noqa: DTZ001  # naive UTC, as stored


def stream(*rows):
    """(events, labels) of rows (user, day, hour, counterparty, amount, known on day or None)."""
    at = [NOON + timedelta(days=day, hours=hour) for _, day, hour, *_ in rows]
    events = pa.table(
        {
            "event_id": [f"e{i}" for i in range(len(rows))],
            "user_id": [row[0] for row in rows],
            "event_at": pa.array(at, pa.timestamp("us")),
            "amount": [float(row[4]) for row in rows],
            "counterparty_id": [row[3] for row in rows],
        }
    )
    bad = [i for i, row in enumerate(rows) if row[5] is not None]
    labels = pa.table(
        {
            "user_id": [rows[i][0] for i in bad],
            "event_id": [f"e{i}" for i in bad],
            "happened_at": pa.array([at[i] for i in bad], pa.timestamp("us")),
            "known_at": pa.array([NOON + timedelta(days=rows[i][5]) for i in bad], pa.timestamp("us")),
            "is_bad": pa.array([True] * len(bad)),
        }
    )
    return events, labels


def row_of(events, labels, recipe, user, day):
    """The features of one user-day, by name."""
    rows = features(events, labels, recipe).to_pylist()
    (found,) = [row for row in rows if (row["user_id"], row["event_day"]) == (user, NOON.date() + timedelta(days=day))]
    return found


def test_the_history_of_a_counterparty_counts_others_from_the_day_it_is_known():
    rows = [("a", 0, 0, "t", 1, 4), ("b", 1, 0, "t", 1, 5), ("c", 3, 0, "t", 1, None), ("c", 4, 0, "t", 1, None)]
    given = stream(*rows, ("a", 6, 0, "t", 1, None), ("c", 31, 0, "t", 1, None), ("c", 32, 0, "t", 1, None))

    def count(recipe, user, day):
        return row_of(*given, recipe, user, day)["counterparty_bad_count"]

    assert [count(HONEST, "c", day) for day in (3, 4, 31, 32)] == [0, 1, 2, 1]  # 28 days from when it was known
    assert count(HONEST, "a", 6) == 1  # its own is not among them
    assert [count(NO_DELAY, "c", day) for day in (3, 4)] == [2, 2]


def test_the_own_history_counts_what_was_known_on_an_earlier_day():
    given = stream(("a", 0, 0, "t", 1, 2), ("a", 2, 0, "t", 1, None), ("a", 3, 0, "t", 1, None))
    assert [row_of(*given, HONEST, "a", day)["own_bad_count"] for day in (0, 2, 3)] == [0, 0, 1]
    assert [row_of(*given, NO_DELAY, "a", day)["own_bad_count"] for day in (0, 2, 3)] == [0, 1, 1]


def test_usual_and_recent_amounts_look_back_only():
    given = stream(
        ("a", 0, 0, "t", 2, None), ("a", 1, 0, "t", 4, None), ("a", 2, 0, "t", 9, None), ("a", 4, 0, "t", 90, None)
    )
    honest, all_history = (row_of(*given, recipe, "a", 2) for recipe in (HONEST, ALL_HISTORY))
    assert (honest["usual_amount"], all_history["usual_amount"]) == (3, 6.5)
    assert honest["max_amount_ratio"] == 3
    around = row_of(*given, AROUND_THE_DAY, "a", 2)
    assert (honest["recent_amount_ratio"], around["recent_amount_ratio"]) == (3, 30)
    assert (honest["recent_event_count"], around["recent_event_count"]) == (3, 4)


def test_a_window_ends_with_the_day_unless_it_is_cut_at_the_fraud():
    given = stream(
        ("a", 0, 0, "t", 1, None),
        ("a", 1, 0, "t", 2, None),
        ("a", 1, 1, "t", 3, 9),
        ("a", 1, 2, "t", 4, 9),
        ("a", 1, 3, "t", 5, None),
    )
    honest, cut = (row_of(*given, recipe, "a", 1) for recipe in (HONEST, CUT_AT_FRAUD))
    assert (honest["window_event_count"], cut["window_event_count"]) == (5, 3)
    assert [honest[f"amount_{k}"] for k in range(6)] == [5, 4, 3, 2, 1, None]
    assert [cut[f"amount_{k}"] for k in range(4)] == [3, 2, 1, None]
    assert honest["hours_ago_4"] == 27


def test_a_label_without_an_event_speaks_of_the_whole_day():
    events, labels = stream(("a", 0, 0, "t", 1, 2), ("a", 0, 5, "u", 1, None), ("b", 3, 0, "u", 1, None))
    labels = labels.set_column(1, "event_id", pa.nulls(1, pa.string()))
    assert row_of(events, labels, HONEST, "b", 3)["counterparty_bad_count"] == 1
    assert label_user_days(events, labels, date.min).is_bad.tolist() == [True, False]


def test_an_account_is_known_by_what_happened_from_a_day_on():
    given = stream(("a", 0, 0, "t", 1, 2), ("a", 5, 0, "t", 1, 9), ("a", 6, 0, "t", 1, None))
    known = [
        label_user_days(*given, since).account_known_day[0] - label_user_days(*given, since).day[0]
        for since in (date.min, date(2026, 3, 11))
    ]
    assert known == [2, 9]
    assert label_user_days(*given, date(2026, 4, 1)).account_known_day[0] == np.iinfo(np.int32).max


def test_a_test_without_anything_bad_has_no_price():
    events, labels = payments(customers=60)
    with pytest.raises(InputError, match="to train on"):
        price_list(events, labels.slice(0, 0), FOLD)
    with pytest.raises(InputError, match="do not have"):
        price_list(events.drop_columns(["amount"]), labels, FOLD)


def test_an_honest_pipeline_with_a_cut_that_is_too_close_is_refused():
    with pytest.raises(LeakError, match="had no labels yet"):
        price_list(*payments(customers=200), replace(FOLD, train=(TRAIN[0], date(2026, 4, 15))))
