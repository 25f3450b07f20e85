"""The report's pictures as SVG. The same report gives the same bytes, and names are never read as formulas."""

from typing import TYPE_CHECKING, Any

from pipeline.evaluate.report.content import METRICS, Contender, EvaluationReport, Number, Pair, Placebo
from pipeline.evaluate.report.figures import COLOURS, figure_of, svg_of
from pipeline.metrics.baselines import RANDOM
from pipeline.safe_text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VERDICTS = {"better": "#0072b2", "worse": "#d55e00", "no different": "#888888", "not known": "#888888"}
DRAWN = len(COLOURS)  # contenders in a picture; tables show all
LONGEST = 34  # characters of a name in a picture


def drawn_contenders(report: EvaluationReport) -> list[Contender]:
    """Upper bounds, contenders with a risk, then those with the highest average precision, and two baselines."""
    kinds = ("upper_bound", "contender", "baseline")
    of = {kind: [each for each in report.contenders if each.kind == kind] for kind in kinds}
    chosen = sorted(of["contender"], key=lambda each: each.reliability is None)[:DRAWN]
    best_first = [each for each in of["contender"] if each in chosen]
    random = [each for each in of["baseline"] if each.name == RANDOM]
    best_baseline = [each for each in of["baseline"] if each.name != RANDOM][:1]
    return [*of["upper_bound"], *best_first, *best_baseline, *random]


def budgets(report: EvaluationReport) -> str:
    """Precision and recall against reviews a day."""
    with figure_of("budgets", 9.6, 3.5, columns=2) as (figure, (left, right)):
        for contender, style in _styled(report):
            reviews = [point.reviews for point in contender.budgets]
            for axes, values in (
                (left, [point.precision for point in contender.budgets]),
                (right, [point.recall for point in contender.budgets]),
            ):
                axes.plot(reviews, _gaps(values), label=_short(contender.name), **style)
        for axes, title in ((left, "Precision: caught accounts per review"), (right, "Recall: bad accounts caught")):
            axes.axvline(report.reviews, color="#999999", lw=0.8, ls=":")
            axes.set(title=title, xlabel="reviews a day", xscale="log", ylim=(0, None))
            _plain_ticks(axes, [point.reviews for point in report.contenders[0].budgets])
        _legend(right)
        return svg_of(figure)


def delays(report: EvaluationReport) -> str:
    """Share of the accounts detected, against time since their first bad event."""
    with figure_of("delays", 7.6, 3.4) as (figure, (axes,)):
        end = max([24.0, *(hour for each in report.contenders for hour in each.delay.hours)])
        for contender, style in _styled(report):
            delay = contender.delay
            detected = [0.0, *(1 - share for share in delay.undetected)]
            axes.step(
                [0.0, *(hour / 24 for hour in delay.hours), end / 24],
                [*detected, detected[-1]],
                where="post",
                label=_short(contender.name),
                **style,
            )
        axes.set(title="Bad accounts detected", xlabel="days since the first bad event", ylim=(0, 1.02), xlim=(0, None))
        _legend(axes)
        return svg_of(figure)


def reliability(report: EvaluationReport) -> str:
    """Share of bad user-days against mean risk. Axes are square roots, since most risks are small."""
    with_risk = [(each, style) for each, style in _styled(report) if each.reliability]
    with figure_of("reliability", 6.2, 3.9) as (figure, (axes,)):
        top = 0.01
        for contender, style in with_risk:
            bins = contender.reliability.bins if contender.reliability else []
            top = max([top, *(max(each.mean_risk, each.bad_share) for each in bins)])
            risk, bad = [each.mean_risk for each in bins], [each.bad_share for each in bins]
            axes.plot(risk, bad, marker="o", ms=3.5, label=_short(contender.name), **style)
        top = min(1.0, top * 1.1)
        axes.plot([0, top], [0, top], color="#333333", lw=0.8, ls=":", label="calibrated")
        ticks = [
            tick for tick in (0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1) if top / 200 <= tick <= top or not tick
        ]
        for name in ("x", "y"):
            getattr(axes, f"set_{name}scale")("function", functions=(_root, _square))
            getattr(axes, f"set_{name}lim")(0, top)
            getattr(axes, f"set_{name}ticks")(ticks, [f"{tick:g}" for tick in ticks])
        axes.set(title="Bins of equally many user-days", xlabel="mean risk", ylabel="share that is bad")
        _legend(axes)
        return svg_of(figure)


