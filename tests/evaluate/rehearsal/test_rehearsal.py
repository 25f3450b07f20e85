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
    way = plan.Way("verdicts and audit rows", True, 0.2)
    monkeypatch.setattr(plan.Plan, "ways", [way])
    out = tmp_path / "rehearsed"
    home = Home(tmp_path / "unused")
    result = home.run_ok("rehearse", "--out", out, *OPTIONS)
    assert "verdicts and audit rows" in result.out and "week 1 of 1" in result.err
    [week] = json.loads((out / "rehearsal.json").read_text())["ways"][way.name]
    assert week["audits"] > 0 and week["not_picked_by_audits"] is not None
    assert (out / "rehearsal.svg").read_text().startswith("<svg")
    labels = [pq.ParquetFile(path).read() for path in out.glob("*/home/lake/labels/*.parquet")]
    assert any("verdict" in table["source"].to_pylist() for table in labels), "the first day's list was reviewed"
    assert home.run_ok("rehearse", "--out", out, *OPTIONS).out == result.out, "it is not rehearsed again"
    other = home.run("rehearse", "--out", out, *OPTIONS[:-1], 13)
    assert explains_failure(other, 2, "holds the rehearsal of another plan", "--out")
