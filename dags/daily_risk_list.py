"""Daily risk list: one day's events in, ranked accounts with reasons out.

Reads   `$RISK_HOME/landing`, and the bundle that was promoted last
Writes  `$RISK_HOME/lists/day=D`: risk_list.csv, risk_list.parquet, manifest.json
Rerun   always safe: each step replaces its own day and nothing else

A run is about one partition, the UTC day before it. **By hand:** Trigger, choose a day. **Many days:** Trigger,
Backfill; leave the form's day empty, and let the range end after 04:00 of its last day.
When a checkpoint fails, the run stops there without a retry, and the last good list stays. Look at
`reports/day=D`; mend the files, or trigger the day again and accept what the failure named.
"""

from datetime import date

from airflow.sdk import CronPartitionTimetable, Param, dag, task
from house import (
    MODEL_BUNDLE,
    NOT_MISSED_RUNS,
    RISK_LIST,
    STEP,
    as_of_param,
    chosen_day,
    day_param,
    domain_param,
    overrides,
    seen,
)


@dag(
    # A day's event files are complete by 03:00 UTC of the next day.
    schedule=CronPartitionTimetable(
        "0 4 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d", run_immediately=NOT_MISSED_RUNS
    ),
    max_active_runs=1,
    default_args=STEP,
    params={
        "day": day_param("The UTC day to list. Default: the run's partition, else the day before the run."),
        "list_size": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=100_000,
            description="Accounts the team can review. Default: the domain's.",
        ),
        "domain": domain_param(),
        "as_of": as_of_param(),
        "accept": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            description="Expectations this day may fail, once a person has looked: as the failure names them.",
        ),
    },
    tags=["dawnlist"],
    doc_md=__doc__,
)
def daily_risk_list():
    @task(pool="default_pool")
    def choose_day(params, dag_run):
        """Which day this run is about."""
        day = chosen_day(params["day"], dag_run.partition_key, dag_run.run_after)
        return {"day": day.isoformat(), "overrides": overrides(params), "accept": params["accept"] or []}

    @task
    def ingest_events(run):
        """New files from `landing/` into the lake; refused rows go to quarantine. Fixes what the run sees: `as_of`."""
        from pipeline import daily

        return daily.ingest(date.fromisoformat(run["day"]), run["overrides"])

    @task
    def check_events(run, ingested):
        """First checkpoint: are these the events of a believable day?"""
        from pipeline import daily

        return daily.validate(date.fromisoformat(run["day"]), "events", seen(run, ingested), accept=run["accept"])

    @task
    def build_features(run, ingested):
        """One row per account active that day, and its recent events, by dbt."""
        from pipeline import daily

        return daily.features(date.fromisoformat(run["day"]), seen(run, ingested))

    @task
    def check_user_days(run, ingested):
        """Second checkpoint: do these features look like a day of this business?"""
        from pipeline import daily

        return daily.validate(date.fromisoformat(run["day"]), "user_days", seen(run, ingested), accept=run["accept"])

    @task(inlets=[MODEL_BUNDLE])
    def score_users(run, ingested):
        """Surprise for every account, and risk where there are labels to learn from."""
        from pipeline import daily

        return daily.score(date.fromisoformat(run["day"]), seen(run, ingested))

    @task(outlets=[RISK_LIST])
    def publish_list(run, ingested):
        """Rank, cut where the promise says, explain, pass the third checkpoint, and rename into place."""
        from pipeline import daily

        return daily.publish(date.fromisoformat(run["day"]), seen(run, ingested), accept=run["accept"])

    run = choose_day()
    ingested = ingest_events(run)
    judged, built = check_events(run, ingested), build_features(run, ingested)
    believed, scored = check_user_days(run, ingested), score_users(run, ingested)
    judged >> built >> believed >> scored >> publish_list(run, ingested)


daily_risk_list()
