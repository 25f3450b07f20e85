"""Who stands above whom, and where the list ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

RankedBy = Literal["risk", "surprise"]
TOLERANCE = 1e-9  # a promise kept to the ninth digit is kept


@dataclass(frozen=True)
class Cut:
    """Where the list ends: `length` accounts, decided by `rule`; `wrong_share` is expected, null without risks."""

    length: int
    rule: Literal["wrong_share", "quiet_level", "list_size", "all"]
    wrong_share: float | None


def rank(scores: "pa.Table") -> "pa.Table":
    """Worst first: by risk (unknown last), then how rare its surprise is, then surprise, then user_id: never a tie."""
    import pyarrow.compute as pc

    levels = ("risk", "surprise_percentile", "surprise")
    order = [*((name, "descending", "at_end") for name in levels), ("user_id", "ascending", "at_end")]
    return scores.take(pc.sort_indices(scores, sort_keys=order))


def cut_by_wrong_share(risks: Sequence[float | None], wrong_share: float, list_size: int) -> Cut:
    """The longest top of the list whose expected share of wrong accounts, 1 - mean risk, keeps the promise.

    `risks` in ranked order; an unknown risk counts as none.
    """
    length, total, expected = 0, 0.0, None
    for place, risk in enumerate(risks[:list_size], start=1):
        total += risk or 0.0
        wrong = 1 - total / place
        if wrong <= wrong_share + TOLERANCE:
            length, expected = place, wrong
    return Cut(length, _why_it_ends(length, len(risks), list_size, "wrong_share"), expected)


def cut_by_quiet_level(percentiles: Sequence[float | None], quiet_percentile: float, list_size: int) -> Cut:
    """How many accounts are more surprising than nearly everybody in quiet times."""
    loud = sum(percentile is not None and percentile >= quiet_percentile for percentile in percentiles)
    length = min(loud, list_size)
    return Cut(length, _why_it_ends(length, len(percentiles), list_size, "quiet_level"), None)


def _why_it_ends(length: int, available: int, list_size: int, rule: Literal["wrong_share", "quiet_level"]) -> Any:
    if length == list_size and length < available:
        return "list_size"
    return "all" if length == available else rule
