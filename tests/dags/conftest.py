"""Airflow in a throw-away home. The environment is set before anything imports Airflow."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
HOME = Path(tempfile.mkdtemp(prefix="dawnlist-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
sys.path[:0] = [str(PROJECT / "scripts"), str(PROJECT / "dags")]

import laptop  # noqa: E402

os.environ.update(
    {name: value for name, value in laptop.environment(port=9, home=HOME).items() if name.startswith("AIRFLOW")}
)

import pytest  # noqa: E402


@pytest.fixture(scope="session")
def airflow_db():
    """Airflow's database, made once; tests in this folder that run a DAG share it."""
    laptop.prepare(os.environ)


@pytest.fixture(scope="session")
def dags(airflow_db):
    """Our DAGs by id, as Airflow's own loader reads them."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(PROJECT / "dags"))
    assert bag.import_errors == {}
    return bag.dags


AFTER_INGEST = "2026-11-22T04:07:00+00:00"


class Steps:
    """Stands in for `pipeline.daily`: remembers each call, answers with a receipt, or fails as often as it should."""

    def __init__(self, real):
        self.real = real
        self.calls = []
        self.failures = {}
        self.details = {}

    def __getattr__(self, name):
        def step(*arguments, **named):
            self.calls.append((name, *arguments, *([named] if named else [])))
            if self.failures.get(name):
                raise self.failures[name].pop(0)
            details = self.details.get(name, {"bundle": "2011-11-30-0123456789ab"})
            receipt = {"step": name.partition("_")[0], "details": details}
            if name == "ingest_events":
                return {**arguments[0], "as_of": arguments[0]["as_of"] or AFTER_INGEST, "ingested": receipt}
            return receipt

        return step

    @property
    def names(self):
        return [call[0] for call in self.calls]


@pytest.fixture
def steps(monkeypatch):
    import pipeline
    import pipeline.daily

    stand_in = Steps(pipeline.daily)
    monkeypatch.setitem(sys.modules, "pipeline.daily", stand_in)
    monkeypatch.setattr(pipeline, "daily", stand_in)
    return stand_in


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RISK_HOME", str(tmp_path))
    return tmp_path
