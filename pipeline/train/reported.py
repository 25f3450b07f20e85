"""The share of bad accounts that the business's own reports ever name, from accounts that people reviewed."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from pipeline.context import Run
from pipeline.metrics.reported import ReportedShare, reported_share
from pipeline.schemas import VERDICT
from pipeline.sql import parquet
from pipeline.storage import lake
from pipeline.storage.files import read_json
from pipeline.warehouse import connect


def reported_by(run: Run) -> ReportedShare:
    """As known at the end of the run's day. Without a reviewed bad account it is the pack's assumption.

    A confirmed account counts as reported if a label of another source calls something bad that it did in the time
    that was confirmed. Lists of days whose reports may still come are left out.
    """
    home, assumed = run.home, run.domain.reported_share
    committed = (lake.verdict_path(home, batch.batch_id) for batch in lake.batches(home, "labels"))
    verdicts = [path for path in committed if path.is_file()]
    lists = _first_lists(run)
    labels = [home / file.path for file in lake.label_files(home)]
    if not (verdicts and lists and labels):
        return reported_share(np.empty(0, np.bool_), np.empty(0), assumed)
    known_before: datetime = lake.end_of(run.day).replace(tzinfo=None)
    with connect(run.settings) as con:
        rows = con.sql(
            f"""
            with judged as (
                select user_id, day, verdict, coalesce(cast(since as date), day) as first_day
                from {parquet(verdicts)}
                where decided_at < $known_before and arrived_at <= $as_of and day <= $last
                    and verdict <> 'unsure' and (verdict = 'confirmed' or scope <> 'event')
                qualify row_number() over (
                    partition by user_id, day order by decided_at desc, verdict, first_day
                ) = 1
            ),
            listed as (
                select user_id, day, propensity, picked_by = 'audit' as is_audit from {parquet(lists)}
            ),
            reports as (
                select user_id, cast(happened_at as date) as bad_day from {parquet(labels)}
                where is_bad and source is distinct from '{VERDICT}'
                    and known_at < $known_before and arrived_at <= $as_of
            )
            select
                exists(
                    select 1 from reports
                    where reports.user_id = judged.user_id and bad_day between judged.first_day and judged.day
                ) as is_reported,
                propensity,
                is_audit
            from judged join listed using (user_id, day)
            where verdict = 'confirmed'
            qualify row_number() over (partition by user_id order by day) = 1
            order by user_id
            """,
            params={
                "known_before": known_before,
                "as_of": run.as_of.replace(tzinfo=None),
                "last": run.day - timedelta(days=run.domain.label_delay_days),
            },
        )
        table = rows.to_arrow_table()
    is_reported, propensity, is_audit = (column.to_numpy() for column in table.columns)
    return reported_share(is_reported.astype(np.bool_), propensity, assumed, int(is_audit.sum()))


def _first_lists(run: Run) -> list[Path]:
    """The list of each day as it was published first: the one that reviewers began with. Later ones draw anew."""
    first: dict[str, tuple[datetime, Path]] = {}
    for path in sorted((run.home / "lists" / "revisions").glob("day=*/*/manifest.json")):
        published = datetime.fromisoformat(read_json(path)["as_of"])
        day = path.parent.parent.name
        if published <= run.as_of and (day not in first or published < first[day][0]):
            first[day] = published, path.with_name("risk_list.parquet")
    return [path for _, path in first.values()]
