"""What a training on some morning knows: the labels of then, and which days are neither good nor bad."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from user_days import FIRST_DAY, user_days

from pipeline.metrics.reporting_delay import ReportingDelay
from pipeline.models.samples import NEVER, LabelledDays
from pipeline.schemas import VERDICT
from pipeline.train.clocks import AT_ONCE, LabelClock
from pipeline.train.known_labels import NEAR, as_known, is_judged, is_known
from pipeline.train.stacking import StackingPlan, walk_forward_scores

USERS, DAYS = 4, 40
HALF = LabelClock((1.0,), reported=0.5)  # known at once, if at all


def samples(bad, share=1.0, sources=None, named=None):
    """USERS accounts, active on DAYS days; `bad` are (user, day, day it became known, day it was cleared), from 0.

    `sources` names who called each of them bad, `named` the day on which each was named, by default when it was known.
    """
    rows = [(*each, NEVER)[:4] for each in sorted(bad)]
    user, day, known, cleared = np.array(rows, np.int64).reshape(-1, 4).T
    plain = user_days(np.zeros((USERS * DAYS, 1)), np.zeros(USERS * DAYS, bool), USERS, DAYS)
    source = np.array(sources or ["complaint"] * len(rows), np.str_)
    named = known if named is None else np.array(named, np.int64)
    days = LabelledDays(user, *(of + FIRST_DAY for of in (day, known, cleared)), source, named + FIRST_DAY)
    days = days.take(np.argsort(days.key, kind="stable"))
    is_bad_account = np.isin(plain.windows.user, user)
    return replace(plain, bad=days, share=share, is_certain=is_bad_account, is_bad_account=is_bad_account)


def weights(found, user):
    return found.weight[found.windows.user == user]


BAD_DAYS = st.dictionaries(
    st.tuples(st.integers(0, USERS - 1), st.integers(-20, DAYS - 1)), st.integers(0, 30), max_size=6
)


@settings(deadline=None)
@given(BAD_DAYS, st.integers(0, DAYS + 5))
def test_labels_and_weights_are_as_counted_one_by_one(bad, morning):
    given_days = [(user, day, day + late) for (user, day), late in bad.items()]
    found = as_known(samples(given_days, share=0.5), FIRST_DAY + morning, HALF)
    then = [(user, day, known) for user, day, known in given_days if known < morning]
    for row, (day, user) in enumerate(product(range(DAYS), range(USERS))):
        of_user = [(bad_day, known) for other, bad_day, known in then if other == user]
        is_bad = any(bad_day == day for bad_day, _ in of_user)
        is_neither = not is_bad and (
            any(abs(bad_day - day) <= NEAR for bad_day, _ in of_user) or any(known <= day for _, known in of_user)
        )
        stands_for = 1 if any(other == user for other, *_ in given_days) else 2
        assert found.is_bad[row] == is_bad
        assert found.is_bad_account[row] == bool(of_user)
        assert found.weight[row] == (0 if is_neither else stands_for)
        is_new = all(known >= day for _, _, known in [(0, *each) for each in of_user]) or not of_user
        whole = replace(found, bad=found.bad.known_before(FIRST_DAY + morning))
        assert is_judged(whole)[row] == (not is_neither and is_new)


SPELLS = st.lists(
    st.tuples(st.integers(0, USERS - 1), st.integers(0, DAYS - 1), st.integers(0, DAYS), st.integers(1, DAYS)),
    max_size=6,
    unique_by=lambda spell: spell[:2],
)


@settings(deadline=None)
@given(SPELLS, st.booleans())
def test_an_account_is_known_on_a_day_if_something_was_known_before_and_not_taken_back_before(drawn, is_lasting):
    spells = [(user, day, known, NEVER if is_lasting else known + lasts) for user, day, known, lasts in drawn]
    found = samples(spells)
    for row, (day, user) in enumerate(product(range(DAYS), range(USERS))):
        expected = any(other == user and known < day <= cleared for other, _, known, cleared in spells)
        assert is_known(found)[row] == expected


def test_where_all_that_is_bad_is_reported_a_day_without_a_label_is_good():
    found = as_known(samples([(0, 9, 9), (1, 3, 5)]), FIRST_DAY + 30, AT_ONCE)
    assert (found.weight == 1).all() and found.is_bad.sum() == 2


def test_a_known_bad_day_stands_for_those_that_are_not_known_yet():
    clock = LabelClock((0.25, 0.5, 1.0), wait_days=1)
    found = as_known(samples([(0, 9, 9), (1, 8, 9), (2, 3, 9)]), FIRST_DAY + 10, clock)
    assert [weights(found, user)[day] for user, day in ((0, 9), (1, 8), (2, 3), (3, 9))] == [4, 2, 1, 1]


def test_where_labels_have_no_clock_they_are_known_at_once():
    plain = user_days(np.zeros((80, 1)), np.arange(80) % 9 == 0, 4, 20)
    assert as_known(plain, 0, AT_ONCE) is plain and is_judged(plain).all()


def test_a_report_stands_for_reports_and_a_verdict_for_itself():
    """Verdicts name days of long ago too, so a clock of theirs says that most are late. None is on its way."""
    verdicts = ReportingDelay((0.8, 1.0), labels=90)
    clock = LabelClock((0.25, 0.5, 1.0), wait_days=1, by_source={VERDICT: verdicts})
    days = [(0, 9, 9), (1, 9, 9), (2, 8, 9)]
    found = as_known(samples(days, sources=["complaint", VERDICT, VERDICT]), FIRST_DAY + 10, clock)
    assert [weights(found, user)[day] for user, day, _ in days] == pytest.approx([4, 1, 1])


def test_no_block_learns_from_a_label_that_was_not_known_on_its_morning():
    """A label that comes later may not move a score, however old the day it is about."""
    random = np.random.default_rng(3)
    rows = random.normal(size=(USERS * DAYS, 1))
    block = np.repeat(np.arange(4), USERS * DAYS // 4)
    early = [(0, 2, 4), (1, 3, 5), (2, 12, 14)]
    plan = StackingPlan(reviews=2, seed=1, threads=1, monotone={}, clock=LabelClock((0.5, 1.0), wait_days=1))

    def scores(bad):
        known = replace(samples(bad), rows=rows.astype(np.float32))
        return walk_forward_scores(
            as_known(known, FIRST_DAY + DAYS, plan.clock), {"column_0": rows[:, 0]}, plan, block
        ).scores

    without, later = scores(early), scores([*early, (3, 1, 25)])
    before = block <= 2  # block 2 begins on day 20
    assert np.array_equal(without[before], later[before], equal_nan=True)


def test_a_block_before_which_nothing_was_known_is_not_scored():
    block = np.repeat(np.arange(4), USERS * DAYS // 4)
    plan = StackingPlan(reviews=2, seed=1, threads=1, monotone={}, clock=LabelClock((0.0,) * 12 + (1.0,), wait_days=12))
    known = samples([(0, 5, 17), (1, 6, 18)])
    score = walk_forward_scores(known, {"column_0": known.rows[:, 0]}, plan, block).scores
    assert np.isnan(score[block <= 1]).all() and np.isfinite(score[block >= 2]).all()


def test_a_day_that_somebody_looked_at_and_found_good_is_a_good_example():
    looked_at = replace(samples([(0, 5, 6)]), good=samples([(0, 4, 8), (0, 7, 8, 12)]).bad)
    weight = {morning: weights(as_known(looked_at, FIRST_DAY + morning, HALF), 0) for morning in (8, 9, 13)}
    assert [weight[morning][[4, 7]].tolist() for morning in weight] == [[0, 0], [1, 1], [1, 0]]


def test_what_was_cleared_later_counted_as_bad_until_then():
    cleared = samples([(0, 3, 5, 20), (0, 3, 25)])
    bad_on = {morning: as_known(cleared, FIRST_DAY + morning, HALF).is_bad.any() for morning in (5, 6, 20, 21, 25, 26)}
    assert bad_on == {5: False, 6: True, 20: True, 21: False, 25: False, 26: True}


@pytest.mark.parametrize("reported", [0.5, 1.0])
def test_a_day_that_only_a_label_of_the_account_covers_is_neither_until_it_is_named(reported):
    covered = samples([(0, 5, 8), (0, 20, 8), (0, 30, 8)], named=[8, 12, NEVER])
    clock = LabelClock((1.0,), reported=reported)
    found = {morning: as_known(covered, FIRST_DAY + morning, clock) for morning in (8, 9, 13)}
    days = [5, 20, 30]
    is_bad = {morning: each.is_bad[each.windows.user == 0][days].tolist() for morning, each in found.items()}
    assert is_bad == {8: [False] * 3, 9: [True, False, False], 13: [True, True, False]}
    assert {morning: weights(each, 0)[days].tolist() for morning, each in found.items()} == {
        8: [1, 1, 1],
        9: [1, 0, 0],
        13: [1, 1, 0],
    }
    assert found[9].is_bad_account[found[9].windows.user == 0].all()
