"""Reviews under a budget: cases small enough to do by hand, and what must hold of any."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics.review_queue import ReviewQueue, number_accounts


def arrays(rows):
    """(score, is_bad, day, user) of rows (user, day, score, is_bad)."""
    user, day, score, is_bad = zip(*rows, strict=True)
    return np.array(score, float), np.array(is_bad, bool), np.array(day, np.int32), np.array(user, np.int32)


def reviewed_rows(score, is_bad, day, user, reviews):
    return queue(score, is_bad, day, user).reviewed(reviews)


def queue(score, is_bad, day, user):
    return ReviewQueue.of(score, is_bad, day, number_accounts(user))


def test_a_caught_account_leaves_the_days_after_and_makes_room():
    rows = [(1, 0, 0.9, True), (2, 0, 0.5, False), (1, 1, 0.9, True), (3, 1, 0.5, True)]
    assert reviewed_rows(*arrays(rows), 1).tolist() == [True, False, False, True]


def test_an_account_reviewed_on_an_ordinary_day_is_not_caught_by_it():
    rows = [(1, 0, 0.9, False), (1, 1, 0.9, True)]
    assert reviewed_rows(*arrays(rows), 1).tolist() == [True, True]


def test_scores_not_known_are_reviewed_last():
    rows = [(1, 0, np.nan, True), (2, 0, -5.0, False)]
    assert reviewed_rows(*arrays(rows), 1).tolist() == [False, True]


def test_recall_counts_accounts_not_days():
    rows = [(1, 0, 0.1, True), (3, 0, 0.9, False), (1, 1, 0.9, True), (2, 1, 0.5, True)]
    catch = queue(*arrays(rows)).catch(1)
    assert (catch.total, catch.precision, catch.recall) == (1, 1 / 2, 1 / 2)
    assert [catch.recall_among(np.array([account])) for account in (0, 1)] == [1, 0]


def test_a_review_of_nothing_bad_catches_nobody():
    catch = queue(*arrays([(1, 0, 0.5, False)])).catch(1)
    assert catch.total == catch.precision == 0 and np.isnan(catch.recall)


user_days = st.dictionaries(
    st.tuples(st.integers(0, 8), st.integers(0, 4)), st.tuples(st.integers(0, 5), st.booleans()), min_size=1
).map(lambda cells: [(user, day, float(score), bad) for (user, day), (score, bad) in cells.items()])


@settings(deadline=None)
@given(user_days, st.integers(1, 4))
def test_no_day_takes_more_reviews_than_it_has_and_nobody_is_caught_twice(rows, reviews):
    score, is_bad, day, user = arrays(rows)
    reviewed = reviewed_rows(score, is_bad, day, user, reviews)
    assert max(np.bincount(day[reviewed], minlength=1)) <= reviews
    caught = user[reviewed & is_bad]
    assert len(caught) == len(set(caught.tolist()))


@settings(deadline=None)
@given(user_days)
def test_reviewing_everybody_catches_every_bad_account(rows):
    score, is_bad, day, user = arrays(rows)
    caught = reviewed_rows(score, is_bad, day, user, 9) & is_bad
    assert set(user[caught].tolist()) == set(user[is_bad].tolist())


def test_copies_of_an_account_are_reviewed_one_by_one():
    score, is_bad, day, user = arrays([(0, 0, 0.9, True), (1, 0, 0.5, True), (0, 1, 0.9, True), (1, 1, 0.5, False)])
    line = ReviewQueue.of(score, is_bad, day, user)
    # day 0 has room for one of the two copies of 0; the other is caught on day 1
    assert line.catch(1, np.array([2, 1], np.uint8)).caught.tolist() == [2, 0]
    assert line.catch(3, np.array([2, 1], np.uint8)).caught.tolist() == [2, 1]
    assert line.catch(1, np.array([0, 1], np.uint8)).caught.tolist() == [0, 1]  # not drawn: its place goes to the next


@settings(deadline=None)
@given(user_days, st.integers(1, 4), st.data())
def test_copies_are_caught_as_if_they_were_accounts_of_their_own(rows, reviews, data):
    score, is_bad, day, user = arrays(rows)
    account = number_accounts(user)
    accounts = int(account.max()) + 1
    copies = np.array(data.draw(st.lists(st.integers(0, 3), min_size=accounts, max_size=accounts)))
    times = copies[account]
    nth = np.concatenate([np.arange(n) for n in times]) if times.sum() else np.empty(0)
    spread = [np.repeat(column, times) for column in (score, is_bad, day)]
    alone = (np.repeat(account, times) * 3 + nth).astype(np.int32)
    expected = np.bincount(alone[reviewed_rows(*spread, alone, reviews) & spread[1]] // 3, minlength=accounts)
    for kind in (np.uint8, float):
        catch = ReviewQueue.of(score, is_bad, day, account).catch(reviews, copies.astype(kind))
        np.testing.assert_array_equal(catch.caught, expected)


@settings(deadline=None)
@given(user_days, st.integers(1, 4))
def test_what_is_caught_is_what_is_reviewed_on_a_bad_day(rows, reviews):
    score, is_bad, day, user = arrays(rows)
    account = number_accounts(user)
    catch = queue(score, is_bad, day, user).catch(reviews)
    named = account[reviewed_rows(score, is_bad, day, user, reviews) & is_bad]
    assert np.flatnonzero(catch.caught).tolist() == sorted(named.tolist())
    assert catch.precision == len(named) / (reviews * len(set(day.tolist())))


def test_nobody_to_review_is_no_error():
    nothing = np.empty(0)
    assert reviewed_rows(nothing, nothing.astype(bool), nothing.astype(np.int32), nothing.astype(np.int32), 3).size == 0
