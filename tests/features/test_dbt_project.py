"""The dbt project itself: its unit tests, its data tests on a small lake, and that every model says what it holds."""

import json
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
import random_lake

from pipeline import features
from pipeline.context import Run
from pipeline.settings import Settings
from pipeline.warehouse import DBT_PROJECT, dbt_build

pytestmark = pytest.mark.slow

MODELS = sorted(DBT_PROJECT.glob("models/**/*.sql"))

# DuckDB's own words, or words that mean something else elsewhere: they belong into macros/engine.sql.
ENGINE_WORDS = (
    *(r"\bepoch\w*\(", r"\blist\w*\(", r"\bexclude\b", r"::", r"\bhash\(", r"\bstrftime\(", r"\bstrptime\("),
    *(r"\basof\b", r"\bquantile\w*\(", r"\bmad\(", r"\bread_\w+\(", r"\bunnest\(", r"\bcolumns\(", r"\bisodow\("),
    *(r"\bdayofweek\(", r"\btimezone\(", r"\bdate_diff\(", r"\bstruct_\w+\(", r"\barg_m\w+\(", r"//", r"\[\d"),
)


@pytest.fixture(scope="module")
def dbt(tmp_path_factory):
    """Runs dbt on a database file of its own and returns what became of each node; its manifest is in `target`."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    folder = tmp_path_factory.mktemp("dbt")
    before = dict(os.environ)
    os.environ.update(DAWNLIST_WAREHOUSE=str(folder / "unit.duckdb"), DAWNLIST_SPILL=str(folder / "spill"))
    options = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--log-level", "none", "--quiet"]

    def run(*arguments):
        result = dbtRunner().invoke([*arguments, *options, "--target-path", str(folder), "--log-path", str(folder)])
        assert result.exception is None, result.exception
        return {node.node.name: (str(node.status), node.message) for node in getattr(result.result, "results", [])}

    run.manifest = folder / "manifest.json"
    yield run
    DuckDBConnectionManager.close_all_connections()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def manifest(dbt):
    dbt("parse", "--vars", json.dumps({"thorough": True}))
    return json.loads(dbt.manifest.read_text())


def test_every_unit_test_passes(dbt):
    dbt("run", "--empty")
    found = dbt("test", "--select", "test_type:unit")
    assert len(found) >= 15
    failed = [f"{name}: {message}" for name, (status, message) in found.items() if status != "pass"]
    assert not failed, "\n".join(failed)


def test_every_data_test_passes_on_an_awkward_lake(tmp_path, monkeypatch):
    lake = random_lake.draw(seed=6, domain=random_lake.shop())
    lake.write(tmp_path)
    monkeypatch.setattr(features, "dbt_build", lambda settings, given: dbt_build(settings, given | {"thorough": True}))
    first = random_lake.LAST - timedelta(days=9)
    features.run(Run(Settings(home=tmp_path), lake.domain, random_lake.LAST, random_lake.AS_OF), first)
    results = json.loads((tmp_path / "dbt" / "run_results.json").read_text())["results"]
    tested = [result for result in results if result["unique_id"].startswith("test.")]
    assert len(tested) > 65
    assert {result["status"] for result in tested} == {"pass"}


def test_the_daily_build_tests_marts_only(dbt):
    dbt("parse")
    nodes = json.loads(dbt.manifest.read_text())["nodes"].values()
    tested = {name for node in nodes if node["resource_type"] == "test" for name in node["depends_on"]["nodes"]}
    assert tested == {"model.dawnlist.fct_user_days", "model.dawnlist.fct_event_tokens", "model.dawnlist.int_events"}


def test_every_model_is_described_and_says_its_grain(manifest):
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert {node["name"] for node in models} == {path.stem for path in MODELS}
    silent = [node["name"] for node in models if "One row per" not in node["description"]]
    assert silent == []
    undescribed = [
        f"{node['name']}.{column['name']}"
        for node in models
        for column in node["columns"].values()
        if not column["description"]
    ]
    assert undescribed == []


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_begins_with_its_grain(path: Path):
    assert re.match(r"-- One row per ", path.read_text())


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_what_only_duckdb_understands_is_in_a_macro(path: Path):
    sql = re.sub(r"--.*", "", path.read_text())
    assert [word for word in ENGINE_WORDS if re.search(word, sql, re.IGNORECASE)] == []


def test_macros_other_than_the_engines_are_portable_too():
    for path in sorted(DBT_PROJECT.glob("macros/*.sql")):
        sql = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", path.read_text(), flags=re.DOTALL)
        own = [word for word in ENGINE_WORDS if re.search(word, sql, re.IGNORECASE)]
        assert bool(own) == (path.name == "engine.sql"), f"{path.name}: {own}"


def test_macros_get_their_relations_passed():
    for path in sorted(DBT_PROJECT.glob("macros/*.sql")):
        text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)
        sql = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
        assert re.findall(r"\b[a-z]\w*\.[a-z]\w*", sql) == [], f"{path.name}: a macro must not assume an alias"
        assert not re.search(r"\bthis\b", text), f"{path.name}: pass the model's own relation"


def test_only_engine_sql_reads_files(manifest):
    readers = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and "macro.dawnlist.parquet_rows" in node["depends_on"]["macros"]
    }
    assert readers == {"stg_events", "stg_labels", "int_first_seen"}
