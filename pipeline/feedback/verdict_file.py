"""A verdict file judged row by row: what counts, what is refused and why."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.feedback.records import Record
from pipeline.feedback.verdicts import REASONS, Refused, Verdict

TOLD = 20  # refused rows that are told one by one


class RefusedRow(NamedTuple):
    line: int
    reason: str
    column: str | None
    raw: str

    @property
    def detail(self) -> str:
        """What is wrong, in words that repeat no cell."""
        return f"{self.column or 'row'}: {REASONS[self.reason]}"


@dataclass(frozen=True)
class VerdictFile:
    """Every row of one file accounted for. `duplicates` are rows accepted before, here or in an earlier file."""

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

    def told(self) -> list[str]:
        """The first refused rows by their lines: what was wanted, never what was found."""
        lines = [f"line {row.line}, {row.detail}" for row in self.refused[:TOLD]]
        rest = len(self.refused) - len(lines)
        return [*lines, f"and {rest:,} refused rows more, in quarantine/"] if rest else lines


def judge_file(
    name: str, records: Iterable[Record], judge: Callable[[Mapping[str, str]], Verdict], known: set[Verdict]
) -> VerdictFile:
    """`judge` gives the verdict of a row's cells or raises Refused; `known` are the verdicts accepted before."""
    seen = set(known)
    accepted: list[Verdict] = []
    refused: list[RefusedRow] = []
    duplicates = 0
    for record in records:
        try:
            if record.refusal:
                raise record.refusal
            verdict = judge(record.cells)
        except Refused as error:
            refused.append(RefusedRow(record.line, error.reason, error.column, record.raw))
            continue
        if verdict in seen:
            duplicates += 1
        else:
            seen.add(verdict)
            accepted.append(verdict)
    return VerdictFile(name, accepted, refused, duplicates)
