"""Which of two rankings is better, and how long the lists are that decide it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_cases import market

from pipeline.metrics.bootstrap import Difference
from pipeline.metrics.lift import Lift, compare, list_length
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.publish.ranking import cut_by_precision

numbers = st.integers(-3, 3)
differences = (
    st.tuples(numbers, numbers, numbers).map(sorted).map(lambda found: Difference(found[1], found[0], found[2]))
)


@given(differences, differences)
def test_better_and_worse_exclude_each_other_and_worse_by_one_is_worse(caught, precise):
    lift = Lift(20, caught, precise)
    assert not (lift.is_better and lift.is_worse)
    assert lift.is_worse == (caught.high < 0 or precise.high < 0)
    assert lift.is_better == ((caught.low > 0 and precise.high >= 0) or (precise.low > 0 and caught.high >= 0))


@given(differences, differences)
def test_the_other_way_round_what_was_better_by_both_is_worse(caught, precise):
    lift = Lift(20, caught, precise)
    turned = Lift(20, *(Difference(-each.value, -each.high, -each.low) for each in (caught, precise)))
    if lift.is_better:
        assert turned.is_worse
    assert turned.caught.least_loss_seen == caught.least_seen
    assert turned.average_precision.least_seen == precise.least_loss_seen


@given(differences, differences, st.integers(1, 1000))
def test_what_is_written_down_is_read_as_it_was(caught, precise, length):
    lift = Lift(length, caught, precise)
    assert Lift.from_dict(lift.to_dict()) == lift


def test_nothing_bad_is_nothing_measured_and_neither_better_nor_worse():
    n = 20
    labels = ScoredLabels.of(np.arange(n), np.zeros(n, np.int32), np.zeros(n, bool), {"a": np.arange(n) * 1.0})
    lift = compare(labels.with_scores({"a": np.arange(n) * 1.0, "b": np.zeros(n)}), "a", "b", 5, seed=1)
    assert not (lift.is_measured or lift.is_better or lift.is_worse)
    read = Lift.from_dict(lift.to_dict())
    assert not (read.is_measured or read.is_better or read.is_worse)
    assert str(read) == "no bad account to compare by"


def test_a_ranking_is_level_with_itself_and_better_than_chance():
    labels = market(np.random.default_rng(3))
    good = np.where(labels.is_bad, 1.0, 0.0) + np.random.default_rng(1).random(len(labels))
    labels = labels.with_scores({"good": good, "again": good, "chance": np.random.default_rng(2).random(len(labels))})
    level = compare(labels, "good", "again", 10, seed=1)
    assert level.caught == level.average_precision == Difference(0, 0, 0)
    assert compare(labels, "good", "chance", 10, seed=1).is_better
    assert compare(labels, "chance", "good", 10, seed=1).is_worse
    assert str(compare(labels, "good", "chance", 10, seed=1)).startswith("caught +")


@st.composite
def risks_of_days(draw):
    days = draw(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=8), min_size=1, max_size=5))
    day = np.concatenate([np.full(len(risks), n, np.int32) for n, risks in enumerate(days)])
    order = np.random.default_rng(draw(st.integers(0, 9))).permutation(len(day))
    risk = np.concatenate(days) / 20
    return day[order], risk[order]


def unlabelled(day):
    n = len(day)
    return ScoredLabels.of(np.arange(n, dtype=np.int32), day, np.zeros(n, bool))


@settings(deadline=None)
@given(risks_of_days(), st.integers(1, 19), st.integers(1, 10))
def test_lists_are_as_long_as_publishing_would_cut_them(days, asked, list_size):
    day, risk = days
    cuts = [
        cut_by_precision(sorted(risk[day == d], reverse=True), asked / 20, list_size).length for d in np.unique(day)
    ]
    expected = max(1, round(float(np.mean(cuts)))) if any(cuts) else 0
    assert list_length(unlabelled(day), risk, asked / 20, list_size) == expected


@settings(deadline=None)
@given(risks_of_days(), st.integers(1, 19), st.integers(2, 4))
def test_an_account_that_stands_for_others_takes_their_places_too(days, asked, each):
    day, risk = days
    labels = unlabelled(day)
    sampled = replace(labels, stands_for=np.full(len(day), float(each)))
    copied = unlabelled(np.repeat(day, each))
    assert list_length(sampled, risk, asked / 20, 1000) == list_length(copied, np.repeat(risk, each), asked / 20, 1000)


@pytest.mark.parametrize("risk", [[], [0.1, 0.1]], ids=["no user-days", "no risk that reaches it"])
def test_where_no_list_would_have_anyone_there_is_no_length(risk):
    assert list_length(unlabelled(np.zeros(len(risk), np.int32)), np.array(risk), 0.5, 30) == 0
