"""What an arm says of a day comes from days before it."""

from dataclasses import dataclass

import numpy as np
import pytest
from user_days import FIRST_DAY, user_days

from pipeline.errors import InputError
from pipeline.models.arms import Arm
from pipeline.train.forward import fit_arm, forward_column, known_since


@dataclass(frozen=True)
class LastDaySeen:
    """Says which day was the last it learned from or stopped by."""

    day: int

    def score(self, samples, threads=2):
        return np.full(len(samples), float(self.day))


def fit(learn, stop, seed, threads, progress):
    if len(np.unique(learn.windows.day)) < 4:
        raise InputError("too few days")
    assert learn.windows.day.max() < stop.windows.day.min()
    return LastDaySeen(int(stop.windows.day.max()))


ARM = Arm("last day", "supervised", "for tests", fit, load=None)


@pytest.fixture
def known():
    return user_days(np.zeros((50 * 20, 1)), np.arange(1000) % 7 == 0, n_users=50)


def test_each_block_is_scored_by_an_arm_that_ended_before_it(known):
    column, last, final = forward_column(ARM, known, FIRST_DAY + 8, 7, 2, False)
    is_scored = known.windows.day >= FIRST_DAY + 8
    assert np.isnan(column[~is_scored]).all()
    assert np.all(column[is_scored] < known.windows.day[is_scored])
    assert set(column[is_scored]) == {FIRST_DAY + 7, FIRST_DAY + 13}, "the day before each half"
    assert last.day == FIRST_DAY + 13, "it has seen nothing of the last half"
    assert final.day == FIRST_DAY + 19, "the arm to be used has learned from all"


def test_a_block_with_too_little_before_it_is_not_scored(known):
    column, _, _ = forward_column(ARM, known, FIRST_DAY + 3, 7, 2, False)
    assert np.isnan(column[known.windows.day < FIRST_DAY + 11]).all()
    assert not np.isnan(column[known.windows.day >= FIRST_DAY + 12]).any()


def test_what_an_arm_would_say_of_its_own_days_is_not_known(known):
    is_after = known.windows.day >= FIRST_DAY + 5
    found = known_since({"arm_x": np.arange(is_after.sum(), dtype=float)}, is_after)
    assert np.isnan(found["arm_x"][~is_after]).all()
    assert found["arm_x"][is_after].tolist() == list(range(is_after.sum()))


def test_the_last_fifth_of_the_days_says_when_to_stop(known):
    assert fit_arm(ARM, known, 7, 2, False).day == FIRST_DAY + 19
