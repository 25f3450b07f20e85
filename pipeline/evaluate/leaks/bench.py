"""The honest pipeline's rows, cut, scores and measures, against which each leak is held."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.evaluate import guards
from pipeline.evaluate.intervals import average_precision
from pipeline.evaluate.leaks.user_days import Recipe, features, truth
from pipeline.evaluate.metrics import precision_at
from pipeline.models import stacker
from pipeline.models.days import day_number

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int32]
Days = tuple[date, date]  # first and last

HONEST = Recipe()
REPEATS = 200


@dataclass(frozen=True)
class Fold:
    """Which days are learned from and which are judged. An account is known by bad events from `known_from` on."""

    train: Days
    test: Days
    label_delay: int  # days
    reviews: int  # per day
    known_from: date = date.min


class Bench:
    """Scores of the honest stacker on the test, and the same for any mistake.

    Raises InputError where there is nothing bad to learn from or to find, LeakError if a guard refuses the honest.
    """

    def __init__(self, events: pa.Table, labels: pa.Table, fold: Fold, seed: int, threads: int) -> None:
        self.events, self.labels, self.fold, self.seed, self.threads = events, labels, fold, seed, threads
        self.truth = truth(events, labels, fold.known_from)
        self.account: Ints = np.unique(self.truth.user, return_inverse=True)[1].astype(np.int32)
        self.train, self.of_test = self.between(*fold.train), self.between(*fold.test)
        self.test: Flags = self.of_test & (self.truth.account_known_day >= self.truth.day)
        known_then: Flags = self.truth.known_day < day_number(fold.test[0])  # bad by the labels of that time
        for is_bad, what in ((known_then[self.train], "train on"), (self.truth.is_bad[self.test], "test on")):
            if not is_bad.any() or is_bad.all():
                raise InputError(f"pricing leaks needs bad and good user-days to {what}")
        self.known_then = known_then
        self.columns, self.rows = self.rows_of(HONEST)
        self.check_fold(self.train, self.test)
        self.check_known(self.test)
        self.check_later_events(HONEST)
        self.check_later_labels(HONEST)
        self.check_length(HONEST)
        self.score = self.scores(self.rows, self.train, known_then)

    def between(self, first: date, last: date) -> Flags:
        """The user-days of the days `first`..`last`."""
        chosen: Flags = (self.truth.day >= day_number(first)) & (self.truth.day <= day_number(last))
        return chosen

    def rows_of(self, recipe: Recipe) -> tuple[list[str], Doubles]:
        """Names of the features, and all user-days' by this recipe, (n, columns)."""
        table = features(self.events, self.labels, recipe).drop_columns(["user_id", "event_day"])
        columns = [table[name].cast(pa.float64()).to_numpy() for name in table.column_names]
        return table.column_names, np.column_stack(columns)

    def scores(self, rows: Doubles, learn: Flags, is_bad: Flags) -> Doubles:
        """Of all user-days, by a stacker that learned from some."""
        weight = np.ones(int(learn.sum()))
        booster = stacker.fit(self.columns, rows[learn], is_bad[learn], weight, self.seed, self.threads)
        return stacker.predict(booster, self.columns, rows)

    def scores_of(self, recipe: Recipe) -> Doubles:
        """The honest cut, on features by this recipe."""
        return self.scores(self.rows_of(recipe)[1], self.train, self.known_then)

    def measure(self, score: Doubles, test: Flags) -> tuple[float, float]:
        """Average precision of user-days, and precision at the reviews of a day."""
        is_bad, day = self.truth.is_bad[test], self.truth.day[test]
        precision = precision_at(score[test], is_bad, day, self.account[test], self.fold.reviews)
        return average_precision(score[test], is_bad), precision

    def gain(self, score: Doubles, test: Flags) -> tuple[float, float]:
        """95 % of faked minus honest average precision, accounts drawn again with replacement."""
        random, accounts, gains = np.random.default_rng(self.seed), int(self.account.max()) + 1, []
        for _ in range(REPEATS):
            drawn = np.bincount(random.integers(0, accounts, accounts), minlength=accounts)
            weight = drawn[self.account].astype(np.float64)
            faked, honest = (
                average_precision(scores[chosen], self.truth.is_bad[chosen], weight[chosen])
                for scores, chosen in ((score, test), (self.score, self.test))
            )
            gains.append(faked - honest)
        low, high = np.nanquantile(gains, [0.025, 0.975])
        return float(low), float(high)

    def check_fold(self, train: Flags, test: Flags) -> None:
        guards.check_fold(self.truth.day[train], self.truth.day[test], self.fold.label_delay)

    def check_known(self, test: Flags) -> None:
        known = self.truth.account_known_day
        guards.check_known_accounts(self.account[test], self.truth.day[test], self.account, known)

    def check_later_events(self, recipe: Recipe) -> None:
        guards.check_later_events(self._build(recipe), self.events, self.labels, self._sampled_days())

    def check_later_labels(self, recipe: Recipe) -> None:
        guards.check_later_labels(self._build(recipe), self.events, self.labels, self._sampled_days())

    def check_length(self, recipe: Recipe) -> None:
        columns, rows = self.rows_of(recipe)
        length, earlier, today = (
            rows[self.train, columns.index(name)].astype(np.int64)
            for name in ("window_event_count", "earlier_event_count", "event_count")
        )
        guards.check_length(length, earlier + today, self.truth.is_bad[self.train])

    def _build(self, recipe: Recipe) -> guards.Build:
        return lambda events, labels: features(events, labels, recipe)

    def _sampled_days(self) -> tuple[date, ...]:
        """Two days of the test, the last not among them: nothing comes after it."""
        first, last = self.fold.test
        return first, first + (last - first) // 2
