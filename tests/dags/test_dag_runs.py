"""DAG runs in this process, with stand-ins for the steps."""

from datetime import timedelta
from inspect import signature

import pytest

from pipeline.errors import BusyError, CheckpointFailedError, InputError

pytestmark = pytest.mark.airflow

FORM = {"day": "2011-12-09", "domain": "retail", "list_size": 20, "as_of": "2026-11-22T04:00:00+00:00"}
REQUEST = {**FORM, "accept": []}
STEPS = ["ingest_events", "check_events", "build_features", "check_user_days", "score_users", "publish_list"]


def states(run):
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


def test_a_day_passes_through_all_steps_in_order(dags, steps, home):
    run = dags["daily_risk_list"].test(run_conf=FORM)
    assert run.state == "success"
    assert steps.names == STEPS
    wanted, *seen = (call[1] for call in steps.calls)
    assert wanted == REQUEST
    assert all({name: run[name] for name in REQUEST} == REQUEST for run in seen)


def test_all_steps_of_a_run_agree_on_as_of(dags, steps, home):
    # None is said aloud: a DAG tested twice in one process keeps the form of the run before
    dags["daily_risk_list"].test(run_conf=FORM | {"as_of": None})
    ingest, *others = (call[1] for call in steps.calls)
    assert ingest["as_of"] is None
    assert {other["as_of"] for other in others} == {"2026-11-22T04:07:00+00:00"}, "what was just ingested is seen"


def test_a_receipt_is_what_the_task_returns(dags, steps, home):
    run = dags["daily_risk_list"].test(run_conf=FORM)
    published = next(ti for ti in run.get_task_instances() if ti.task_id == "publish_list")
    assert published.xcom_pull(task_ids="publish_list")["step"] == "publish"


def test_a_day_without_a_list_is_scored_and_tells_nobody_of_a_new_list(dags, steps, home):
    steps.details["publish_list"] = {"no_list": "until 2011-12-11 is over"}
    run = dags["daily_risk_list"].test(run_conf=FORM)
    assert (run.state, steps.names) == ("success", STEPS)
    assert states(run)["publish_list"] == "skipped", "so its asset has no event"


def test_a_failed_day_stops_there_and_is_not_tried_again(dags, steps, home):
    steps.failures["check_events"] = [CheckpointFailedError("half the usual users")]
    run = dags["daily_risk_list"].test(run_conf=FORM)
    assert run.state == "failed"
    assert steps.names == ["ingest_events", "check_events"]
    assert states(run)["check_events"] == "failed"
    assert states(run)["publish_list"] == "upstream_failed"


def test_a_person_may_accept_what_failed_a_checkpoint(dags, steps, home):
    dags["daily_risk_list"].test(run_conf={**FORM, "accept": ["day.event_count"]})
    assert [call[1]["accept"] for call in steps.calls] == [["day.event_count"]] * len(STEPS)


def test_a_busy_home_is_tried_again(dags, steps, home, monkeypatch):
    steps.failures["ingest_events"] = [BusyError("another dawnlist is working")]
    monkeypatch.setattr(dags["daily_risk_list"].get_task("ingest_events"), "retry_delay", timedelta())
    run = dags["daily_risk_list"].test(run_conf=FORM)
    assert (run.state, steps.names[:3]) == ("success", ["ingest_events", "ingest_events", "check_events"])


def test_retraining_builds_the_days_it_learns_from_and_asks_for_promotion(dags, steps, home):
    run = dags["retrain_models"].test(run_conf={**FORM, "until": "2011-11-30", "day": None, "list_size": None})
    assert run.state == "success"
    assert steps.names == ["ingest_events", "build_training_features", "train_challenger", "promote_if_better"]
    assert {call[1]["day"] for call in steps.calls} == {"2011-11-30"}
    assert steps.calls[-1][2] == "2011-11-30-0123456789ab"


def test_the_steps_take_what_the_dags_give_them(dags, steps, home):
    for dag, form in (("daily_risk_list", FORM), ("retrain_models", {"domain": "retail", "until": "2011-11-30"})):
        dags[dag].test(run_conf=form)
    for name, *arguments in steps.calls:
        signature(getattr(steps.real, name)).bind(*arguments)
        assert steps.real.open_run(arguments[0]).domain.name == "retail"


def test_each_verdict_file_is_a_receipt_of_its_own(dags, steps, home):
    inbox = home / "verdicts" / "inbox"
    inbox.mkdir(parents=True)
    for name in ("a.csv", "b.csv"):
        (inbox / name).write_text("day,user_id,verdict\n")
    run = dags["collect_verdicts"].test(run_conf={"domain": "retail"})
    assert run.state == "success"
    assert sorted(call[2] for call in steps.calls) == [str(inbox / "a.csv"), str(inbox / "b.csv")]


def test_an_empty_inbox_is_a_quiet_success(dags, steps, home):
    run = dags["collect_verdicts"].test(run_conf={"domain": "retail"})
    assert (run.state, steps.calls) == ("success", [])


def test_odd_entries_in_the_inbox_fail_the_run_and_stop_no_file(dags, steps, home):
    inbox = home / "verdicts" / "inbox"
    inbox.mkdir(parents=True)
    (home / "secret.csv").write_text("not yours\n")
    (inbox / "link.csv").symlink_to(home / "secret.csv")
    (inbox / "d.csv").mkdir()
    for name in ("a.csv", "caf\udce9.csv", "z.csv"):
        (inbox / name).write_text("day,user_id,verdict\n")
    run = dags["collect_verdicts"].test(run_conf={"domain": "retail"})
    assert run.state == "failed" and states(run)["name_odd_entries"] == "failed"
    assert sorted(call[2] for call in steps.calls) == [str(inbox / "a.csv"), str(inbox / "z.csv")]


def test_one_refused_file_stops_no_other(dags, steps, home):
    inbox = home / "verdicts" / "inbox"
    inbox.mkdir(parents=True)
    for name in ("a.csv", "b.csv", "c.csv"):
        (inbox / name).write_text("day,user_id,verdict\n")
    steps.failures["take_feedback"] = [InputError("all rows were refused")]
    run = dags["collect_verdicts"].test(run_conf={"domain": "retail"})
    assert (run.state, steps.names) == ("failed", ["take_feedback"] * 3)
