"""The price list: the same stacker on the same test, honest and with one mistake at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from pipeline.arrays import Doubles, Flags
from pipeline.evaluate.guards import LeakError
from pipeline.evaluate.leaks.bench import Bench, Fold
from pipeline.evaluate.leaks.user_days import Recipe

NO_DELAY = Recipe(label_clock="happened_at")
ALL_HISTORY = Recipe(usual="partition by user_id")
AROUND_THE_DAY = Recipe(
    recent="partition by user_id order by event_day "
    "range between interval 7 days preceding and interval 7 days following"
)
CUT_AT_FRAUD = Recipe(  # the window of a bad day ends with its first bad event
    newest_first="is_bad desc, if(is_bad, -epoch_us(event_at), epoch_us(event_at)) desc, event_id desc"
)


class Price(BaseModel):
    """What one leak would have faked on the same test. `caught`: its guard refuses it, and passes the honest one."""

    name: str
    what: str
    honest_ap: float
    faked_ap: float
    gain_low: float  # 95 % interval of faked minus honest average precision, over accounts
    gain_high: float
    honest_precision: float  # at the review budget
    faked_precision: float
    guard: str
    caught: bool


def price_list(events: pa.Table, labels: pa.Table, fold: Fold, seed: int = 0, threads: int = 2) -> list[Price]:
    """Price every leak on events and labels in the columns of the lake.

    Raises InputError if nothing is bad in training or test, LeakError if a guard refuses the honest pipeline.
    """
    bench = Bench(events, labels, fold, seed, threads)
    leaks = (
        early_labels,
        unmatured_days,
        known_accounts,
        random_split,
        all_history,
        after_the_day,
        telling_length,
    )
    return [_price(bench, leak(bench)) for leak in leaks]


@dataclass(frozen=True)
class Leak:
    """A mistake: the scores it leads to, and the guard that should refuse it. `test`: if not the honest one."""

    name: str
    what: str
    score: Doubles
    guard: str
    check: Callable[[], None]
    test: Flags | None = None


def early_labels(bench: Bench) -> Leak:
    return Leak(
        "label without delay, in features",
        "bad events of the account and at its counterparties count from when they happened, not when they were known",
        bench.scores_of(NO_DELAY),
        "check_later_labels",
        lambda: bench.check_later_labels(NO_DELAY),
    )


def unmatured_days(bench: Bench) -> Leak:
    day = bench.truth.day
    train: Flags = (day >= day[bench.train].min()) & (day < day[bench.of_test].min())
    return Leak(
        "label without delay, in training",
        "training includes the days just before the test, with labels that were not known then",
        bench.scores(bench.rows, train, bench.truth.is_bad),
        "check_fold",
        lambda: bench.check_fold(train, bench.test),
    )


def known_accounts(bench: Bench) -> Leak:
    """The same scores on a larger test."""
    return Leak(
        "known accounts kept in the test",
        "accounts known to be bad before the day are found again",
        bench.score,
        "check_known_accounts",
        lambda: bench.check_known(bench.of_test),
        bench.of_test,
    )


def random_split(bench: Bench) -> Leak:
    """Cross-validation over shuffled user-days. Its folds leave about as much to learn from as the honest one."""
    pool = np.flatnonzero(bench.train | bench.of_test)
    parts = max(2, round(len(pool) / bench.of_test.sum()))
    part = np.full(len(bench.rows), -1)
    part[pool] = np.random.default_rng(bench.seed).integers(0, parts, len(pool))
    score = np.full(len(bench.rows), np.nan)
    for held_out in range(parts):
        others = (part >= 0) & (part != held_out)
        score[part == held_out] = bench.scores(bench.rows, others, bench.truth.is_bad)[part == held_out]
    return Leak(
        "random split instead of time",
        "user-days of all weeks are shuffled, and each is scored by a model of the others",
        score,
        "check_fold",
        lambda: bench.check_fold(part > 0, part == 0),
    )


def all_history(bench: Bench) -> Leak:
    return Leak(
        "whole-history normalisation",
        "an account's usual amount is its median over all its days, later ones too",
        bench.scores_of(ALL_HISTORY),
        "check_later_events",
        lambda: bench.check_later_events(ALL_HISTORY),
    )


def after_the_day(bench: Bench) -> Leak:
    """Like a rolling mean with `center=True`."""
    return Leak(
        "features from after the day's end",
        "recent amounts and counts are of a window around the day, a week to either side",
        bench.scores_of(AROUND_THE_DAY),
        "check_later_events",
        lambda: bench.check_later_events(AROUND_THE_DAY),
    )


def telling_length(bench: Bench) -> Leak:
    """As in many published data sets: the sequences of bad accounts end with the fraud."""
    return Leak(
        "sequence length that tells the label",
        "windows of bad days end at the fraud, those of good days at the day's end",
        bench.scores_of(CUT_AT_FRAUD),
        "check_length",
        lambda: bench.check_length(CUT_AT_FRAUD),
    )


def _price(bench: Bench, leak: Leak) -> Price:
    test = bench.test if leak.test is None else leak.test
    honest, faked = bench.measure(bench.score, bench.test), bench.measure(leak.score, test)
    gain = bench.gain(leak.score, test)
    return Price(
        name=leak.name,
        what=leak.what,
        honest_ap=honest[0],
        faked_ap=faked[0],
        gain_low=gain[0],
        gain_high=gain[1],
        honest_precision=honest[1],
        faked_precision=faked[1],
        guard=leak.guard,
        caught=_refuses(leak.check),
    )


def _refuses(check: Callable[[], None]) -> bool:
    try:
        check()
    except LeakError:
        return True
    return False
