"""Guards against leaks: each passes an honest evaluation, and says what is wrong with another."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.arrays import Codes, Doubles, Flags, Ints
from pipeline.errors import PipelineError

Build = Callable[[pa.Table, pa.Table], pa.Table]  # events, labels -> user-days with user_id, event_day and features
SURE = 4.0  # standard errors: beyond them it is not chance


class LeakError(PipelineError):
    """An evaluation that uses what was not known at the time."""


def check_fold(train_days: Codes, test_days: Codes, label_delay: int) -> None:
    """Every training day's labels were known before the first test day: last + `label_delay` days < first.

    Days since 1970-01-01, in any order. Raises LeakError, also if either is empty.
    """
    if not len(train_days) or not len(test_days):
        raise LeakError("a fold needs days to train on and days to test on")
    last, first = int(np.max(train_days)), int(np.min(test_days))
    if last + label_delay < first:
        return
    problem = "training days and test days are mixed" if last >= first else "the last training days had no labels yet"
    raise LeakError(
        problem,
        f"last training day {_date(last)}, first test day {_date(first)}, labels known after {label_delay} days",
        fix=f"train on days before {_date(first - label_delay)}",
    )


def check_known_accounts(user: NDArray[Any], day: Codes, known_user: NDArray[Any], known_day: Codes) -> None:
    """No user-day of the test (`user`, `day`) belongs to an account known to be bad on an earlier day.

    `known_user` became known on `known_day`, perhaps several times. Raises LeakError.
    """
    _, place = np.unique(np.concatenate([user, known_user]), return_inverse=True)
    first_known = np.full(int(place.max(initial=-1)) + 1, np.iinfo(np.int32).max, np.int64)
    np.minimum.at(first_known, place[len(user) :], known_day)
    is_known = first_known[place[: len(user)]] < day
    if is_known.any():
        raise LeakError(
            f"{is_known.sum():,} of {len(user):,} user-days of the test are of accounts known to be bad before",
            f"{len(np.unique(user[is_known])):,} accounts, first on {_date(int(day[is_known].min()))}",
            fix="leave accounts out of the test from the day after they became known",
        )


def check_later_events(build: Build, events: pa.Table, labels: pa.Table, days: Sequence[date]) -> None:
    """The user-days of `days` stay the same without later events. Raises LeakError.

    Catches statistics over all of history, windows that reach past the day, and anything else from the future.
    """
    whole = build(events, labels)
    for day in days:
        then = build(events.filter(pc.less(events["event_at"], _end_of(day))), labels)
        _check_same(whole, then, day, "events after the end of the day")


def check_later_labels(build: Build, events: pa.Table, labels: pa.Table, days: Sequence[date]) -> None:
    """The user-days of `days` stay the same without labels that became known later. Raises LeakError."""
    whole = build(events, labels)
    for day in days:
        then = build(events, labels.filter(pc.less(labels["known_at"], _end_of(day))))
        _check_same(whole, then, day, "labels that were not known by the end of the day")


def check_length(length: NDArray[np.integer], in_reach: NDArray[np.integer], is_bad: Flags) -> None:
    """A window's length says nothing about the label, given the number of events `in_reach` of the window.

    Among user-days with equally many events in reach, the AUC of length must be at chance: a stratified rank-sum test
    (van Elteren, 1960), refused beyond four standard errors. Raises LeakError.
    """
    beyond = spread = pairs = 0.0
    for reach in np.unique(in_reach[is_bad]):
        here = in_reach == reach
        _, level, ties = np.unique(length[here], return_inverse=True, return_counts=True)
        rank = (np.cumsum(ties) - (ties - 1) / 2)[level][is_bad[here]]  # of the bad; ties share their mean
        n, bad = int(here.sum()), len(rank)
        beyond += float(rank.sum()) - bad * (n + 1) / 2
        pairs += bad * (n - bad)
        spread += bad * (n - bad) / 12 * (n + 1 - float((ties.astype(float) ** 3 - ties).sum()) / max(n * (n - 1), 1))
    if spread > 1e-9 and abs(beyond) > SURE * np.sqrt(spread):
        raise LeakError(
            "the length of a window tells its label",
            f"AUC {0.5 + beyond / pairs:.3f} of the length alone among user-days with equally many events in reach, "
            f"{beyond / np.sqrt(spread):+.1f} standard errors from chance",
            fix="cut every window by the same rule, whatever its label",
        )


def check_padding(
    score: Callable[[NDArray[np.float32], Ints], Doubles],
    values: NDArray[np.float32],
    length: Ints,
    tolerance: float = 1e-4,
) -> None:
    """Scores depend neither on the content of the padding nor on its width. Raises LeakError.

    `score` takes values (B, T, F), padded after each `length` (B,), and returns (B,).
    """
    is_padding = np.arange(values.shape[1]) >= length[:, None]
    loud = values.copy()
    loud[is_padding] = np.random.default_rng(0).normal(0, 3, (is_padding.sum(), values.shape[2]))
    wider = np.concatenate([values, np.zeros_like(values[:, :3])], axis=1)
    plain = score(values, length)
    for other, what in ((loud, "the content of the padding"), (wider, "the width of the padding")):
        gap = float(np.abs(score(other, length) - plain).max(initial=0))
        if not gap <= tolerance:
            raise LeakError(
                f"scores depend on {what}",
                f"a score moved by {gap:.3g}, {tolerance:g} is allowed",
                fix="mask the padding, in pooling and attention too",
            )


def _check_same(whole: pa.Table, then: pa.Table, day: date, later: str) -> None:
    whole, then = _of_day(whole, day), _of_day(then, day)
    if not whole["user_id"].equals(then["user_id"]):
        raise LeakError(f"which user-days there are on {day} depends on {later}")
    counts = {name: _differing(whole[name], then[name]) for name in whole.column_names}
    changed = {name: count for name, count in counts.items() if count}
    if changed:
        raise LeakError(
            f"features of {day} depend on {later}",
            *(f"{name}: other values in {count:,} of {len(whole):,} user-days" for name, count in changed.items()),
            fix="compute them from what was known at the end of their own day",
        )


def _of_day(table: pa.Table, day: date) -> pa.Table:
    chosen = table.filter(pc.equal(table["event_day"], pa.scalar(day))).sort_by("user_id")
    return chosen.cast(pa.schema([field.with_nullable(True) for field in chosen.schema]))


def _differing(one: pa.ChunkedArray, other: pa.ChunkedArray) -> int:
    """Rows that differ by more than rounding. Null equals null."""
    if pa.types.is_floating(one.type):
        return int((~np.isclose(one.to_numpy(), other.to_numpy(), rtol=1e-9, atol=0, equal_nan=True)).sum())
    same = pc.or_kleene(pc.equal(one, other), pc.and_(pc.is_null(one), pc.is_null(other)))
    return len(one) - int(pc.sum(same.cast(pa.int64())).as_py() or 0)


def _end_of(day: date) -> pa.Scalar:
    return pa.scalar(datetime.combine(day + timedelta(days=1), time()), pa.timestamp("us"))


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)
