"""Check a verdict file row by row: what is accepted, what is refused and why."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.feedback.records import Record
from pipeline.feedback.refusals import REASONS, Refused
from pipeline.feedback.verdicts import Verdict

SHOWN = 20  # refused rows that are named one by one


class RefusedRow(NamedTuple):
    line: int
    reason: str
    column: str | None
    raw: str

    @property
    def detail(self) -> str:
        """What is wrong. It repeats no cell."""
        return f"{self.column or 'row'}: {REASONS[self.reason]}"


@dataclass(frozen=True)
class VerdictFile:
    """One file, every row accounted for. `duplicates` were accepted before, here or in an earlier file."""

    name: str
    accepted: list[Verdict]
    refused: list[RefusedRow]
    duplicates: int

    @property
    def read(self) -> int:
        return len(self.accepted) + len(self.refused) + self.duplicates

    @property
    def reasons(self) -> dict[str, int]:
        """Refused rows by reason and column."""
        return dict(sorted(Counter(f"{row.reason} {row.column or ''}".strip() for row in self.refused).items()))

    def first_refused(self) -> list[str]:
        """The first refused rows by line: what was wanted, never what was found."""
        lines = [f"line {row.line}, {row.detail}" for row in self.refused[:SHOWN]]
        rest = len(self.refused) - len(lines)
        return [*lines, f"and {rest:,} refused rows more, in quarantine/"] if rest else lines


def check_records(
    name: str, records: Iterable[Record], to_verdict: Callable[[Mapping[str, str]], Verdict], earlier: set[Verdict]
) -> VerdictFile:
    """`to_verdict` makes a verdict from a row's cells, or raises Refused. `earlier` were accepted before."""
    seen = set(earlier)
    accepted: list[Verdict] = []
    refused: list[RefusedRow] = []
    duplicates = 0
    for record in records:
        try:
            if record.refusal:
                raise record.refusal
            verdict = to_verdict(record.cells)
        except Refused as error:
            refused.append(RefusedRow(record.line, error.reason, error.column, record.raw))
            continue
        if verdict in seen:
            duplicates += 1
        else:
            seen.add(verdict)
            accepted.append(verdict)
    return VerdictFile(name, accepted, refused, duplicates)
