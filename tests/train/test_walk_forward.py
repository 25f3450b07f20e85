"""A base model scores a day by what it learned from days before it."""

from dataclasses import dataclass

import numpy as np
import pytest
from user_days import FIRST_DAY, user_days

from pipeline.errors import InputError
from pipeline.models.base import Learner
from pipeline.train.walk_forward import FitOptions, fit_base_model, walk_forward


@dataclass(frozen=True)
class LastDaySeen:
    """Its score is the last day it learned from or stopped by."""

    day: int

    def score(self, samples, threads=2):
        return np.full(len(samples), float(self.day))


def fit(learn, stop, seed, threads, progress):
    if len(np.unique(learn.windows.day)) < 4:
        raise InputError("too few days")
    assert learn.windows.day.max() < stop.windows.day.min()
    return LastDaySeen(int(stop.windows.day.max()))


LAST_DAY = Learner("last day", "supervised", "for tests", fit, load=None)
OPTIONS = FitOptions(seed=7, threads=2)


@pytest.fixture
def known():
    return user_days(np.zeros((50 * 20, 1)), np.arange(1000) % 7 == 0, n_users=50)


def test_each_block_is_scored_by_a_model_that_ended_before_it(known):
    found = walk_forward(LAST_DAY, known, FIRST_DAY + 8, OPTIONS)
    column = found.scores
    is_scored = known.windows.day >= FIRST_DAY + 8
    assert np.isnan(column[~is_scored]).all()
    assert np.all(column[is_scored] < known.windows.day[is_scored])
    assert set(column[is_scored]) == {FIRST_DAY + 7, FIRST_DAY + 13}, "the day before each half"
    assert found.early.day == FIRST_DAY + 13, "it has not learned from the last half"
    assert found.final.day == FIRST_DAY + 19, "the final one has learned from all"


def test_a_block_with_too_little_before_it_is_not_scored(known):
    column = walk_forward(LAST_DAY, known, FIRST_DAY + 3, OPTIONS).scores
    assert np.isnan(column[known.windows.day < FIRST_DAY + 11]).all()
    assert not np.isnan(column[known.windows.day >= FIRST_DAY + 12]).any()


def test_the_last_fifth_of_the_days_says_when_to_stop(known):
    assert fit_base_model(LAST_DAY, known, OPTIONS).day == FIRST_DAY + 19
