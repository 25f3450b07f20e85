"""The rehearsal for a terminal: a table for each way of working, a line for each week."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

SHARES = ("recall", "expected_precision", "found_precision")
COUNTS = ("bad_accounts", "caught", "upper_bound", "picked", "expected", "found", "not_picked", "audits")
LAST = ("not_picked_by_audits", "caught_by_audits")


def render(report: Mapping[str, Any]) -> Iterator["Table"]:
    from rich.table import Table

    for way, weeks in report["ways"].items():
        table = Table(title=way, title_justify="left")
        for name in ("week", *COUNTS, *LAST, *SHARES):
            table.add_column(name.replace("_", " "), justify="right")
        for week in weeks:
            cells = [_number(week[name], 0) for name in ("week", *COUNTS, *LAST)]
            table.add_row(*cells, *(_number(week[name], 2) for name in SHARES))
        yield table


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
