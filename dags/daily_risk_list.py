"""Daily risk list: one day's events in, ranked accounts with reasons out.

Reads   `$RISK_HOME/landing`, and the bundle that was promoted last
Writes  `$RISK_HOME/lists/day=D`: risk_list.csv, risk_list.parquet, manifest.json, on days that a list ends with
Rerun   always safe: each step replaces its own day and nothing else

A run makes the list of its partition, the UTC day before. **By hand:** Trigger, choose a day.
**Many days:** Trigger, Backfill. Leave the form's day empty, and let the range end after 04:00 of its last day.
When a checkpoint fails, the run stops there without a retry, and the last good list stays. Look at
`reports/day=D`; correct the files, or trigger the day again and accept the findings that the failure names.
"""

from airflow.sdk import CronPartitionTimetable, Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from common import (
    MODEL_BUNDLE,
    NOT_MISSED_RUNS,
    RISK_LIST,
    STEP,
    as_of_param,
    chosen_day,
    day_param,
    domain_param,
    request,
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
            description="Findings that may pass, because a person has checked them: as the failure names them.",
        ),
    },
    tags=["dawnlist"],
    doc_md=__doc__,
)
def daily_risk_list():
    @task(pool="default_pool")
    def choose_day(params, dag_run):
        """The run's day, and the form's other fields."""
        return request(params, chosen_day(params["day"], dag_run.partition_key, dag_run.run_after))

    @task
    def ingest_events(request):
        """Load new files from `landing/` into the lake. Refused rows go to quarantine.

        This fixes the run's `as_of`: all later steps, and their retries, see the same rows.
        """
        from pipeline import daily

        return daily.ingest_events(request)

    @task
    def check_events(run):
        """First checkpoint: are the day's events believable?"""
        from pipeline import daily

        return daily.check_events(run)

    @task
    def build_features(run):
        """Build with dbt one row per account active that day, and its recent events."""
        from pipeline import daily

        return daily.build_features(run)

    @task
    def check_user_days(run):
        """Second checkpoint: are the day's features believable?"""
        from pipeline import daily

        return daily.check_user_days(run)

    @task(inlets=[MODEL_BUNDLE])
    def score_users(run):
        """Score each account: its surprise, and its risk if there are labels to learn from."""
        from pipeline import daily

        return daily.score_users(run)

    @task(outlets=[RISK_LIST])
    def publish_list(run):
        """Rank, cut by expected precision, explain, validate at the third checkpoint, and publish.

        Skipped on a day without a list: the pack's `list_every`.
        """
        from pipeline import daily

        receipt = daily.publish_list(run)
        if until := receipt["details"].get("no_list"):
            raise AirflowSkipException(f"no list {until}")
        return receipt

    run = ingest_events(choose_day())
    check_events(run) >> build_features(run) >> check_user_days(run) >> score_users(run) >> publish_list(run)


daily_risk_list()
