"""The rehearsal as one picture: four panels, a line for each way of working."""

from collections.abc import Mapping
from typing import Any

from pipeline.evaluate.report.figures import COLOURS, figure_of, svg_of

PANELS = (
    ("recall", "Bad accounts of the week caught by its end, share"),
    ("found_precision", "Bad among the listed (dashed: expected)"),
    ("caught_by_audits", "Bad accounts that only audit rows caught"),
    ("not_picked_by_audits", "Bad user-days not picked, by audit rows (dashed: true)"),
)
MARKERS = ("o", "s", "^")  # lines may lie on each other
DASHED = {"found_precision": "expected_precision", "not_picked_by_audits": "not_picked"}


def picture(report: Mapping[str, Any]) -> str:
    """SVG. The same report gives the same bytes."""
    with figure_of("rehearsal", 10.5, 6.4, columns=2, rows=2) as (figure, axes):
        for place, (name, title) in enumerate(PANELS):
            panel = axes[place // 2][place % 2]
            for (way, weeks), colour, marker in zip(report["ways"].items(), COLOURS, MARKERS, strict=False):
                numbers = [week["week"] for week in weeks]
                panel.plot(numbers, _values(weeks, name), color=colour, marker=marker, ms=5, mfc="none", label=way)
                panel.set_xticks(numbers)
                if other := DASHED.get(name):
                    panel.plot(numbers, _values(weeks, other), color=colour, ls="--", lw=1)
            panel.set_title(title)
            panel.set_xlabel("week")
            panel.set_ylim(bottom=0)
        axes[0][0].legend(loc="lower left")
        return svg_of(figure)


def _values(weeks: list[dict[str, Any]], name: str) -> list[float]:
    return [float("nan") if week[name] is None else week[name] for week in weeks]
