"""A real Airflow with its scheduler over the little shop: retraining, a backfill, a failed checkpoint, verdicts."""

import csv
import json
from http.client import HTTPConnection
from pathlib import Path

import laptop
import little_shop as shop
import pytest
from command import Home

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

UNTIL, FIRST, LAST = 18, 22, 23  # a Friday; the Tuesday and Wednesday after


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A home with three weeks of the shop, and an Airflow that works in it."""
    folder = tmp_path_factory.mktemp("live")
    home = Home(folder / "shop", shop.pack(folder, false_alarms=19))
    shop.history(folder / "delivered", LAST)
    home.run_ok("ingest", "--history", "--events", folder / "delivered")
    port = laptop.free_port()
    env = laptop.environment(port, folder / "airflow", home.environment(None, RISK_TRAIN_DAYS="14"))
    laptop.prepare(env)
    with laptop.running(port, env, folder / "airflow") as api:
        yield Airflow(api, home.path)


class Airflow:
    """What the tests ask of it."""

    def __init__(self, api: laptop.Api, home: Path) -> None:
        self.api, self.home = api, home

    def run(self, dag_id, **conf):
        """Start a run, wait for its end, and return it."""
        run_id = self.api.trigger(dag_id, conf)
        self.api.watch(dag_id, run_id, lambda task: None)
        return self.api.run(dag_id, run_id)

    def tasks(self, run):
        tasks = self.api.tasks(run["dag_id"], run["dag_run_id"])
        return {task["task_id"]: task for task in tasks}

    def receipt(self, run, task_id):
        return self.api.receipt(run["dag_id"], run["dag_run_id"], task_id)

    def why(self, run):
        """What the failed tasks said, for a test that fails."""
        failed = [task for task in self.tasks(run).values() if task["state"] == "failed"]
        return "\n".join(self.api.error(run["dag_id"], run["dag_run_id"], task) for task in failed)

    def asset_events(self, name):
        assets = {asset["name"]: asset["id"] for asset in self.api("/api/v2/assets")["assets"]}
        return self.api(f"/api/v2/assets/events?asset_id={assets[name]}")["asset_events"]


@pytest.fixture(scope="module")
def trained(live):
    return live.run("retrain_models", until=str(shop.day(UNTIL)))


@pytest.fixture(scope="module")
def backfilled(live, trained):
    """The runs of a backfill as the UI starts it: a range of days, nothing else, ten at a time."""
    body = {
        "dag_id": "daily_risk_list",
        "from_date": f"{shop.day(FIRST)}T00:00:00Z",
        "to_date": f"{shop.day(LAST)}T23:59:59Z",
        "max_active_runs": 10,
    }
    live.api("/api/v2/backfills", body)
    runs = live.api("/api/v2/dags/daily_risk_list/dagRuns?run_type=backfill&order_by=id")["dag_runs"]
    for run in runs:
        live.api.watch("daily_risk_list", run["dag_run_id"], lambda task: None)
    live.api("/api/v2/dags/daily_risk_list", {"is_paused": True}, "PATCH")  # yesterday, which it missed, is not wanted
    return [live.api.run("daily_risk_list", run["dag_run_id"]) for run in runs]


@pytest.mark.parametrize("page", ["/", "/auth/token", "/auth/login", "/api/v2/version", "/execution/health"])
def test_airflow_answers_under_this_computers_own_names_only(live, page):
    port = live.api.url.rpartition(":")[2]
    codes = {}
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"evil.example:{port}", "evil.example"):
        connection = HTTPConnection("127.0.0.1", int(port), timeout=30)
        connection.request("GET", page, headers={"Host": host})
        codes[host.partition(":")[0]] = connection.getresponse().status
        connection.close()
    assert codes["evil.example"] == 400
    assert codes["127.0.0.1"] == codes["localhost"] == (403 if page == "/auth/token" else 200)


def test_the_first_bundle_is_promoted_and_the_asset_says_so(live, trained):
    assert trained["state"] == "success", live.why(trained)
    bundle = live.receipt(trained, "train_challenger")["details"]["bundle"]
    assert bundle.startswith(str(shop.day(UNTIL)))
    assert [event["extra"]["bundle"] for event in live.asset_events("model_bundle")] == [bundle]


def test_a_failed_day_fails_once_and_says_what_to_do(live, trained):
    run = live.run("daily_risk_list", day=str(shop.day(LAST + 1)))
    tasks = live.tasks(run)
    assert (run["state"], tasks["check_events"]["state"], tasks["check_events"]["try_number"]) == (
        "failed",
        "failed",
        1,
    )
    assert "to fix" in live.why(run)
    assert not (live.home / "lists" / f"day={shop.day(LAST + 1)}").exists()


def test_a_backfill_makes_the_list_of_each_day(live, backfilled):
    days = [str(shop.day(n)) for n in range(FIRST, LAST + 1)]
    assert [run["partition_key"] for run in backfilled] == days
    assert [run["state"] for run in backfilled] == ["success"] * len(days), "\n".join(map(live.why, backfilled))
    assert [day for day in days if (live.home / "lists" / f"day={day}" / "risk_list.csv").is_file()] == days
    assert sorted(event["partition_key"] for event in live.asset_events("risk_list")) == days


def test_receipts_are_in_the_ui_and_name_nobody(live, backfilled):
    steps = [task for task in live.tasks(backfilled[0]) if task != "choose_day"]
    receipts = {step: live.receipt(backfilled[0], step) for step in steps}
    assert [receipt["step"] for receipt in receipts.values() if receipt["day"] != str(shop.day(FIRST))] == []
    text = json.dumps(receipts)
    assert [account for account in [*shop.ORDINARY, *shop.ODD] if account in text] == []


def test_verdicts_from_the_inbox_become_labels(live, backfilled):
    day = str(shop.day(LAST))
    with (live.home / "lists" / f"day={day}" / "risk_list.csv").open() as file:
        account = next(csv.DictReader(file))["user_id"]
    inbox = live.home / "verdicts" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "monday.csv").write_text(
        "day,user_id,verdict,typology,note,analyst,decided_at\n"
        f"{day},{account},confirmed,takeover,,ann,2026-02-01T09:00:00Z\n"
        f"{day},nobody,confirmed,takeover,,ann,2026-02-01T09:00:00Z\n"
    )
    (inbox / "d.csv").mkdir()
    (inbox / "caf\udce9.csv").write_text("day,user_id,verdict,decided_at\n")
    run = live.run("collect_verdicts")
    assert run["state"] == "failed" and live.tasks(run)["name_odd_entries"]["state"] == "failed"
    assert "d.csv is not a regular file" in live.why(run) and "has a name that cannot be written down" in live.why(run)
    receipt = live.api(
        f"/api/v2/dags/collect_verdicts/dagRuns/{run['dag_run_id']}/taskInstances/take_feedback/xcomEntries/return_value"
        "?map_index=0"
    )["value"]
    assert (receipt["read"], receipt["accepted"], receipt["refused"]) == (2, 1, 1)
    assert len(live.asset_events("verdicts")) == 1
