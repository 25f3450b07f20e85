"""Collect verdicts: turn analysts' verdicts into labels.

Reads   CSV files in `$RISK_HOME/verdicts/inbox`: day, user_id, verdict, typology, note, analyst, decided_at
Writes  labels into `$RISK_HOME/lake`, known from the moment the analyst decided
Rerun   always safe: a file seen before, by its content, changes nothing

A wrong row is refused with its reason, the others count. An entry that is no CSV file fails the run, after all files
were taken. By hand: `dawnlist feedback PATH`.
"""

from airflow.sdk import CronTriggerTimetable, Param, dag, task
from common import NOT_MISSED_RUNS, RISK_LIST, STEP, VERDICTS, domain_param


def inbox_of(params):
    from pipeline.settings import Settings

    return Settings.load(domain=params["domain"]).home / "verdicts" / "inbox"


@dag(
    # Before the daily list, so that the list uses them.
    schedule=CronTriggerTimetable("30 3 * * *", timezone="UTC", run_immediately=NOT_MISSED_RUNS),
    max_active_runs=1,
    default_args=STEP,
    params={
        "path": Param(
            None,
            type=["null", "string"],
            maxLength=255,
            description="One file in the inbox. Default: all CSV files there.",
        ),
        "domain": domain_param(),
    },
    tags=["dawnlist"],
    doc_md=__doc__,
)
def collect_verdicts():
    @task(pool="default_pool", inlets=[RISK_LIST])
    def find_files(params):
        """List the files. Without any, the rest is skipped."""
        from pipeline.feedback.inbox import list_inbox, named_file

        inbox = inbox_of(params)
        files = [named_file(inbox, params["path"])] if params["path"] is not None else list_inbox(inbox).files
        return [{"path": str(path), "domain": params["domain"]} for path in files]

    @task(pool="default_pool")
    def name_odd_entries(params):
        """Fail if the inbox has entries that are no verdict files. A task of its own, so that it stops no file."""
        from pipeline.feedback.inbox import require_only_files

        if params["path"] is None:
            require_only_files(inbox_of(params))

    @task(
        outlets=[VERDICTS],
        map_index_template="{{ task.op_kwargs['file']['path'] }}",
        doc_md="Confirmed and dismissed verdicts become labels; the receipt counts the refused rows by reason.",
    )
    def take_feedback(file):
        from pipeline import daily

        return daily.take_feedback({"domain": file["domain"]}, file["path"])

    take_feedback.expand(file=find_files())
    name_odd_entries()


collect_verdicts()
