"""The page: hostile names are shown and nothing else, the same bytes each time, and it is whole or not there."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from labelled_cases import labelled, market
from rich.console import Console

from pipeline.evaluate.contender_summary import EvaluationSet
from pipeline.evaluate.leaks.prices import Price
from pipeline.evaluate.list_changes import list_changes
from pipeline.evaluate.report import plots
from pipeline.evaluate.report.content import (
    CurvePoint,
    EvaluationReport,
    Extras,
    Interval,
    Placebo,
    Shuffle,
    TrainingGap,
)
from pipeline.evaluate.report.page import page
from pipeline.evaluate.report.table import render
from pipeline.evaluate.report.writing import write_report
from pipeline.evaluate.summary import Summary
from pipeline.metrics.bootstrap import Bootstrap

pytestmark = pytest.mark.slow

EVIL = '<script>alert("$\\frac{1}$")</script><img src=x onerror=alert(1)> --> ]]> {{ 7*7 }} \x1b[31m'
LEAK = dict(what=EVIL, honest_ap=0.5, faked_ap=0.8, gain_low=0.2, gain_high=0.4, honest_precision=0.2)


def summarise(cases, protocol="", reviews=10, pairs=(), repeats=3):
    return Summary(protocol, {}, pairs, bootstrap=Bootstrap(repeats)).report(EvaluationSet(cases, reviews))


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found, self.attributes, self.text = set(), set(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text.append(data)


def tags(html):
    return Tags(html)


@pytest.fixture(scope="module")
def report():
    cases = market(np.random.default_rng(1), accounts=300, skills=(2.5, 1.5))
    cases = replace(
        cases,
        scores={EVIL: cases.scores["a"], "_b": cases.scores["b"], f"baseline: {EVIL}": cases.scores["b"]},
        risks=(EVIL,),
        typology=np.where(cases.typology == "bots", EVIL, cases.typology),
    )
    cases.scores[EVIL] = 1 / (1 + np.exp(3 - cases.scores[EVIL]))
    extras = Extras(
        notes=[EVIL],
        learning_metric=EVIL,
        learning={EVIL: [CurvePoint(labels=20, value=0.1, low=0.05, high=0.2), CurvePoint(labels=50, value=0.3)]},
        gaps=[TrainingGap(contender=EVIL, train=0.9, future=0.5)],
        shuffles=[Shuffle(contender=EVIL, range=Interval(value=0.3, low=0.2, high=0.4), chance=0.05)],
        placebos=[
            Placebo(b="_b", metric="average_precision", columns=8, range=Interval(value=0.01, low=-0.02, high=0.03)),
            Placebo(b="_b", metric="recall", columns=8, range=Interval(value=0.0, low=-0.15, high=0.12)),
        ],
        leaks=[Price(name=EVIL, guard=EVIL, caught=False, faked_precision=0.3, **LEAK)],
    )
    changes = list_changes(cases, "_b", EVIL, 10, [EVIL] * 300)
    settings = {EVIL: EVIL, "nested": {EVIL: [EVIL]}}
    pairs, groups = [(EVIL, "_b")], {f"{EVIL} group": cases.is_bad}
    summary = Summary(EVIL, settings, pairs, changes, extras, Bootstrap(20))
    return summary.report(EvaluationSet(cases, 10, groups=groups))


def test_hostile_names_are_shown_and_never_run(report):
    seen = tags(page(report))
    assert not seen.found & {"script", "img", "a", "iframe", "object", "foreignobject", "link"}
    assert not {name for name in seen.attributes if name.startswith("on")}
    text = "".join(seen.text)
    assert "<script>alert" in text and "{{ 7*7 }}" in text and "\x1b" not in text


def test_nothing_is_fetched_from_elsewhere(report):
    html = page(report)
    assert set(re.findall(r'https?://[^"\s<)]+', html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "default-src 'none'" in html and "url(http" not in html and "@import" not in html


def test_the_same_report_is_the_same_page(report):
    assert page(report) == page(EvaluationReport.model_validate_json(report.model_dump_json()))


def test_everything_given_is_on_it(report):
    html = page(report)
    assert html.count("<svg") == 5
    for heading in ("Side by side", "By group", "few labels", "By typology", "Changes", "Overfitting", "leaks"):
        assert re.search(f"<h2>[^<]*{heading}", html), heading
    assert "look for a leak" in html and "not caught" in html


def test_placebos_stand_behind_what_they_compare_with_and_say_how_often_they_mislead(report):
    page_text = " ".join("".join(tags(page(report)).text).split())
    assert "the range of 8 placebos: noise columns beside _b" in page_text
    assert "average precision +0.010 −0.020 to +0.030, recall +0.000 −0.150 to +0.120." in page_text
    assert "in two of 9 cases" in page_text
    band = "fill: #e69f00; opacity: 0.25"
    assert plots.forest(report).count(band) == 2
    elsewhere = [placebo.model_copy(update={"b": "baseline: random"}) for placebo in report.placebos]
    assert band not in plots.forest(report.model_copy(update={"placebos": elsewhere}))


def test_pairs_told_by_another_metric_alone_are_drawn_and_listed():
    cases = market(np.random.default_rng(1), accounts=100, skills=(2.5, 1.5))
    found = summarise(cases, "areas", pairs=[("a", "b")], repeats=20)
    areas = [pair.model_copy(update={"metric": "roc_auc"}) for pair in found.pairs[:1]]
    report = found.model_copy(update={"pairs": areas, "pairs_by_group": []})
    assert "difference in area under ROC" in page(report)
    console = Console(width=200, record=True, file=io.StringIO(), color_system=None)
    for table in render(report):
        console.print(table)
    assert "a − b" in console.export_text()


def test_where_some_pairs_have_one_metric_alone_all_are_drawn_by_it():
    cases = market(np.random.default_rng(1), accounts=100, skills=(2.5, 1.5))
    report = summarise(cases, "few labels", pairs=[("a", "b")], repeats=20)
    assert report.pair_metrics == ["average_precision", "recall"]
    by_area = next(pair for pair in report.pairs if pair.metric == "roc_auc")
    few = by_area.model_copy(update={"a": "a (20 labels)", "b": "b (20 labels)"})
    assert report.model_copy(update={"pairs": [*report.pairs, few]}).pair_metrics == ["roc_auc"]


def test_a_contender_with_a_risk_is_drawn_even_if_many_rank_better():
    cases = market(np.random.default_rng(1), accounts=200, skills=(*[2.0] * 7, 0.0))
    cases.scores["h"] = 1 / (1 + np.exp(3 - cases.scores["h"]))
    report = summarise(replace(cases, risks=("h",)), "many")
    drawn = [each.name for each in plots.drawn_contenders(report) if each.kind == "contender"]
    ranked = [each.name for each in report.contenders if each.kind == "contender"]
    assert drawn == [*ranked[:5], "h"] and ranked[-1] == "h"
    assert ">h</text>" in plots.reliability(report)


def test_without_a_clock_no_delay_is_shown():
    cases = market(np.random.default_rng(1), accounts=100, skills=(2.5, 1.5))
    assert "How long abuse goes on" in page(summarise(cases, "clock"))
    no_clock = replace(cases, first_bad_at=np.full(len(cases.first_bad_at), np.nan))
    assert "How long abuse goes on" not in page(summarise(no_clock, "no clock"))


def test_what_is_not_given_leaves_no_empty_section():
    html = page(summarise(labelled([(1, 0, True), (2, 0, False)], us=[1, 0]), "small", reviews=1))
    assert html.count("<svg") == 2
    for heading in ("Side by side", "By group", "few labels", "Changes", "Overfitting", "leaks"):
        assert not re.search(f"<h2>[^<]*{heading}", html), heading


@pytest.mark.filterwarnings("error")
def test_what_is_not_known_is_a_dash_and_no_picture_breaks():
    cases = labelled([(1, 0, True), (2, 0, False)], us=[np.nan, np.nan], risks=["us"])
    cases = replace(cases, first_bad_at=np.full(2, np.nan))
    html = page(summarise(cases, "unknown", reviews=1, pairs=[("us", "baseline: random")]))
    assert "nan" not in "".join(tags(html).text).lower() and "–" in html and "None" not in html


def test_baselines_and_the_upper_bound_alone_are_a_page_too():
    html = page(summarise(labelled([(1, 0, True), (2, 0, False)]), "empty", reviews=1))
    assert "upper bound: oracle" in html


def test_a_report_is_written_whole_and_replaces_the_last(report, tmp_path):
    for _ in range(2):
        write_report(report, tmp_path / "reports")
    assert sorted(file.name for file in (tmp_path / "reports").iterdir()) == ["report.html", "report.json"]
    assert EvaluationReport.model_validate_json((tmp_path / "reports" / "report.json").read_text()) == report


def test_a_page_that_fails_leaves_the_last_report(report, tmp_path, monkeypatch):
    write_report(report, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setattr("pipeline.evaluate.report.writing.page", lambda report: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(report.model_copy(update={"protocol": "next"}), tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_terminal_shows_names_as_they_are(report):
    console = Console(width=400, record=True, file=io.StringIO(), color_system=None)
    for table in render(report):
        console.print(table)
    shown = console.export_text()
    assert '<script>alert("$\\frac{1}$")</script>' in shown and "\x1b" not in shown
    assert "Side by side" in shown and "NOT CAUGHT" in shown and "upper bound: oracle" in shown
    (placebos,) = [line for line in shown.splitlines() if "8 placebos − _b: mean, least to most" in line]
    assert "+0.010 (−0.020 to +0.030)" in placebos and "+0.000 (−0.150 to +0.120)" in placebos
