"""How many seconds does Airflow add to the daily run? The target is at most 25.

    python benchmarks/airflow_share.py

It runs the same day of the retail set twice from the same home: with `dawnlist run` in one process, and with the DAG in
a real Airflow. Airflow's share is the difference: scheduling, a process per task, repeated imports. The time between
tasks is shown apart. Needs $RISK_DATASETS/retail.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from datasets import dataset
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
import laptop

UNTIL, DAY = "2011-01-17", "2011-01-18"
TARGET = 25  # seconds


def dawnlist(home: Path, *arguments: str) -> float:
    """Run a command in a process of its own; returns its seconds."""
    env = {**os.environ, "RISK_HOME": str(home), "RISK_DOMAIN": "retail"}
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        check=True,
        cwd=laptop.PROJECT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.monotonic() - started


def in_airflow(home: Path, airflow_home: Path) -> tuple[float, float]:
    """Seconds of the DAG from trigger to end, and the seconds its tasks ran."""
    port = laptop.free_port()
    env = laptop.environment(port, airflow_home, {**os.environ, "RISK_HOME": str(home), "RISK_DOMAIN": "retail"})
    laptop.prepare(env)
    with laptop.running(port, env, airflow_home) as api:
        started = time.monotonic()
        run_id = api.trigger("daily_risk_list", {"day": DAY})
        state = api.watch("daily_risk_list", run_id, lambda task: None)
        seconds = time.monotonic() - started
        tasks = api.tasks("daily_risk_list", run_id)
    if state != "success":
        sys.exit(f"the run in Airflow ended as {state}")
    moments = [[datetime.fromisoformat(task[end]) for end in ("start_date", "end_date")] for task in tasks]
    return seconds, sum((end - start).total_seconds() for start, end in moments)


def main() -> None:
    out = Console(highlight=False, soft_wrap=True)
    source = dataset("retail") / "online_retail.parquet"
    with tempfile.TemporaryDirectory() as folder:
        by_hand, by_dag = Path(folder) / "by_hand", Path(folder) / "by_dag"
        dawnlist(by_hand, "ingest", "--events", str(source), "--history")
        dawnlist(by_hand, "train", "--until", UNTIL)
        shutil.copytree(by_hand, by_dag)
        alone = dawnlist(by_hand, "run", "--day", DAY)
        whole, in_tasks = in_airflow(by_dag, Path(folder) / "airflow")
    share = whole - alone
    out.print(f"dawnlist run      {alone:5.1f} s")
    out.print(f"the DAG           {whole:5.1f} s, of which {whole - in_tasks:.1f} s between its tasks")
    out.print(f"Airflow's share   {share:5.1f} s, target at most {TARGET} s: {'ok' if share <= TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
