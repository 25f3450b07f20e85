"""The rules of the list, for any scores at all."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publish.ranking import cut_by_false_alarms, cut_by_precision, rank

risk = st.floats(0, 1)
maybe = st.none() | risk
risks = st.lists(risk, max_size=40).map(lambda found: sorted(found, reverse=True))
alarms = st.floats(0.01, 20)
share = st.floats(0.01, 0.99)
size = st.integers(1, 50)


def table(rows):
    kinds = {
        "user_id": pa.string(),
        "risk": pa.float64(),
        "surprise": pa.float64(),
        "surprise_percentile": pa.float64(),
    }
    return pa.Table.from_pylist([dict(zip(kinds, row, strict=True)) for row in rows], pa.schema(list(kinds.items())))


rows = st.lists(
    st.tuples(st.text("abc", max_size=3), maybe, st.floats(0, 9), risk), max_size=30, unique_by=lambda r: r[0]
)


def precision(chosen):
    return sum(chosen) / len(chosen)


@given(risks, share, size)
def test_the_list_reaches_its_precision(found, asked, list_size):
    cut = cut_by_precision(found, asked, list_size)
    assert cut.length <= min(len(found), list_size)
    if cut.length:
        assert precision(found[: cut.length]) >= asked - 1e-6
        assert cut.expected_precision == pytest.approx(precision(found[: cut.length]))
    else:
        assert cut.expected_precision is None


@pytest.mark.parametrize(("found", "asked"), [([0.7, 0.1], 0.4), ([0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 0.1)])
def test_a_precision_missed_by_rounding_is_reached(found, asked):
    assert sum(found) / len(found) < asked
    assert cut_by_precision(found, asked, 10).length == len(found)


@given(risks, share, size)
def test_one_more_account_would_miss_the_precision_or_the_budget(found, asked, list_size):
    cut = cut_by_precision(found, asked, list_size)
    if cut.length < min(len(found), list_size):
        assert precision(found[: cut.length + 1]) < asked + 1e-6


@given(risks, share, share, size)
def test_who_asks_less_gets_no_shorter_list(found, one, other, list_size):
    lenient, strict = sorted([one, other])
    assert cut_by_precision(found, strict, list_size).length <= cut_by_precision(found, lenient, list_size).length


def test_a_quiet_day_gives_an_empty_list():
    cut = cut_by_precision([0.1, 0.05], 0.5, 10)
    assert (cut.length, cut.rule) == (0, "min_precision")


@pytest.mark.parametrize(
    ("found", "list_size", "rule"),
    [([0.9, 0.9, 0.9], 2, "list_size"), ([0.9, 0.9], 2, "all"), ([0.9, 0.1, 0.0], 3, "min_precision"), ([], 3, "all")],
)
def test_the_list_says_what_ended_it(found, list_size, rule):
    assert cut_by_precision(found, 0.5, list_size).rule == rule


@given(risks, share, size)
def test_a_list_cut_short_says_what_stands_next_and_which_min_precision_would_fill_it(found, asked, list_size):
    cut = cut_by_precision(found, asked, list_size)
    slots = min(len(found), list_size)
    assert (cut.next is not None) == (cut.length < slots) == (cut.rule == "min_precision")
    if cut.next is None:
        return
    assert (cut.next.rank, cut.next.level) == (cut.length + 1, found[cut.length])
    assert cut.next.would_list == slots
    if cut.next.setting is None:
        assert precision(found[:slots]) < 1e-6
    else:
        assert 0 < cut.next.setting < asked + 1e-9
        assert cut_by_precision(found, cut.next.setting, list_size).length == slots
        assert cut.next.setting >= 0.9 * precision(found[:slots])


@given(st.lists(share, max_size=40), alarms, size)
def test_a_quiet_list_says_how_many_false_alarms_would_fill_it(found, asked, list_size):
    found = sorted(found, reverse=True)
    cut = cut_by_false_alarms(found, asked, list_size)
    slots = min(len(found), list_size)
    assert (cut.next is not None) == (cut.length < slots) == (cut.rule == "false_alarms")
    if cut.next is not None:
        assert (cut.next.rank, cut.next.level) == (cut.length + 1, found[cut.length])
        assert cut.next.setting > asked
        assert cut_by_false_alarms(found, cut.next.setting, list_size).length == slots


@pytest.mark.parametrize(
    ("found", "setting"), [([0.4] * 8, 0.4), ([0.1, 0.0457], 0.072), ([0.1, 0.0], 0.05), ([0.0, 0.0], None)]
)
def test_the_min_precision_named_is_short_and_reached(found, setting):
    cut = cut_by_precision(found, 0.5, 8)
    assert cut.next is not None and cut.next.setting == setting


def test_an_unknown_risk_counts_as_none():
    assert cut_by_precision([0.9, None, None], 0.5, 10).length == 1


@given(rows)
def test_ranking_keeps_every_account_once(found):
    assert sorted(rank(table(found))["user_id"].to_pylist()) == sorted(row[0] for row in found)


@given(rows, st.randoms())
def test_ranking_does_not_depend_on_the_order_of_rows(found, random):
    mixed = list(found)
    random.shuffle(mixed)
    assert rank(table(mixed)).to_pylist() == rank(table(found)).to_pylist()


@given(rows)
def test_nobody_stands_above_a_higher_risk(found):
    levels = [row["risk"] for row in rank(table(found)).to_pylist()]
    known = [level for level in levels if level is not None]
    assert levels == [*sorted(known, reverse=True), *[None] * (len(levels) - len(known))]


def test_ties_go_to_the_more_surprising_then_to_the_first_name():
    found = [("b", 0.5, 2.0, 0.9), ("a", 0.5, 2.0, 0.9), ("c", 0.5, 3.0, 0.9), ("d", None, 9.0, 0.9)]
    assert rank(table(found))["user_id"].to_pylist() == ["c", "a", "b", "d"]


@given(rows, alarms, size)
def test_without_risks_so_many_ordinary_accounts_as_asked_would_be_as_surprising_as_the_last(found, asked, list_size):
    ranked = rank(table([(user, None, surprise, percentile) for user, _, surprise, percentile in found]))
    percentiles = ranked["surprise_percentile"].to_pylist()
    cut = cut_by_false_alarms(percentiles, asked, list_size)
    rare = [each for each in percentiles if each is not None and (1 - each) * len(percentiles) <= asked + 1e-9]
    assert cut.length == min(len(rare), list_size)
    assert percentiles[: cut.length] == rare[: cut.length]


@pytest.mark.parametrize("accounts", [40, 4000])
def test_on_ordinary_days_a_list_holds_as_many_false_alarms_as_were_asked_for(accounts):
    random = np.random.default_rng(5)
    lengths = [cut_by_false_alarms(sorted(random.random(accounts))[::-1], 3, 100).length for _ in range(400)]
    assert np.mean(lengths) == pytest.approx(3, abs=0.35)
