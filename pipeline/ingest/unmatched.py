"""Count new labels that match no event: training would ignore them silently."""

from collections.abc import Iterable

from pipeline.settings import Settings
from pipeline.sql import parquet
from pipeline.storage import lake
from pipeline.storage.lake import Batch
from pipeline.warehouse import connect


def unmatched_labels(settings: Settings, batches: Iterable[Batch]) -> list[str]:
    """A warning that counts new labels whose account has no event on the label's day."""
    files = [file for batch in batches if batch.kind == "labels" for file in batch.files]
    if not files:
        return []
    paths = [str(settings.home / file.path) for file in files]
    with connect(settings) as con:
        con.execute(
            "create temp table labels as select user_id, cast(happened_at as date) as first_day, "
            f"cast(coalesce(ends_at - interval 1 microsecond, happened_at) as date) as last_day from {parquet(paths)}"
        )
        [(first, last)] = con.execute("select min(first_day), max(last_day) from labels").fetchall()
        events = [str(settings.home / file.path) for file in lake.event_files(settings.home, first, last)]
        active = (
            f"select user_id, cast(event_at as date) as day from {parquet(events)}"
            if events
            else "select user_id, first_day as day from labels limit 0"
        )
        [(missing,)] = con.execute(
            f"select count(*) from labels anti join (select distinct * from ({active})) as active "
            "on labels.user_id = active.user_id and active.day between first_day and last_day"
        ).fetchall()
    if not missing:
        return []
    rows = sum(file.rows for file in files)
    return [
        f"{missing:,} of {rows:,} new labels match no event of their account on their day (UTC) and teach nothing: "
        "is user_id written as in the events, and happened_at the time of the event?"
    ]