def learning(report: EvaluationReport) -> str:
    """What each contender reaches with few labels."""
    with figure_of("learning", 7.6, 3.4) as (figure, (axes,)):
        places = sorted({point.labels for points in report.learning.values() for point in points})
        for i, (name, points) in enumerate(report.learning.items()):
            known = sorted((point for point in points if point.value is not None), key=lambda point: point.labels)
            value = [point.value or 0.0 for point in known]
            low = [
                at - (at if point.low is None else min(point.low, at)) for at, point in zip(value, known, strict=True)
            ]
            high = [
                (at if point.high is None else max(point.high, at)) - at for at, point in zip(value, known, strict=True)
            ]
            shift = 0.06 * (i - (len(report.learning) - 1) / 2)  # so that intervals do not hide each other
            x = [places.index(point.labels) + shift for point in known]
            colour = COLOURS[i % DRAWN]
            dash = "-" if i < DRAWN else "--"
            axes.errorbar(
                x, value, (low, high), label=_short(name), color=colour, ls=dash, marker="o", ms=3.5, capsize=2
            )
        axes.set_xticks(range(len(places)), [f"{labels:,}" for labels in places])
        metric, unit = _short(report.learning_metric), _short(report.learning_unit)
        axes.set(title=metric[:1].upper() + metric[1:], xlabel=unit)
        _legend(axes)
        return svg_of(figure)


def forest(report: EvaluationReport) -> str:
    """Differences of pairs with their intervals, one panel per metric. The band is the range of placebos."""
    rows, metrics = list(dict.fromkeys((pair.a, pair.b) for pair in report.pairs)), report.pair_metrics
    with figure_of("forest", 9.6, 1.0 + 0.3 * len(rows), columns=len(metrics)) as (figure, panels):
        for axes, metric in zip(panels, metrics, strict=True):
            for pair in report.pairs:
                if pair.metric == metric:
                    _whisker(axes, rows.index((pair.a, pair.b)), pair)
            for placebo in report.placebos:
                if placebo.metric == metric:
                    _band(axes, placebo, [row for row, (_, b) in enumerate(rows) if b == placebo.b])
            axes.axvline(0, color="#333333", lw=0.8)
            axes.set(title=f"difference in {METRICS[metric]}", ylim=(len(rows) - 0.5, -0.5))
            axes.set_yticks([])
            axes.locator_params(axis="x", nbins=4)
        panels[0].set_yticks(range(len(rows)), [f"{_short(a)} − {_short(b)}" for a, b in rows])
        return svg_of(figure)


def _whisker(axes: "Axes", row: int, pair: Pair) -> None:
    value, low, high = pair.difference.value, pair.difference.low, pair.difference.high
    if value is None or low is None or high is None:
        return
    axes.plot([low, high], [row, row], color=VERDICTS[pair.verdict], lw=1.6)
    axes.plot([value], [row], color=VERDICTS[pair.verdict], marker="o", ms=5)


def _band(axes: "Axes", placebo: Placebo, rows: list[int]) -> None:
    """Only behind the pairs that placebos compare with."""
    low, high = placebo.range.low, placebo.range.high
    if low is not None and high is not None:
        axes.barh(rows, high - low, left=low, height=1.0, color="#e69f00", alpha=0.25, lw=0)


def _styled(report: EvaluationReport) -> list[tuple[Contender, dict[str, Any]]]:
    colours = iter(COLOURS)
    dashes = iter(("--", ":"))
    styled: list[tuple[Contender, dict[str, Any]]] = []
    for contender in drawn_contenders(report):
        if contender.kind == "upper_bound":
            style = {"color": "#222222", "ls": "-.", "lw": 1.0}
        elif contender.kind == "baseline":
            style = {"color": "#888888", "ls": next(dashes), "lw": 1.2}
        else:
            style = {"color": next(colours), "lw": 1.6}
        styled.append((contender, style))
    return styled


def _legend(axes: "Axes") -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def _plain_ticks(axes: "Axes", ticks: list[int]) -> None:
    shown = [tick for i, tick in enumerate(ticks) if i == len(ticks) - 1 or i % 2 == 0]
    axes.set_xticks(shown, [f"{tick:,}" for tick in shown])
    axes.minorticks_off()


def _gaps(values: list[Number]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _short(name: str) -> str:
    """On one line. A leading underscore would hide the name from legends."""
    line = one_line(name).strip()
    line = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
    return f" {line}" if line.startswith("_") else line


def _root(values: Any) -> Any:
    return abs(values) ** 0.5


def _square(values: Any) -> Any:
    return values**2
