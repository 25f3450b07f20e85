"""A short rehearsal of the whole product, from the command line."""

import json

import pyarrow.parquet as pq
import pytest
from command import Home, explains_failure

from pipeline.evaluate import rehearsal
from pipeline.evaluate.rehearsal import plan

pytestmark = pytest.mark.slow
OPTIONS = ("--weeks", 1, "--delay", 0, "--warm-up", 28, "--users", 300, "--bad-share", "0.03", "--capacity", 12)


def test_a_rehearsal_reports_each_way_of_working_and_teaches_the_product_its_verdicts(tmp_path, monkeypatch):
    for module in (plan, rehearsal, rehearsal.measures):
        monkeypatch.setattr(module, "WEEK", 2)  # days
    ways = [
        plan.Way("verdicts and audit rows", True, 0.05),
        plan.Way("crews read the lists", True, 0.05, crews_read_lists=True),
    ]
    monkeypatch.setattr(plan.Plan, "ways", ways)
    out = tmp_path / "rehearsed"
    home = Home(tmp_path / "unused")
    result = home.run_ok("rehearse", "--out", out, *OPTIONS)
    assert all(way.name in result.out for way in ways) and "week 1 of 1" in result.err
    report = json.loads((out / "rehearsal.json").read_text())["ways"]
    for way in ways:
        [week] = report[way.name]["weeks"]
        assert week["audits"] > 0 and week["not_picked_by_audits"] is not None
        assert {**week, **report[way.name]["total"]} == week, "one week is all weeks"
    assert (out / "rehearsal.svg").read_text().startswith("<svg")
    bundles = {path.name for path in out.glob("*/home/models/*") if (path / "bundle.json").is_file()}
    assert len(bundles) == 1, "the first training is that of the history"
    labels = [pq.ParquetFile(path).read() for path in out.glob("*/home/lake/labels/*.parquet")]
    assert any("verdict" in table["source"].to_pylist() for table in labels), "the first day's list was reviewed"
    assert home.run_ok("rehearse", "--out", out, *OPTIONS).out == result.out, "it is not rehearsed again"
    other = home.run("rehearse", "--out", out, *OPTIONS[:-1], 13)
    assert explains_failure(other, 2, "holds the rehearsal of another plan", "--out")
