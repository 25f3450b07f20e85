"""A base model scores a user-day by what other accounts did, and where it is judged by earlier days only."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest
from user_days import FIRST_DAY, user_days

from pipeline.errors import InputError
from pipeline.models.base import Learner
from pipeline.models.samples import NEVER, LabelledDays
from pipeline.models.tokens.windows import half_of
from pipeline.train.clocks import AT_ONCE
from pipeline.train.walk_forward import FitOptions, fit_base_model, walk_forward

OPTIONS = FitOptions(seed=7, threads=2)


@dataclass(frozen=True)
class WhatItSaw:
    """Its score is the last day it learned from or stopped by. It fails on an account it learned from."""

    day: int
    users: frozenset[str]
    bad: int = 0

    def score(self, samples, threads=2):
        assert self.users.isdisjoint(users_of(samples))
        return np.full(len(samples), float(self.day))


def users_of(samples):
    return frozenset(samples.tokens.users.take(pa.array(samples.windows.user)).to_pylist())


def fit(learn, stop, seed, threads, progress):
    if len(np.unique(learn.windows.day)) < 4:
        raise InputError("too few days")
    assert learn.windows.day.max() < stop.windows.day.min()
    bad = int(learn.is_bad.sum() + stop.is_bad.sum())
    return WhatItSaw(int(stop.windows.day.max()), users_of(learn) | users_of(stop), bad)


LAST_DAY = Learner("last day", "supervised", "for tests", fit, load=None)


@pytest.fixture
def known():
    return user_days(np.zeros((50 * 20, 1)), np.arange(1000) % 7 == 0, n_users=50)


def test_every_user_day_is_scored_and_no_account_by_a_fit_that_had_seen_it(known):
    found = walk_forward(LAST_DAY, known, FIRST_DAY + 8, OPTIONS)
    assert np.isfinite(found.scores).all()
    everybody = set(known.tokens.users.to_pylist())
    for fits in (found.early, found.final):
        seen = [scorer.users for scorer in fits.scorers]
        assert seen[0] | seen[1] == everybody and not seen[0] & seen[1]
        assert np.isfinite(fits.score(known)).all(), "each fit fails on an account that it learned from"


def test_each_block_is_scored_by_fits_that_ended_before_it_and_the_days_before_by_those_of_the_first(known):
    found = walk_forward(LAST_DAY, known, FIRST_DAY + 8, OPTIONS)
    day, column = known.windows.day, found.scores
    assert set(column[day < FIRST_DAY + 14]) == {FIRST_DAY + 7}
    assert set(column[day >= FIRST_DAY + 14]) == {FIRST_DAY + 13}
    assert found.judged_from == FIRST_DAY + 8
    assert set(found.early.score(known)) == {FIRST_DAY + 13}, "it has not learned from the last half"
    assert set(found.final.score(known)) == {FIRST_DAY + 19}, "the final one has learned from all"


@pytest.mark.parametrize("since", [0, 3])
def test_a_block_with_too_little_before_it_is_scored_by_the_next_blocks_fits_and_not_judged(since, known):
    found = walk_forward(LAST_DAY, known, FIRST_DAY + since, OPTIONS)
    middle = int(np.unique(found.scores)[0]) + 1
    assert np.unique(found.scores).tolist() == [middle - 1]
    assert found.judged_from == middle > FIRST_DAY + since


def test_a_later_block_that_cannot_be_learned_for_is_scored_by_the_fits_before_it(known):
    def fit_early(learn, stop, *options):
        if stop.windows.day.max() == FIRST_DAY + 13:
            raise InputError("its labels were taken back")
        return fit(learn, stop, *options)

    found = walk_forward(replace(LAST_DAY, fit=fit_early), known, FIRST_DAY + 8, OPTIONS)
    assert set(found.scores) == {FIRST_DAY + 7}


def test_fits_know_labels_of_their_blocks_morning_and_no_later_ones(known):
    """One account in seven is bad on all days, and each day is known three days later."""
    bad = known.windows.user % 7 == 0
    user, day = known.windows.user[bad].astype(np.int64), known.windows.day[bad].astype(np.int64)
    order = np.lexsort((day, user))
    user, day = user[order], day[order]
    days = LabelledDays(user, day, day + 3, np.full(len(day), NEVER), np.full(len(day), "report"), day + 3)
    labelled = replace(known, bad=days, is_bad=bad)
    found = walk_forward(LAST_DAY, labelled, FIRST_DAY + 8, replace(OPTIONS, clock=AT_ONCE))
    half = half_of(known.tokens.users)
    for place, scorer in enumerate(found.early.scorers):
        accounts = int((half[::7] != place).sum())
        assert scorer.bad == accounts * 11, "of the 14 days before the block, the last 3 are not known yet"


def test_with_too_little_for_one_half_there_is_a_clear_error(known):
    half = half_of(known.tokens.users)[known.windows.user]
    lopsided = known.take((half == 0) | (known.windows.day % 10 == 0))
    with pytest.raises(InputError, match="one half of the accounts is too little: too few days"):
        walk_forward(LAST_DAY, lopsided, FIRST_DAY + 8, OPTIONS)


def test_without_a_day_to_learn_from_there_is_a_clear_error(known):
    with pytest.raises(InputError, match="no day to learn from"):
        fit_base_model(LAST_DAY, known.take(np.zeros(0, np.int64)), OPTIONS)


def test_the_last_fifth_of_the_days_says_when_to_stop(known):
    assert fit_base_model(LAST_DAY, known, OPTIONS).day == FIRST_DAY + 19
