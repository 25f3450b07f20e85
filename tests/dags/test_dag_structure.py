"""What the DAGs declare before anything runs."""

import subprocess
import sys
from copy import deepcopy
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline import errors
from pipeline.metrics.detection_delay import LIST_HOURS

DAGS = Path(__file__).resolve().parents[2] / "dags"

pytestmark = pytest.mark.airflow

HEAVY = ("torch", "duckdb", "xgboost", "great_expectations", "dbt", "pandas", "pyarrow", "sklearn")


def test_there_is_one_dag_per_story(dags):
    assert sorted(dags) == ["collect_verdicts", "daily_risk_list", "retrain_models"]


@pytest.mark.parametrize("dag", ["daily_risk_list", "retrain_models", "collect_verdicts"])
def test_reading_a_dag_file_imports_nothing_heavy(dag):
    look = f"import sys, {dag}; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", look], cwd=DAGS, capture_output=True, text=True)
    assert (found.returncode, found.stdout.strip().splitlines()[-1:]) == (0, ["[]"]), found.stderr[-2000:]


def test_the_daily_run_reads_like_the_story(dags):
    dag = dags["daily_risk_list"]
    order = [task.task_id for task in dag.topological_sort()]
    assert order == [
        "choose_day",
        "ingest_events",
        "check_events",
        "build_features",
        "check_user_days",
        "score_users",
        "publish_list",
    ]
    for before, after in pairwise(order):
        assert after in dag.get_task(before).downstream_task_ids


def test_the_form_asks_for_day_list_size_and_domain(dags):
    params = dags["daily_risk_list"].params
    assert list(params) == ["day", "list_size", "domain", "as_of", "accept"]
    assert set(params.get_param("domain").schema["enum"]) >= {"retail", "payments", "shop"}


@pytest.mark.parametrize(
    "wrong",
    [{"day": "9 December"}, {"list_size": 0}, {"list_size": "many"}, {"domain": "../etc"}],
    ids=lambda wrong: next(iter(wrong)) + "=" + str(next(iter(wrong.values()))),
)
def test_the_form_refuses_what_makes_no_sense(dags, wrong):
    from airflow.sdk.exceptions import ParamValidationError

    params = deepcopy(dags["daily_risk_list"].params)
    with pytest.raises(ParamValidationError):
        params.update(wrong)
        params.validate()


def test_every_step_waits_for_the_one_slot_of_the_warehouse(dags):
    choosing = {"choose_day", "choose_last_day", "find_files", "name_odd_entries"}
    pools = {task.task_id: task.pool for dag in dags.values() for task in dag.tasks}
    assert {pools[task] for task in choosing} == {"default_pool"}
    assert {pool for task, pool in pools.items() if task not in choosing} == {"warehouse"}


def test_the_pool_has_one_slot(airflow_db):
    from airflow.models.pool import Pool

    assert Pool.get_pool("warehouse").slots == 1


def test_runs_never_overlap_and_missed_ones_are_not_caught_up_with(dags):
    assert {(dag.max_active_runs, dag.catchup) for dag in dags.values()} == {(1, False)}


def test_a_day_is_finished_before_the_next_one_starts(dags):
    rules = {task.weight_rule for dag in dags.values() for task in dag.tasks}
    assert rules == {"upstream"}  # the later a task, the sooner it gets the slot


def test_every_task_says_what_it_does(dags):
    assert [task.task_id for dag in dags.values() for task in dag.tasks if not task.doc_md] == []
    assert [dag.dag_id for dag in dags.values() if "Rerun" not in dag.doc_md] == []


def test_assets_link_the_three(dags):
    made, used = {}, {}
    for dag in dags.values():
        for task in dag.tasks:
            made |= {asset.name: dag.dag_id for asset in task.outlets}
            used |= {asset.name: dag.dag_id for asset in task.inlets}
    assert made == {
        "risk_list": "daily_risk_list",
        "model_bundle": "retrain_models",
        "verdicts": "collect_verdicts",
    }
    assert used == {
        "risk_list": "collect_verdicts",
        "verdicts": "retrain_models",
        "model_bundle": "daily_risk_list",
    }


def _next_run(dag, last=None):
    """What the scheduler, which only knows the DAG's serialised form, would start next."""
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable
    from airflow.timetables.base import TimeRestriction

    timetable = decode_timetable(encode_timetable(dag.timetable))
    return timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=TimeRestriction(None, None, False))


def test_the_daily_run_is_about_the_day_before(dags):
    run = _next_run(dags["daily_risk_list"])
    assert run.run_after.hour == LIST_HOURS - 24, "delays are measured to that hour"
    assert run.partition_key == str(run.run_after.subtract(days=1).date())


@pytest.mark.parametrize("now", ["2026-11-22T05:01:00Z", "2026-11-22T23:00:00Z", "2026-11-23T03:59:00Z"])
def test_switching_a_dag_on_does_not_start_a_missed_run(dags, now, monkeypatch):
    import pendulum
    from airflow.timetables import trigger

    now = pendulum.parse(now)
    monkeypatch.setattr(trigger, "utcnow", lambda: now)
    assert [dag.dag_id for dag in dags.values() if _next_run(dag).run_after <= now] == []
    assert [dag.dag_id for dag in dags.values() if dag.start_date] == []


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        ("busy", True),
        ("disk", True),
        ("memory", True),
        ("checkpoint", False),
        ("input", False),
        ("usage", False),
        ("bug", False),
    ],
)
def test_only_what_a_retry_can_mend_is_retried(error, retried):
    from airflow.sdk import RetryAction
    from common import RETRY_WHERE_IT_HELPS

    raised = {
        "busy": errors.BusyError("busy"),
        "disk": OSError(28, "No space left on device"),
        "memory": MemoryError(),
        "checkpoint": errors.CheckpointFailedError("refused"),
        "input": errors.InputError("no file"),
        "usage": errors.UsageError("wrong"),
        "bug": AssertionError("bug"),
    }[error]
    decision = RETRY_WHERE_IT_HELPS.evaluate(raised, try_number=1, max_tries=2)
    assert decision.action == (RetryAction.RETRY if retried else RetryAction.FAIL)


def test_a_hung_step_gives_the_slot_back(dags):
    limits = {task.execution_timeout for dag in dags.values() for task in dag.tasks}
    assert limits == {timedelta(hours=6)}
