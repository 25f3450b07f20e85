"""`make demo`: simulate a shop, retrain, and make the lists of its last two days, in Airflow."""

import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import laptop
from rich.console import Console

DOMAIN = "shop"
FIRST, DAYS, USERS, SEED = date(2026, 6, 16), 60, 6000, 7
BAD_SHARE = 0.012  # of the accounts: with fewer bad ones its first stacker has too little to learn from
LAST = FIRST + timedelta(days=DAYS - 1)
LISTED = (LAST - timedelta(days=1), LAST)  # the days made in Airflow; all before them is history
SHOWN = 10

console = Console(highlight=False, soft_wrap=True)


def dawnlist(env: dict[str, str], *arguments: str) -> None:
    """Run the command line as a person would."""
    done = subprocess.run([sys.executable, "-m", "pipeline", *arguments], env=env, cwd=laptop.PROJECT)
    if done.returncode:
        sys.exit(done.returncode)


def simulated(env: dict[str, str], home: Path) -> Path:
    """The simulated shop's files: made once, or again if the simulation was stopped."""
    folder = home / "simulated"
    if not (folder / "truth" / "simulation.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        console.print(f"simulating {USERS:,} accounts of a shop over {DAYS} days")
        dawnlist(
            env,
            *("simulate", "--out", str(folder), "--days", str(DAYS), "--users", str(USERS)),
            *("--seed", str(SEED), "--first-day", str(FIRST), "--bad-share", str(BAD_SHARE)),
        )
    return folder


def deliver(env: dict[str, str], folder: Path, home: Path) -> None:
    """Ingest all but the last days as history. Put the last days into landing/, as a shop would."""
    files = sorted((folder / "events").glob("*.parquet"))
    console.print(f"\nloading {len(files) - len(LISTED)} days of history into {home}")
    old = [f"--events={file}" for file in files if file.stem not in map(str, LISTED)]
    dawnlist(env, "ingest", "--history", *old, f"--labels={folder / 'labels'}")
    landing = home / "landing" / "events"
    landing.mkdir(parents=True, exist_ok=True)
    for day in LISTED:
        if not (landing / f"{day}.parquet").is_file():
            shutil.copyfile(folder / "events" / f"{day}.parquet", landing / f"{day}.parquet.part")
            (landing / f"{day}.parquet.part").rename(landing / f"{day}.parquet")


def run(api: laptop.Api, dag_id: str, conf: dict[str, Any], partition_key: str | None = None) -> None:
    """Run a DAG to its end and print a line per task. Raises LaptopError with the failed task's message."""
    console.print(f"\n[bold]{dag_id}[/bold] {' '.join(f'{name}={value}' for name, value in conf.items())}")
    failed: list[dict[str, Any]] = []
    with console.status("waiting for Airflow") as status:

        def show(task: dict[str, Any]) -> None:
            if task["state"] == "running":
                status.update(f"{task['task_id']} …")
            elif task["state"] in ("success", "failed"):
                mark = "[green]✓[/green]" if task["state"] == "success" else "[red]✗[/red]"
                console.print(f"  {mark} {task['task_id']:18} {task['duration'] or 0:6.1f} s")
                failed.extend([task] if task["state"] == "failed" else [])

        run_id = api.trigger(dag_id, {**conf, "domain": DOMAIN}, partition_key)
        state = api.watch(dag_id, run_id, show)
    if state != "success":
        raise laptop.LaptopError("\n".join(api.error(dag_id, run_id, task) for task in failed) or f"{dag_id} failed")


def print_truth(folder: Path, home: Path) -> None:
    """Compare the last list with the simulation's truth, which no step has read."""
    listed = home / "lists" / f"day={LAST}" / "risk_list.parquet"
    truth = folder / "truth" / "user_days.parquet"
    with duckdb.connect() as con:
        con.execute(f"create view bad as from read_parquet('{truth}') where is_bad and event_day = date '{LAST}'")
        con.execute(f"create view listed as from read_parquet('{listed}') where picked_by <> 'audit'")
        [(all_listed, listed_bad, active)] = con.execute(
            "select (select count(*) from listed), (select count(*) from listed semi join bad using (user_id)), "
            "(select count(*) from bad)"
        ).fetchall()
        kinds = con.execute(
            "select typology, count(*) as n from listed join bad using (user_id) group by 1 order by n desc, typology"
        ).fetchall()
    named = ", ".join(f"{n} {str(typology).replace('_', ' ')}" for typology, n in kinds)
    console.print(
        f"\nthe truth  {listed_bad} of the {all_listed} picked accounts are abusers{f' ({named})' if named else ''}; "
        f"{active} were active that day"
    )
    console.print("           the simulation knows it; no step that made the list has read it")


def main() -> int:
    started = time.monotonic()
    try:
        port = laptop.free_port()
        env = laptop.environment(port)
        env["RISK_DOMAIN"] = DOMAIN
        env["RISK_NOW"] = f"{LAST + timedelta(days=1)}T04:00:00Z"  # the simulated shop's last morning
        home = Path(env["RISK_HOME"].replace("{domain}", DOMAIN))
        folder = simulated(env, home)
        deliver(env, folder, home)
        with ExitStack() as stack:
            with console.status("starting Airflow, about 20 seconds"):
                laptop.prepare(env)
                api = stack.enter_context(laptop.running(port, env))
            run(api, "retrain_models", {"until": str(LISTED[0] - timedelta(days=1))})
            for day in LISTED:
                run(api, "daily_risk_list", {"day": str(day)}, str(day))
    except laptop.LaptopError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    console.print()
    dawnlist(env, "show", "--day", str(LAST), "--limit", str(SHOWN))
    print_truth(folder, home)
    console.print(f"\nthe list  {home / 'lists' / f'day={LAST}'}: risk_list.csv, risk_list.parquet, manifest.json")
    console.print(f"reports   {home / 'reports'}")
    console.print("Airflow   `make up` shows these runs in the browser")
    console.print(f"done in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
