"""The report as one page: no script, nothing fetched, names shown as they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.cells import one_line
from pipeline.evaluate import page_plots as plots
from pipeline.evaluate.report import METRICS, Group, Interval, ListChanges, Move, Number, Pair, Report

TEMPLATES = Path(__file__).parent / "templates"
UNKNOWN = "–"


def page(report: Report) -> str:
    """Self-contained HTML, the same bytes for the same report."""
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
    """Names without line breaks, terminal codes and marks that reorder text; markup of ours as it is."""
    return value if isinstance(value, Markup) else one_line(str(value))


def _pictures(report: Report) -> dict[str, str]:
    """Markup of our own: what is written in it is escaped where it is drawn."""
    found = {"budgets": plots.budgets(report)}
    if any(each.delay.cases for each in report.contenders):
        found["delays"] = plots.delays(report)
    if any(each.reliability for each in report.contenders):
        found["reliability"] = plots.reliability(report)
    if report.pairs:
        found["forest"] = plots.forest(report)
    if report.learning:
        found["learning"] = plots.learning(report)
    return found


def typologies(report: Report) -> list[tuple[Group, dict[str, Group]]]:
    """Each kind of abuse with what each contender finds of it; the one hardest for the best contender first.

    Then the groups that the protocol tells apart.
    """
    by_name = {
        each.name: {group.name: group for group in (*each.groups, *each.typologies)} for each in report.contenders
    }
    best = next((each for each in report.contenders if each.kind == "contender"), report.contenders[0])
    ordered = sorted(
        best.typologies, key=lambda group: (group.recall or 0.0, group.average_precision or 0.0, group.name)
    )
    return [(kind, {name: of[kind.name] for name, of in by_name.items()}) for kind in (*ordered, *best.groups)]


def groups(report: Report) -> dict[str, int]:
    """The groups a protocol tells apart and the typologies, with how many bad accounts each has."""
    anyone = report.contenders[0]
    return {group.name: group.accounts for group in (*anyone.groups, *anyone.typologies)}


def pair_rows(pairs: Sequence[Pair]) -> list[tuple[str, str, dict[str, Pair]]]:
    """The pairs, each with its metrics, or with its groups of accounts."""
    rows: dict[tuple[str, str], dict[str, Pair]] = {}
    for pair in pairs:
        rows.setdefault((pair.a, pair.b), {})[pair.metric if pair.among is None else pair.among] = pair
    return [(a, b, found) for (a, b), found in rows.items()]


def number(value: Number, digits: int = 3, signed: bool = False) -> str:
    if value is None:
        return UNKNOWN
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("-", "−")


def interval(found: Interval, signed: bool = False) -> str:
    """`.750 (.731 to .768)`, without the interval where there is none."""
    if found.low is None or found.high is None:
        return number(found.value, signed=signed)
    low, high = number(found.low, signed=signed), number(found.high, signed=signed)
    return f"{number(found.value, signed=signed)} ({low} to {high})"


def move(found: Move) -> str:
    return f"{found.user} ({found.rank_before:,} → {found.rank_after:,}{', bad' if found.is_bad else ''})"


def total(changes: ListChanges, name: str) -> int:
    return sum(getattr(day, name) for day in changes.days)
