"""The rehearsal as one picture: six panels, and a colour for each way of working."""

from collections.abc import Mapping
from typing import Any

from pipeline.evaluate.report.figures import COLOURS, figure_of, svg_of

WEEKLY = (  # what the panel shows, and what it shows dashed
    ("recall", None, "Bad accounts of the week caught by its end, share"),
    ("found_precision", "expected_precision", "Bad among the listed (dashed: expected)"),
    ("caught_by_audits", "lost_to_audits", "Bad accounts that only audit rows caught (dashed: price)"),
)
IN_ALL = (
    ("expected_to_found", "Expected to found in all, with 90 % intervals"),
    ("not_picked_by_audits", "Bad user-days not picked, by audit rows (x: true)"),
)
MARKERS = ("o", "s", "^", "D")  # lines may lie on each other
CLOSE_ENOUGH = (0.8, 1.2)  # of expected to found

Ways = list[tuple[dict[str, Any], str, str]]  # result, colour, marker


def picture(report: Mapping[str, Any]) -> str:
    """SVG. The same report gives the same bytes."""
    ways = list(zip(report["ways"].values(), COLOURS, MARKERS, strict=False))
    with figure_of("rehearsal", 10.5, 9.6, columns=2, rows=3) as (figure, axes):
        for panel, (name, dashed, title) in zip((axes[0][0], axes[0][1], axes[1][1]), WEEKLY, strict=True):
            _lines(panel, ways, name, dashed)
            panel.set_title(title)
        for panel, (name, title) in zip((axes[1][0], axes[2][0]), IN_ALL, strict=True):
            _intervals(panel, ways, name)
            panel.set_title(title)
        axes[1][0].axvspan(*CLOSE_ENOUGH, color="black", alpha=0.08, lw=0)
        _reported(axes[2][1], ways)
        figure.legend(axes[0][0].lines, list(report["ways"]), loc="outside lower center", ncols=2)
        return svg_of(figure)


def _lines(panel: Any, ways: Ways, name: str, dashed: str | None) -> None:
    for result, colour, marker in ways:
        weeks = result["weeks"]
        numbers = [week["week"] for week in weeks]
        panel.plot(numbers, _values(weeks, name), color=colour, marker=marker, ms=5, mfc="none")
        if dashed:
            panel.plot(numbers, _values(weeks, dashed), color=colour, ls="--", lw=1)
        panel.set_xticks(numbers)
    panel.set_xlabel("week")
    panel.set_ylim(bottom=0)


def _values(weeks: list[dict[str, Any]], name: str) -> list[float]:
    return [float("nan") if week[name] is None else week[name] for week in weeks]


def _intervals(panel: Any, ways: Ways, name: str) -> None:
    """One line per way, the first at the top. Without an upper limit it runs out of the panel."""
    found = [(place, way) for place, way in enumerate(ways) if way[0]["total"][name]]
    values = [way[0]["total"][name] for _, way in found]
    limits = [value["high"] or value["value"] or value["low"] for value in values]
    most = 1.15 * max([*limits, 1.3])
    for (place, (result, colour, marker)), value in zip(found, values, strict=True):
        high = most if value["high"] is None else value["high"]
        panel.plot([value["low"], high], [place, place], color=colour, lw=1.5)
        if value["value"] is not None:
            panel.plot([value["value"]], [place], color=colour, marker=marker, ms=6, clip_on=False)
        if name == "not_picked_by_audits":
            panel.plot([result["total"]["not_picked"]], [place], color="black", marker="x", ms=6, ls="")
    panel.set_xlim(0, most)
    panel.set_ylim(len(ways) - 0.5, -0.5)
    panel.set_yticks([])


def _reported(panel: Any, ways: Ways) -> None:
    for result, colour, marker in ways:
        weeks = [week for week in result["weeks"] if week["reported"]]
        numbers, shares = [week["week"] for week in weeks], [week["reported"] for week in weeks]
        panel.plot(numbers, _values(shares, "share"), color=colour, marker=marker, ms=5, mfc="none")
        panel.fill_between(numbers, _values(shares, "low"), _values(shares, "high"), color=colour, alpha=0.12, lw=0)
        panel.plot(numbers, _values(shares, "true"), color=colour, ls="--", lw=1)
        panel.set_xticks(numbers)
    panel.set_title("Share ever reported, with 90 % interval (dashed: true)")
    panel.set_xlabel("week")
    panel.set_ylim(0, 1)
