"""What the three Airflow DAGs share: the assets that link them, who may retry, and the form's common fields.

Only words about Airflow live here and in the DAG files; what a step does is in pipeline/.
"""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, ExceptionRetryPolicy, Param, RetryAction, RetryRule

RISK_LIST = Asset("risk_list")
MODEL_BUNDLE = Asset("model_bundle")
VERDICTS = Asset("verdicts")

# A busy home frees itself, a full disk may be emptied, a killed task starts again where it stopped. What a
# person has to mend (a setting, a file, a failed checkpoint) stays broken however often it is tried, and so does a bug.
RETRY_WHERE_IT_HELPS = ExceptionRetryPolicy(
    rules=[
        RetryRule("pipeline.errors.BusyError", RetryAction.RETRY, reason="somebody else is working in this home"),
        RetryRule("pipeline.errors.PipelineError", RetryAction.FAIL, reason="a person has to mend this first"),
        RetryRule(["builtins.OSError", "builtins.MemoryError"], RetryAction.RETRY, reason="the machine may recover"),
        RetryRule("builtins.Exception", RetryAction.FAIL, reason="trying again cannot change this"),
    ]
)

# Switching a DAG on starts with the next run due, not with the last one missed. (Airflow reads False as "unless
# that was recently"; it also needs the DAG to have no start_date.)
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
    """A choice of the packs in domains/; the default is `RISK_DOMAIN`'s."""
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
    """The day a run is about: its partition's, or the form's, or the day before the run.

    A partitioned run's own field `logical_date` is empty, and a backfill sets `run_after` to the past.
    """
    from pipeline.errors import UsageError
    from pipeline.settings import a_possible_day

    if given and partition_key and given != partition_key:
        raise UsageError(
            f"the form says {given}, but this is the run of {partition_key}",
            fix="leave the form's day empty in a backfill",
        )
    chosen = partition_key or given
    return a_possible_day(date.fromisoformat(chosen)) if chosen else (run_after - timedelta(days=1)).date()


def asked(params: dict[str, Any], day: date) -> dict[str, Any]:
    """What the form asks for, as `pipeline.daily` takes it. Without an `as_of` of the form's own, ingest fixes it."""
    return {
        "domain": params["domain"],
        "day": day.isoformat(),
        "as_of": _moment(params["as_of"]).isoformat() if params["as_of"] else None,
        "list_size": params.get("list_size"),
        "accept": params.get("accept") or [],
    }


def _moment(text: str) -> datetime:
    """Airflow's forms do not check times."""
    from pipeline.errors import UsageError

    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"as_of is not a time with a zone: {text!r}", fix="write it like 2026-11-22T04:00:00Z")
