"""The price list: the same stacker on the same test, honest and with one mistake at a time."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from pipeline.evaluate.guards import LeakError
from pipeline.evaluate.leaks.bench import Bench, Days, Doubles, Flags, Fold
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
    """One leak: what it would have faked on the same test. `caught`: its guard, which passes the honest, refuses it."""

    name: str
    what: str
    honest_ap: float
    faked_ap: float
    gain_low: float  # 95 % of faked minus honest average precision, over accounts
    gain_high: float
    honest_precision: float  # at the reviews of a day
    faked_precision: float
    guard: str
    caught: bool


def price_list(
    events: pa.Table,
    labels: pa.Table,
    train: Days,
    test: Days,
    label_delay_days: int,
    reviews: int = 100,
    known_from: date | None = None,
    seed: int = 0,
    threads: int = 2,
) -> list[Price]:
    """Price every leak on a stream of events and labels in the columns of the lake.

    An account is known by bad events from `known_from` on (default: ever). Raises InputError where there is nothing
    bad to learn from or to find, LeakError if a guard refuses the honest pipeline.
    """
    fold = Fold(train, test, label_delay_days, reviews, known_from or date.min)
    bench = Bench(events, labels, fold, seed, threads)
    return [
        early_labels(bench),
        unmatured_days(bench),
        known_accounts(bench),
        random_split(bench),
        all_history(bench),
        after_the_day(bench),
        telling_length(bench),
    ]


def early_labels(bench: Bench) -> Price:
    """Labels count in features before anybody knew them."""
    return _price(
        bench,
        "label without delay, in features",
        "bad events of the account and at its counterparties count when they happened, not when they were known",
        bench.scores_of(NO_DELAY),
        "check_later_labels",
        lambda: bench.check_later_labels(NO_DELAY),
    )


def unmatured_days(bench: Bench) -> Price:
    """Labels are learned from before anybody knew them."""
    day = bench.truth.day
    train: Flags = (day >= day[bench.train].min()) & (day < day[bench.of_test].min())
    return _price(
        bench,
        "label without delay, in training",
        "training goes on to the eve of the test, with labels that nobody had by then",
        bench.scores(bench.rows, train, bench.truth.is_bad),
        "check_fold",
        lambda: bench.check_fold(train, bench.test),
    )


def known_accounts(bench: Bench) -> Price:
    """The same scores, judged on more."""
    return _price(
        bench,
        "known accounts kept in the test",
        "accounts known to be bad before the day are found once more",
        bench.score,
        "check_known_accounts",
        lambda: bench.check_known(bench.of_test),
        bench.of_test,
    )


def random_split(bench: Bench) -> Price:
    """Cross-validation over shuffled user-days, in as many parts as leave about the honest number to learn from."""
    pool = np.flatnonzero(bench.train | bench.of_test)
    parts = max(2, round(len(pool) / bench.of_test.sum()))
    part = np.full(len(bench.rows), -1)
    part[pool] = np.random.default_rng(bench.seed).integers(0, parts, len(pool))
    score = np.full(len(bench.rows), np.nan)
    for held_out in range(parts):
        others = (part >= 0) & (part != held_out)
        score[part == held_out] = bench.scores(bench.rows, others, bench.truth.is_bad)[part == held_out]
    return _price(
        bench,
        "random split instead of time",
        "user-days of all weeks are shuffled, and each is scored by a model of the others",
        score,
        "check_fold",
        lambda: bench.check_fold(part > 0, part == 0),
    )


def all_history(bench: Bench) -> Price:
    """Normalisation by days to come."""
    return _price(
        bench,
        "whole-history normalisation",
        "an account's usual amount is its median over all its days, later ones too",
        bench.scores_of(ALL_HISTORY),
        "check_later_events",
        lambda: bench.check_later_events(ALL_HISTORY),
    )


def after_the_day(bench: Bench) -> Price:
    """Windows centred on the day, as a rolling mean with `center=True` has them."""
    return _price(
        bench,
        "features from after the day's end",
        "recent amounts and counts are of a window around the day, a week to either side",
        bench.scores_of(AROUND_THE_DAY),
        "check_later_events",
        lambda: bench.check_later_events(AROUND_THE_DAY),
    )


def telling_length(bench: Bench) -> Price:
    """Sequences of bad accounts end where their story does, as in many published sets."""
    return _price(
        bench,
        "sequence length that tells the label",
        "windows of bad days are cut at the fraud, those of good days at the day's end",
        bench.scores_of(CUT_AT_FRAUD),
        "check_length",
        lambda: bench.check_length(CUT_AT_FRAUD),
    )


def _price(
    bench: Bench,
    name: str,
    what: str,
    score: Doubles,
    guard: str,
    check: Callable[[], None],
    test: Flags | None = None,
) -> Price:
    test = bench.test if test is None else test
    honest, faked, gain = bench.measure(bench.score, bench.test), bench.measure(score, test), bench.gain(score, test)
    return Price(
        name=name,
        what=what,
        honest_ap=honest[0],
        faked_ap=faked[0],
        gain_low=gain[0],
        gain_high=gain[1],
        honest_precision=honest[1],
        faked_precision=faked[1],
        guard=guard,
        caught=_refuses(check),
    )


def _refuses(check: Callable[[], None]) -> bool:
    try:
        check()
    except LeakError:
        return True
    return False
