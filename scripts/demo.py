"""`make demo`: retrain, then make one day's list, in Airflow, over a real year of a shop's invoices."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import laptop
from rich.console import Console

DOMAIN = "retail"
FILE = Path("retail") / "online_retail.parquet"
UNTIL, DAY = "2011-01-17", "2011-01-18"  # the day somebody ordered 74,215 jars, and cancelled 16 minutes later
SHOWN = 10

console = Console(highlight=False, soft_wrap=True)


def source() -> Path:
    """The invoice lines to show it on."""
    folder = os.environ.get("RISK_DATASETS")
    if folder and (path := Path(folder) / FILE).is_file():
        return path
    found = f"no {FILE} in RISK_DATASETS={folder}" if folder else "RISK_DATASETS is not set"
    raise laptop.LaptopError(
        f"the demo needs the Online Retail data set, and {found}\n"
        f"  to fix: save it as FOLDER/{FILE} (see docs/quick-start.md), then RISK_DATASETS=FOLDER make demo"
    )


def dawnlist(env: dict[str, str], *arguments: str) -> None:
    """Run the command line the way a person would."""
    done = subprocess.run([sys.executable, "-m", "pipeline", *arguments], env=env, cwd=laptop.PROJECT)
    if done.returncode:
        sys.exit(done.returncode)


def run(api: laptop.Api, dag_id: str, conf: dict[str, Any], partition_key: str | None = None) -> None:
    """Run a DAG to its end, a line per task; raises LaptopError with the failed task's own words."""
    console.print(f"\n[bold]{dag_id}[/bold] {' '.join(f'{name}={value}' for name, value in conf.items())}")
    failed: list[dict[str, Any]] = []
    with console.status("waiting for Airflow") as status:

        def tell(task: dict[str, Any]) -> None:
            if task["state"] == "running":
                status.update(f"{task['task_id']} …")
            elif task["state"] in ("success", "failed"):
                mark = "[green]✓[/green]" if task["state"] == "success" else "[red]✗[/red]"
                console.print(f"  {mark} {task['task_id']:18} {task['duration'] or 0:6.1f} s")
                failed.extend([task] if task["state"] == "failed" else [])

        run_id = api.trigger(dag_id, {**conf, "domain": DOMAIN}, partition_key)
        state = api.watch(dag_id, run_id, tell)
    if state != "success":
        raise laptop.LaptopError("\n".join(api.error(dag_id, run_id, task) for task in failed) or f"{dag_id} failed")


def main() -> int:
    started = time.monotonic()
    try:
        events = source()
        port = laptop.free_port()
        env = laptop.environment(port)
        env["RISK_DOMAIN"] = DOMAIN
        home = Path(env["RISK_HOME"].replace("{domain}", DOMAIN))
        console.print(f"loading {events.name} into {home}")
        dawnlist(env, "ingest", "--events", str(events), "--history")
        with ExitStack() as stack:
            with console.status("starting Airflow, about 20 seconds"):
                laptop.prepare(env)
                api = stack.enter_context(laptop.running(port, env))
            run(api, "retrain_models", {"until": UNTIL})
            run(api, "daily_risk_list", {"day": DAY}, DAY)
    except laptop.LaptopError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    console.print()
    dawnlist(env, "show", "--day", DAY, "--limit", str(SHOWN))
    console.print(f"\nthe list  {home / 'lists' / f'day={DAY}'}: risk_list.csv, risk_list.parquet, manifest.json")
    console.print(f"reports   {home / 'reports'}")
    console.print("Airflow   `make up` shows these runs in the browser")
    console.print(f"done in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
