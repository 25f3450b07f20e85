"""The rehearsal for a terminal: the ways of working side by side, then the weeks of each."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

WEEKLY = {  # headers are broken at their blanks, so that a table is narrow
    "week": "week",
    "bad_accounts": "bad accounts",
    "upper_bound": "upper bound",
    "caught": "caught",
    "picked": "rows picked",
    "expected": "bad, expected",
    "found": "bad, found",
    "audits": "audit rows",
    "caught_by_audits": "only they caught",
    "lost_to_audits": "lost to them",
    "not_picked": "bad not picked",
    "reported": "share reported (true)",
}
IN_ALL = (
    "caught",
    "expected to found",
    "not picked, by audits",
    "not picked",
    "only audits caught",
    "lost to audits",
    "share covered",
)


def render(report: Mapping[str, Any]) -> Iterator["Table"]:
    from rich.table import Table

    together = Table("way of working", title="All weeks, with 90 % intervals", title_justify="left")
    for header in IN_ALL:
        together.add_column(_broken(header), justify="right")
    for way, result in report["ways"].items():
        together.add_row(way, *_in_all(result))
    yield together
    for way, result in report["ways"].items():
        table = Table(title=_title(way, result), title_justify="left")
        for header in WEEKLY.values():
            table.add_column(_broken(header), justify="right")
        for week in result["weeks"]:
            numbers = (_number(week[name]) for name in WEEKLY if name != "reported")
            table.add_row(*numbers, _reported(week["reported"]))
        yield table


def _broken(header: str) -> str:
    return header.replace(" ", "\n")


def _title(way: str, result: Mapping[str, Any]) -> str:
    return f"{way}: another shop, compare shares only" if result["crews_read_lists"] else way


def _in_all(result: Mapping[str, Any]) -> list[str]:
    total, share = result["total"], result["reported_share"]
    return [
        f"{total['caught']} of {total['bad_accounts']}",
        _estimate(total["expected_to_found"], 2),
        _estimate(total["not_picked_by_audits"], 0),
        _number(total["not_picked"]),
        _number(total["caught_by_audits"]),
        _number(total["lost_to_audits"]),
        f"{share['covered']} of {share['intervals']}" if share["intervals"] else "–",
    ]


def _reported(estimate: Mapping[str, Any] | None) -> str:
    """As estimated, and in truth."""
    if estimate is None:
        return "–"
    return f"{_number(estimate['share'], 2)} ({_number(estimate['true'], 2)})"


def _estimate(estimate: Mapping[str, Any] | None, digits: int) -> str:
    if estimate is None:
        return "–"
    return (
        f"{_number(estimate['value'], digits)} ({estimate['low']:,.{digits}f} to {_number(estimate['high'], digits)})"
    )


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
