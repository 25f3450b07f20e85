"""Rank accounts, and decide where the list ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

RankedBy = Literal["risk", "surprise"]
TOLERANCE = 1e-9  # a precision reached to the ninth digit is reached


@dataclass(frozen=True)
class Cut:
    """Where the list ends: `length` accounts, decided by `rule`. `expected_precision` is null without risks."""

    length: int
    rule: Literal["min_precision", "quiet_level", "list_size", "all"]
    expected_precision: float | None


def rank(scores: "pa.Table") -> "pa.Table":
    """Worst first: by risk (unknown last), surprise_percentile, surprise, then user_id, so that there are no ties."""
    import pyarrow.compute as pc

    levels = ("risk", "surprise_percentile", "surprise")
    order = [*((name, "descending", "at_end") for name in levels), ("user_id", "ascending", "at_end")]
    return scores.take(pc.sort_indices(scores, sort_keys=order))


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
    return Cut(length, _why_it_ends(length, len(risks), list_size, "min_precision"), expected)


def cut_by_quiet_level(percentiles: Sequence[float | None], quiet_percentile: float, list_size: int) -> Cut:
    """The accounts whose surprise is above the quiet percentile, at most `list_size`."""
    loud = sum(percentile is not None and percentile >= quiet_percentile for percentile in percentiles)
    length = min(loud, list_size)
    return Cut(length, _why_it_ends(length, len(percentiles), list_size, "quiet_level"), None)


def _why_it_ends(length: int, available: int, list_size: int, rule: Literal["min_precision", "quiet_level"]) -> Any:
    if length == list_size and length < available:
        return "list_size"
    return "all" if length == available else rule
