"""Why a row was refused. The codes are stable: people filter on them and write rules against them."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

MAX_ROW = 1_000_000  # bytes of a row; quarantine keeps this much of a longer one
MAX_VALUE = 2048  # bytes of a text value; PostgreSQL's indexes take no id of more than 2,700
MAX_NUMBER = 1e12

REASONS: dict[str, str] = {
    # the row itself
    "bad_utf8": "is not UTF-8",
    "nul": "contains a NUL byte",
    "line_too_long": f"is longer than {MAX_ROW:,} bytes",
    "broken_quotes": "has a quoted field that never ends, or ends in the middle",
    "too_few_fields": "has fewer fields than the header",
    "too_many_fields": "has more fields than the header",
    "not_json": "is not JSON",
    "not_an_object": "is JSON, but not an object",
    # one of its columns
    "missing": "wanted a value",
    "not_text": "wanted text, found a list or an object",
    "not_a_number": "wanted a number",
    "not_finite": "wanted a finite number",
    "too_large": f"wanted a number of at most {MAX_NUMBER:g}",
    "not_a_time": "wanted a time such as 2026-11-21T10:00:00+01:00",
    "not_a_boolean": "wanted true or false",
    "too_long": f"wanted at most {MAX_VALUE} bytes",
    "impossible_time": "wanted a time since 1990",
    "future_time": "has not happened yet",
    "unknown_event_type": "is not in the domain's vocabulary",
    "mapping_failed": "cannot be computed from this row",
    "known_before_happened": "was known before it happened",
    "ends_before_it_begins": "wanted a time after happened_at",
    "ends_after_known": "is after known_at: nobody knows yet what the account will do",
    "event_with_end": "wanted none beside event_id: a label is about one event, or about a time",
    "unknown_event": "is left out, and event_id names no known event",
}


class Refusal(NamedTuple):
    """One refused row as it came. `column` is null where the whole row is at fault.

    `notation` names how the refused cell is written, for a sample of rows and where we know it.
    """

    line: int
    reason: str
    column: str | None
    raw: str
    notation: str | None = None


def explain(reason: str, column: str | None) -> str:
    return f"{column or 'row'}: {REASONS[reason]}"


def count(refusals: Iterable[Refusal]) -> Counter[str]:
    """Rows per 'reason column', for receipts and manifests."""
    return Counter(f"{refusal.reason} {refusal.column}" if refusal.column else refusal.reason for refusal in refusals)


@dataclass(frozen=True)
class Chunk:
    """Some consecutive rows of a file.

    `rows` has the wanted columns and `_line`: where the row begins in the file, counted from 1.
    `refused` are rows that could not be read at all. `raw` gives rows as they came, by their `_line`.
    """

    rows: pa.Table
    raw: Callable[[Sequence[int]], list[str]]
    refused: list[Refusal] = field(default_factory=list)

    def __len__(self) -> int:
        return int(self.rows.num_rows) + len(self.refused)
