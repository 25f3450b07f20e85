"""The report as one HTML page: no script, nothing fetched, names escaped."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.evaluate.report import plots
from pipeline.evaluate.report.content import (
    METRICS,
    EvaluationReport,
    Group,
    Interval,
    ListChanges,
    Move,
    Number,
    Pair,
)
from pipeline.safe_text import one_line

TEMPLATES = Path(__file__).parent / "templates"
UNKNOWN = "–"


def page(report: EvaluationReport) -> str:
    """Self-contained HTML. The same report gives the same bytes."""
    contenders = [each for each in report.contenders if each.kind == "contender"]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            best=contenders[0] if contenders else None,
            pictures={name: Markup(svg) for name, svg in _pictures(report).items()},
            drawn=plots.drawn_contenders(report),
            left_out=max(0, len(contenders) - plots.DRAWN),
            typologies=typologies(report),
            pairs=pair_rows(report.pairs),
            pairs_by_group=pair_rows(report.pairs_by_group),
            groups=groups(report),
            metrics=METRICS,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": number,
        "signed": lambda value: number(value, signed=True),
        "hours": lambda value: UNKNOWN if value is None else f"{value:.0f} h",
        "percent": lambda value: UNKNOWN if value is None else f"{100 * value:.2f} %",
        "move": move,
    }
    environment.globals["total"] = total
    return environment


def _shown(value: Any) -> Any:
    """Names lose line breaks, terminal codes and marks that reorder text. Our own markup stays."""
    return value if isinstance(value, Markup) else one_line(str(value))


def _pictures(report: EvaluationReport) -> dict[str, str]:
    """Our own markup: names in it are escaped by the plots."""
    pictures = {"budgets": plots.budgets(report)}
    if any(each.delay.cases for each in report.contenders):
        pictures["delays"] = plots.delays(report)
    if any(each.reliability for each in report.contenders):
        pictures["reliability"] = plots.reliability(report)
    if report.pairs:
        pictures["forest"] = plots.forest(report)
    if report.learning:
        pictures["learning"] = plots.learning(report)
    return pictures


def typologies(report: EvaluationReport) -> list[tuple[Group, dict[str, Group]]]:
    """Each typology with what each contender catches of it, the hardest for the best contender first.

    Then the groups of the protocol.
    """
    by_name = {
        each.name: {group.name: group for group in (*each.groups, *each.typologies)} for each in report.contenders
    }
    best = next((each for each in report.contenders if each.kind == "contender"), report.contenders[0])
    ordered = sorted(
        best.typologies, key=lambda group: (group.recall or 0.0, group.average_precision or 0.0, group.name)
    )
    return [(group, {name: of[group.name] for name, of in by_name.items()}) for group in (*ordered, *best.groups)]


def groups(report: EvaluationReport) -> dict[str, int]:
    """Groups of the protocol and typologies, with their number of bad accounts."""
    first = report.contenders[0]
    return {group.name: group.accounts for group in (*first.groups, *first.typologies)}


def pair_rows(pairs: Sequence[Pair]) -> list[tuple[str, str, dict[str, Pair]]]:
    """Each pair once, with its differences by metric, or by group of accounts."""
    rows: dict[tuple[str, str], dict[str, Pair]] = {}
    for pair in pairs:
        rows.setdefault((pair.a, pair.b), {})[pair.metric if pair.among is None else pair.among] = pair
    return [(a, b, found) for (a, b), found in rows.items()]


def number(value: Number, digits: int = 3, signed: bool = False) -> str:
    if value is None:
        return UNKNOWN
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("-", "−")


def interval(estimate: Interval, signed: bool = False) -> str:
    """`.750 (.731 to .768)`, or the value alone if there is no interval."""
    if estimate.low is None or estimate.high is None:
        return number(estimate.value, signed=signed)
    low, high = number(estimate.low, signed=signed), number(estimate.high, signed=signed)
    return f"{number(estimate.value, signed=signed)} ({low} to {high})"


def move(account: Move) -> str:
    return f"{account.user} ({account.rank_before:,} → {account.rank_after:,}{', bad' if account.is_bad else ''})"


def total(changes: ListChanges, name: str) -> int:
    return sum(getattr(day, name) for day in changes.days)
