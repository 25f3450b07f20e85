"""Retrain models: train a bundle on what was known at the end of a day.

Reads   `$RISK_HOME/lake`: events, and labels known by the end of `until`
Writes  `$RISK_HOME/models`: a bundle, and a line in registry.jsonl that says whether it was promoted and why
Rerun   always safe: the same inputs give the same bundle, and a promotion is recorded once

The challenger is promoted unless it is worse on later days whose labels have matured. See docs/operations.md. To go
back to the one before: `dawnlist models rollback`.
"""

from airflow.sdk import CronTriggerTimetable, dag, task
from common import (
    MODEL_BUNDLE,
    NOT_MISSED_RUNS,
    STEP,
    VERDICTS,
    as_of_param,
    chosen_day,
    day_param,
    domain_param,
    request,
)


@dag(
    # Sundays, once the day's list is out.
    schedule=CronTriggerTimetable("0 5 * * 0", timezone="UTC", run_immediately=NOT_MISSED_RUNS),
    max_active_runs=1,
    default_args=STEP,
    params={
        "until": day_param("The last day to learn from. Default: the day before the run."),
        "domain": domain_param(),
        "as_of": as_of_param(),
    },
    tags=["dawnlist"],
    doc_md=__doc__,
)
def retrain_models():
    @task(pool="default_pool")
    def choose_last_day(params, dag_run):
        """The last training day. `RISK_TRAIN_DAYS` says how many days there are up to it."""
        return request(params, chosen_day(params["until"], None, dag_run.run_after))

    @task
    def ingest_events(request):
        """Load new files from `landing/`, so that no label is left out. This fixes the run's `as_of`."""
        from pipeline import daily

        return daily.ingest_events(request)

    @task
    def build_features(run):
        """Build the user-days of all training days with dbt."""
        from pipeline import daily

        return daily.build_training_features(run)

    @task(inlets=[VERDICTS])
    def train_challenger(run):
        """Fit the autoencoder, the stacker and its calibration on days up to `until`, with labels known by its end."""
        from pipeline import daily

        return daily.train_challenger(run)

    @task(outlets=[MODEL_BUNDLE])
    def promote_if_better(run, challenger, outlet_events):
        """Compare with the champion on later matured days, and write the decision to the ledger."""
        from pipeline import daily

        receipt = daily.promote_if_better(run, challenger["details"]["bundle"])
        outlet_events[MODEL_BUNDLE].extra = receipt["details"]
        return receipt

    run = ingest_events(choose_last_day())
    challenger = train_challenger(run)
    build_features(run) >> challenger
    promote_if_better(run, challenger)


retrain_models()
