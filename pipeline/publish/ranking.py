"""Rank accounts, and decide where the list ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, ROUND_UP, Context
from math import inf
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

RankedBy = Literal["risk", "surprise"]
TOLERANCE = 1e-9  # a precision reached to the ninth digit is reached
LEAST_PRECISION = 1e-6  # below this there is no min_precision worth naming
LEAST_FALSE_ALARMS = 1e-4  # below this there is no number worth naming


@dataclass(frozen=True)
class Next:
    """What stands just below a list that ended before its slots were full.

    `rank` is the place among all scored accounts, `level` its risk or surprise percentile. With `setting` in place of
    min_precision or false_alarms, the list would have `would_list` accounts; None if no setting does that.
    """

    rank: int
    level: float | None
    setting: float | None
    would_list: int


@dataclass(frozen=True)
class Cut:
    """Where the list ends: `length` accounts, decided by `rule`. `expected_precision` is null without risks."""

    length: int
    rule: Literal["min_precision", "false_alarms", "list_size", "all"]
    expected_precision: float | None
    next: Next | None = None


def rank(scores: "pa.Table") -> "pa.Table":
    """Worst first: by risk (unknown last), surprise_percentile, surprise, then user_id, so that there are no ties."""
    import pyarrow.compute as pc

    levels = ("risk", "surprise_percentile", "surprise")
    order = [*((name, "descending", "at_end") for name in levels), ("user_id", "ascending", "at_end")]
    return scores.take(pc.sort_indices(scores, sort_keys=order))


def worst_days(scores: Mapping[date, "pa.Table"]) -> "pa.Table":
    """Each account once, by its highest ranked user-day, with that `day`. Of equal ones, by the latest.

    The scores of a single day are returned as they are: an account that is there twice must not go unseen.
    """
    import pyarrow as pa

    tables = [
        table.append_column("day", pa.array([day] * len(table), pa.date32()))
        for day, table in sorted(scores.items(), reverse=True)
    ]
    if len(tables) == 1:
        return tables[0]
    ranked = rank(pa.concat_tables([table for table in tables if len(table)] or tables[:1]))  # a stable sort
    first: dict[str, int] = {}
    for place, user in enumerate(ranked["user_id"].to_pylist()):
        first.setdefault(user, place)
    return ranked.take(pa.array(first.values(), pa.int64()))


def cut_by_precision(risks: Sequence[float | None], min_precision: float, list_size: int) -> Cut:
    """The longest list whose expected precision, its mean risk, is at least `min_precision`.

    `risks` are in ranked order. An unknown risk counts as 0.
    """
    length, total, expected = 0, 0.0, None
    for place, risk in enumerate(risks[:list_size], start=1):
        total += risk or 0.0
        precision = total / place
        if precision + TOLERANCE >= min_precision:
            length, expected = place, precision
    rule = _why_it_ends(length, len(risks), list_size, "min_precision")
    if rule != "min_precision":
        return Cut(length, rule, expected)
    slots = min(list_size, len(risks))
    return Cut(length, rule, expected, Next(length + 1, risks[length], _reached_precision(total / slots), slots))


def cut_by_false_alarms(percentiles: Sequence[float | None], false_alarms: float, list_size: int) -> Cut:
    """The accounts so surprising that of all these, on an ordinary day, at most `false_alarms` would be.

    `percentiles` are in ranked order. An unknown one is listed by nobody.
    """
    listed = sum(_alarms(percentile, len(percentiles)) <= false_alarms + TOLERANCE for percentile in percentiles)
    length = min(listed, list_size)
    rule = _why_it_ends(length, len(percentiles), list_size, "false_alarms")
    if rule != "false_alarms":
        return Cut(length, rule, None)
    slots = min(list_size, len(percentiles))
    setting = _reached_alarms(_alarms(percentiles[slots - 1], len(percentiles)))
    return Cut(length, rule, None, Next(length + 1, percentiles[length], setting, slots))


def _alarms(percentile: float | None, accounts: int) -> float:
    """How many of so many ordinary accounts would be at least as surprising."""
    return inf if percentile is None else (1 - percentile) * accounts


def _reached_precision(precision: float) -> float | None:
    """Rounded down to two significant digits, so that a list asked for it reaches it."""
    if precision < LEAST_PRECISION:
        return None
    return float(Context(prec=2, rounding=ROUND_DOWN).create_decimal_from_float(precision + TOLERANCE / 2))


def _reached_alarms(alarms: float) -> float | None:
    """Rounded up to two significant digits, so that a list asked for it reaches it."""
    if alarms == inf:
        return None
    return float(Context(prec=2, rounding=ROUND_UP).create_decimal_from_float(max(alarms, LEAST_FALSE_ALARMS)))


def _why_it_ends(length: int, available: int, list_size: int, rule: Literal["min_precision", "false_alarms"]) -> Any:
    if length == list_size and length < available:
        return "list_size"
    return "all" if length == available else rule
