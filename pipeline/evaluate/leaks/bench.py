"""The honest pipeline, with which each leak is compared."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from pipeline.arrays import Codes, Doubles, Flags
from pipeline.errors import InputError
from pipeline.evaluate import guards
from pipeline.evaluate.leaks.user_days import Recipe, features, label_user_days
from pipeline.metrics.bootstrap import Bootstrap
from pipeline.metrics.ranking import AveragePrecision
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.models import stacker
from pipeline.models.days import day_number

Days = tuple[date, date]  # first and last

HONEST = Recipe()
REPEATS = 200


@dataclass(frozen=True)
class Fold:
    """Training days and test days. An account is known by its bad events from `known_from` on."""

    train: Days
    test: Days
    label_delay: int  # days
    reviews: int = 100  # a day
    known_from: date = date.min


class Bench:
    """Scores of the honest stacker on the test, and of one with any mistake.

    Raises InputError if nothing is bad in training or test, LeakError if a guard refuses the honest pipeline.
    """

    def __init__(self, events: pa.Table, labels: pa.Table, fold: Fold, seed: int, threads: int) -> None:
        self.events, self.labels, self.fold, self.seed, self.threads = events, labels, fold, seed, threads
        self.truth = label_user_days(events, labels, fold.known_from)
        self.account: Codes = np.unique(self.truth.user, return_inverse=True)[1].astype(np.int32)
        self.train, self.of_test = self.between(*fold.train), self.between(*fold.test)
        self.test: Flags = self.of_test & (self.truth.account_known_day >= self.truth.day)
        known_then: Flags = self.truth.known_day < day_number(fold.test[0])  # bad by the labels known then
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
        """Names of the features, and their values by this recipe (n, columns)."""
        table = features(self.events, self.labels, recipe).drop_columns(["user_id", "event_day"])
        columns = [table[name].cast(pa.float64()).to_numpy() for name in table.column_names]
        return table.column_names, np.column_stack(columns)

    def scores(self, rows: Doubles, learn: Flags, is_bad: Flags) -> Doubles:
        """Scores of all user-days, by a stacker fitted on some of them."""
        weight = np.ones(int(learn.sum()))
        booster = stacker.fit(self.columns, rows[learn], is_bad[learn], weight, self.seed, self.threads)
        return stacker.predict(booster, self.columns, rows)

    def scores_of(self, recipe: Recipe) -> Doubles:
        """Scores with the honest fold, on features by this recipe."""
        return self.scores(self.rows_of(recipe)[1], self.train, self.known_then)

    def measure(self, score: Doubles, test: Flags) -> tuple[float, float]:
        """Average precision, and precision at the review budget."""
        labels = ScoredLabels.of(self.account[test], self.truth.day[test], self.truth.is_bad[test])
        return labels.average_precision(score[test]), labels.catch(score[test], self.fold.reviews).precision

    def gain(self, score: Doubles, test: Flags) -> tuple[float, float]:
        """95 % interval of faked minus honest average precision, over accounts."""
        faked, honest = (
            AveragePrecision.of(scores[chosen], self.truth.is_bad[chosen], self.account[chosen])
            for scores, chosen in ((score, test), (self.score, self.test))
        )
        draws = Bootstrap(REPEATS, self.seed).draws(int(self.account.max()) + 1)
        low, high = np.nanquantile([faked(copies) - honest(copies) for copies in draws], [0.025, 0.975])
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
        """Two days of the test. Not the last one: nothing comes after it."""
        first, last = self.fold.test
        return first, first + (last - first) // 2
