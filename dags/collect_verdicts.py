"""Collect verdicts: what analysts decided in, labels out.

Reads   CSV files in `$RISK_HOME/verdicts/inbox`: day, user_id, verdict, typology, note, analyst, decided_at
Writes  labels into `$RISK_HOME/lake`, known from the moment the analyst decided
Rerun   always safe: a file seen before, by its content, changes nothing

A row that does not fit is refused with its reason, the others count. By hand: `dawnlist feedback PATH`.
"""

from pathlib import Path

from airflow.sdk import CronTriggerTimetable, Param, dag, task
from common import NOT_MISSED_RUNS, RISK_LIST, STEP, VERDICTS, domain_param


def verdict_files(inbox: Path, name: str | None) -> list[Path]:
    """The CSV files to take, in the order of their names: all in the inbox, or the one called `name`.

    Raises UsageError for anything outside the inbox: whoever may trigger a run must not read other files.
    """
    from pipeline.errors import InputError, UsageError

    inbox = inbox.resolve()
    found = sorted(inbox.glob("*.csv")) if name is None else [inbox / name]
    for path in found:
        if not path.resolve().is_relative_to(inbox):
            raise UsageError("a verdict file must lie in the inbox", f"inbox: {inbox}", fix="copy the file there")
        if not path.is_file():
            raise InputError(f"no file {path.name!r} in the inbox", f"inbox: {inbox}", fix="copy the file there")
    return found


@dag(
    # Before the day's list, so that it knows them.
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
        """Which files there are; none is fine, and skips the rest."""
        from pipeline.settings import Settings

        inbox = Settings.load(domain=params["domain"]).home / "verdicts" / "inbox"
        return [{"path": str(path), "domain": params["domain"]} for path in verdict_files(inbox, params["path"])]

    @task(
        outlets=[VERDICTS],
        map_index_template="{{ task.op_kwargs['file']['path'] }}",
        doc_md="Confirmed and dismissed verdicts become labels; the receipt counts the refused rows by reason.",
    )
    def take_feedback(file):
        from pipeline import daily

        return daily.take_feedback({"domain": file["domain"]}, file["path"])

    take_feedback.expand(file=find_files())


collect_verdicts()
