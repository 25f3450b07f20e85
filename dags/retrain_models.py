"""Retrain models: what is known by the end of a day in, a bundle out.

Reads   `$RISK_HOME/lake`: events, and labels known by the end of `until`
Writes  `$RISK_HOME/models`: a bundle, and a line in registry.jsonl that says whether it was promoted and why
Rerun   always safe: the same inputs give the same bundle, and a promotion is recorded once

The candidate is promoted only if it is the first or does better on later days whose labels have matured. To go
back to the one before: `dawnlist models rollback`.
"""

from datetime import date

from airflow.sdk import CronTriggerTimetable, dag, task
from house import (
    MODEL_BUNDLE,
    NOT_MISSED_RUNS,
    STEP,
    VERDICTS,
    as_of_param,
    chosen_day,
    day_param,
    domain_param,
    overrides,
    seen,
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
    def choose_days(params, dag_run):
        """Which days to learn from: the last `RISK_TRAIN_DAYS` up to `until`."""
        from pipeline import daily

        settings = overrides(params)
        first, until = daily.train_days(chosen_day(params["until"], None, dag_run.run_after), settings)
        return {"first": first.isoformat(), "until": until.isoformat(), "overrides": settings}

    @task
    def ingest_events(run):
        """New files from `landing/` into the lake, so that nothing known is left out."""
        from pipeline import daily

        return daily.ingest(date.fromisoformat(run["until"]), run["overrides"])

    @task
    def build_features(run, ingested):
        """The user-days of all these days in one go, by dbt."""
        from pipeline import daily

        first, until = date.fromisoformat(run["first"]), date.fromisoformat(run["until"])
        return daily.backfill_features(first, until, seen(run, ingested))

    @task(inlets=[VERDICTS])
    def train_candidate(run, ingested):
        """Fit the autoencoder, the stacker and its calibration on days up to `until`, with labels known by its end."""
        from pipeline import daily

        return daily.train(date.fromisoformat(run["until"]), seen(run, ingested))

    @task(outlets=[MODEL_BUNDLE])
    def promote_if_better(run, ingested, candidate, outlet_events):
        """Compare with the bundle in use on later matured days, and write the decision into the ledger."""
        from pipeline import daily

        receipt = daily.promote(candidate["details"]["bundle"], seen(run, ingested))
        outlet_events[MODEL_BUNDLE].extra = receipt["details"]
        return receipt

    run = choose_days()
    ingested = ingest_events(run)
    candidate = train_candidate(run, ingested)
    build_features(run, ingested) >> candidate
    promote_if_better(run, ingested, candidate)


retrain_models()
