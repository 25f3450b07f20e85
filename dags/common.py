"""What the three DAGs share: assets, the retry policy, and common fields of the form.

Only Airflow's side is here and in the DAG files. What a step does is in pipeline/.
"""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, ExceptionRetryPolicy, Param, RetryAction, RetryRule

RISK_LIST = Asset("risk_list")
MODEL_BUNDLE = Asset("model_bundle")
VERDICTS = Asset("verdicts")

# A retry helps with a busy home, a full disk or a killed task. It does not help with what a person must fix (a
# setting, a file, a failed checkpoint), nor with a bug.
RETRY_WHERE_IT_HELPS = ExceptionRetryPolicy(
    rules=[
        RetryRule("pipeline.errors.BusyError", RetryAction.RETRY, reason="another process is working in this home"),
        RetryRule("pipeline.errors.PipelineError", RetryAction.FAIL, reason="a person has to fix this first"),
        RetryRule(["builtins.OSError", "builtins.MemoryError"], RetryAction.RETRY, reason="the machine may recover"),
        RetryRule("builtins.Exception", RetryAction.FAIL, reason="a retry cannot change this"),
    ]
)

# A DAG that is switched on starts with its next run, not with the last one missed. (False would not do: Airflow reads
# it as "unless that was recently". The DAG must have no start_date.)
NOT_MISSED_RUNS = timedelta(0)

STEP = {
    "pool": "warehouse",  # one slot: DuckDB takes one writer
    "retries": 2,
    "retry_delay": timedelta(minutes=2),
    "retry_policy": RETRY_WHERE_IT_HELPS,
    "execution_timeout": timedelta(hours=6),  # a hung step must not hold the only slot for ever
    "weight_rule": "upstream",  # the later a task, the sooner it gets the slot: a backfill goes day by day
}


def domain_param() -> Param:
    """A choice of the packs in domains/. The default is `RISK_DOMAIN`."""
    default = os.environ.get("RISK_DOMAIN", "shop")
    packs = (Path(__file__).resolve().parent.parent / "domains").glob("*.yml")
    choices = sorted({default, *(pack.stem for pack in packs)})
    return Param(default, type="string", enum=choices, description="Which business: a pack in domains/.")


def day_param(description: str) -> Param:
    return Param(None, type=["null", "string"], format="date", description=description)


def as_of_param() -> Param:
    return Param(
        None,
        type=["null", "string"],
        format="date-time",
        description="Use only what had arrived by then. Default: when the run starts.",
    )


def chosen_day(given: str | None, partition_key: str | None, run_after: datetime) -> date:
    """The run's day: its partition's, or the form's, or the day before the run.

    `logical_date` is empty in a partitioned run, and a backfill sets `run_after` to the past.
    """
    from pipeline.errors import UsageError
    from pipeline.settings import possible_day

    if given and partition_key and given != partition_key:
        raise UsageError(
            f"the form says {given}, but this is the run of {partition_key}",
            fix="leave the form's day empty in a backfill",
        )
    chosen = partition_key or given
    if not chosen:
        return (run_after - timedelta(days=1)).date()
    try:
        return possible_day(date.fromisoformat(chosen))
    except ValueError:
        raise UsageError(f"not a day we can work on: {chosen!r}", fix="write it like 2026-11-22") from None


def request(params: dict[str, Any], day: date) -> dict[str, Any]:
    """The form as a request to `pipeline.daily`. Without an `as_of` in the form, ingest fixes it."""
    return {
        "domain": params["domain"],
        "day": day.isoformat(),
        "as_of": _moment(params["as_of"]).isoformat() if params["as_of"] else None,
        "list_size": params.get("list_size"),
        "accept": params.get("accept") or [],
    }


def _moment(text: str) -> datetime:
    """The time in UTC. Airflow's forms do not check times."""
    from pipeline.errors import UsageError

    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"as_of is not a time with a zone: {text!r}", fix="write it like 2026-11-22T04:00:00Z")
