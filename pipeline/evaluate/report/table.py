"""The report on a terminal."""

from rich.table import Table
from rich.text import Text

from pipeline.evaluate.report.content import METRICS, EvaluationReport, Interval, Pair, Reliability
from pipeline.evaluate.report.page import interval, number, pair_rows, typologies
from pipeline.evaluate.report.plots import drawn_contenders
from pipeline.metrics.bootstrap import Metric
from pipeline.safe_text import one_line

STYLES = {"contender": "", "baseline": "dim", "upper_bound": "dim"}
VERDICTS = {"better": "bold green", "worse": "red", "no different": "dim", "not known": "dim"}


def render(report: EvaluationReport) -> list[Table]:
    """Tables of contenders with their bounds, pairs, typologies, and prices of leaks."""
    tables = [_contenders(report), _typologies(report)]
    if report.pairs:
        tables.insert(1, _pairs(report))
    if report.leaks:
        tables.append(_leaks(report))
    return tables


def _contenders(report: EvaluationReport) -> Table:
    data = report.data
    title = f"{report.protocol}: {data.bad_accounts:,} bad accounts, {report.reviews} reviews a day, {data.days} days"
    headings = ("average precision", "precision", "recall", "caught", "within 72 h", "calibration", "worst typology")
    table = _table(title, "contender", *headings)
    for each in report.contenders:
        table.add_row(
            _text(each.name),
            _brief(each.average_precision),
            _brief(each.precision),
            number(each.recall.value),
            f"{each.caught:,}",
            number(each.delay.within_72_hours, 2),
            _calibration(each.reliability) if each.reliability else "",
            _text(each.worst_typology or "") if each.kind == "contender" else "",
            style=STYLES[each.kind],
        )
    return table


def _calibration(reliability: Reliability) -> str:
    low, high = number(reliability.by_chance.low, 4), number(reliability.by_chance.high, 4)
    return f"{number(reliability.calibration_error, 4)} (by chance {low} to {high})"


def _brief(estimate: Interval) -> str:
    """Fits a narrow terminal."""
    return interval(estimate).replace(" (", " [").replace(" to ", ", ").replace(")", "]")


def _pairs(report: EvaluationReport) -> Table:
    metrics: list[Metric] = report.pair_metrics
    groups = [group.name for group in report.contenders[0].groups]
    headings = [*(METRICS[name] for name in metrics), *(f"recall of {name}" for name in groups)]
    table = _table("Side by side: difference with 95 % interval", "contender", *headings)
    by_group = {(a, b): found for a, b, found in pair_rows(report.pairs_by_group)}
    for a, b, found in pair_rows(report.pairs):
        pairs = [*(found.get(name) for name in metrics), *(by_group.get((a, b), {}).get(name) for name in groups)]
        table.add_row(_text(f"{a} − {b}"), *(_verdict(pair) for pair in pairs))
    if report.placebos:
        by_chance = {placebo.metric: interval(placebo.range, True) for placebo in report.placebos}
        cells = [Text(by_chance.get(name, "")) for name in metrics]
        name = f"{report.placebos[0].columns} placebos − {report.placebos[0].b}: mean, least to most"
        table.add_row(_text(name), *cells, style="dim")
    return table


def _verdict(pair: Pair | None) -> Text:
    """Empty if the pair was not compared by this metric."""
    return Text(f"{interval(pair.difference, True)} {pair.verdict}", VERDICTS[pair.verdict]) if pair else Text()


def _typologies(report: EvaluationReport) -> Table:
    drawn = drawn_contenders(report)
    table = _table("Recall by typology", "typology", "accounts", *(each.name for each in drawn))
    for group, found in typologies(report):
        cells = (
            Text(
                number(found[each.name].recall, 2),
                "bold red" if _is_worst(each.kind, each.worst_typology, group.name) else "",
            )
            for each in drawn
        )
        table.add_row(_text(group.name), f"{group.accounts:,}", *cells)
    return table


def _is_worst(kind: str, worst: str | None, name: str) -> bool:
    return kind == "contender" and worst == name


def _leaks(report: EvaluationReport) -> Table:
    table = _table("Prices of leaks", "leak", "honest AP", "faked AP", "gain, 95 %", "guard")
    for leak in report.leaks:
        gain = f"{number(leak.gain_low, signed=True)} to {number(leak.gain_high, signed=True)}"
        caught = _text(f"{leak.guard}: {'caught' if leak.caught else 'NOT CAUGHT'}")
        table.add_row(_text(leak.name), number(leak.honest_ap), number(leak.faked_ap), gain, caught)
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=_text(title), title_justify="left")
    table.add_column(_text(first), overflow="fold")
    for name in others:
        table.add_column(_text(name), justify="right", overflow="fold")
    return table


def _text(words: str) -> Text:
    """Shown literally: no markup, no terminal codes."""
    return Text(one_line(words))
