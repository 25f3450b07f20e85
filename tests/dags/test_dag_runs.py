"""DAG runs in this process, with stand-ins for the steps."""

from datetime import date, timedelta
from inspect import signature

import pytest

from pipeline.errors import BusyError, DoorRefusedError, InputError

pytestmark = pytest.mark.airflow

DAY = date(2011, 12, 9)
FORM = {"day": "2011-12-09", "domain": "retail", "list_size": 20, "as_of": "2026-11-22T04:00:00+00:00"}
OVERRIDES = {"domain": "retail", "list_size": 20, "as_of": "2026-11-22T04:00:00+00:00"}


def states(run):
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


def test_a_day_passes_through_all_steps_in_order(dags, steps, home):
    run = dags["daily_risk_list"].test(run_conf=FORM)
    assert run.state == "success"
    assert steps.calls == [
        ("ingest", DAY, OVERRIDES),
        ("validate", DAY, "events", OVERRIDES, {"accept": []}),
        ("features", DAY, OVERRIDES),
        ("validate", DAY, "user_days", OVERRIDES, {"accept": []}),
        ("score", DAY, OVERRIDES),
        ("publish", DAY, OVERRIDES, {"accept": []}),
    ]


def test_all_steps_of_a_run_agree_on_as_of(dags, steps, home):
    # None is said aloud: a DAG tested twice in one process keeps the form of the run before
    dags["daily_risk_list"].test(run_conf=FORM | {"as_of": None})
    given = [next(part for part in call if isinstance(part, dict) and "as_of" in part) for call in steps.calls]
    ingest, *others = given
    assert ingest["as_of"] is None
    assert {other["as_of"] for other in others} == {"2026-11-22T04:07:00+00:00"}, "what was just ingested is seen"


def test_a_receipt_is_what_the_task_returns(dags, steps, home):
    run = dags["daily_risk_list"].test(run_conf=FORM)
    published = next(ti for ti in run.get_task_instances() if ti.task_id == "publish_list")
    assert published.xcom_pull(task_ids="publish_list")["step"] == "publish"


def test_a_refused_day_stops_there_and_is_not_tried_again(dags, steps, home):
    steps.failures["validate"] = [DoorRefusedError("half the usual users")]
    run = dags["daily_risk_list"].test(run_conf=FORM)
    assert run.state == "failed"
    assert steps.names == ["ingest", "validate"]
    assert states(run)["check_events"] == "failed"
    assert states(run)["publish_list"] == "upstream_failed"


def test_a_person_may_accept_what_a_door_refused(dags, steps, home):
    dags["daily_risk_list"].test(run_conf={**FORM, "accept": ["day.event_count"]})
    doors = ("validate", "validate", "publish")
    told = [(call[0], call[-1]) for call in steps.calls if call[0] in doors]
    assert told == [(door, {"accept": ["day.event_count"]}) for door in doors]


def test_a_busy_home_is_tried_again(dags, steps, home, monkeypatch):
    steps.failures["ingest"] = [BusyError("another dawnlist is working")]
    monkeypatch.setattr(dags["daily_risk_list"].get_task("ingest_events"), "retry_delay", timedelta())
    run = dags["daily_risk_list"].test(run_conf=FORM)
    assert (run.state, steps.names[:3]) == ("success", ["ingest", "ingest", "validate"])


def test_retraining_builds_the_days_it_learns_from_and_asks_for_promotion(dags, steps, home):
    run = dags["retrain_models"].test(run_conf={**FORM, "until": "2011-11-30", "day": None, "list_size": None})
    assert run.state == "success"
    until, settings = date(2011, 11, 30), {**OVERRIDES, "list_size": None}
    assert steps.calls == [
        ("ingest", until, settings),
        ("backfill_features", date(2011, 11, 1), until, settings),
        ("train", until, settings),
        ("promote", "2011-11-30-0123456789ab", settings),
    ]


def test_the_steps_take_what_the_dags_give_them(dags, steps, home):
    for dag, form in (("daily_risk_list", FORM), ("retrain_models", {"domain": "retail", "until": "2011-11-30"})):
        dags[dag].test(run_conf=form)
    for name, *arguments in steps.calls:
        named = arguments.pop() if name in ("validate", "publish") else {}
        signature(getattr(steps.real, name)).bind(*arguments, **named)


def test_each_verdict_file_is_a_receipt_of_its_own(dags, steps, home):
    inbox = home / "verdicts" / "inbox"
    inbox.mkdir(parents=True)
    for name in ("a.csv", "b.csv"):
        (inbox / name).write_text("day,user_id,verdict\n")
    run = dags["collect_verdicts"].test(run_conf={"domain": "retail"})
    assert run.state == "success"
    assert sorted(call[1] for call in steps.calls) == [str(inbox / "a.csv"), str(inbox / "b.csv")]


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
    assert sorted(call[1] for call in steps.calls) == [str(inbox / "a.csv"), str(inbox / "z.csv")]


def test_one_refused_file_stops_no_other(dags, steps, home):
    inbox = home / "verdicts" / "inbox"
    inbox.mkdir(parents=True)
    for name in ("a.csv", "b.csv", "c.csv"):
        (inbox / name).write_text("day,user_id,verdict\n")
    steps.failures["feedback"] = [InputError("all rows were refused")]
    run = dags["collect_verdicts"].test(run_conf={"domain": "retail"})
    assert (run.state, steps.names) == ("failed", ["feedback"] * 3)
