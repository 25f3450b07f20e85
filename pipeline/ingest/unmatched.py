"""Count new labels that match no event: training would ignore them silently."""

from collections.abc import Iterable

from pipeline.settings import Settings
from pipeline.sql import parquet
from pipeline.storage import lake
from pipeline.storage.lake import Batch
from pipeline.storage.warehouse import connect


def unmatched_labels(settings: Settings, batches: Iterable[Batch]) -> list[str]:
    """A warning that counts new labels whose account has no event on the label's day."""
    files = [file for batch in batches if batch.kind == "labels" for file in batch.files]
    if not files:
        return []
    paths = [str(settings.home / file.path) for file in files]
    with connect(settings) as con:
        con.execute(
            f"create temp table labels as select user_id, cast(happened_at as date) as day from {parquet(paths)}"
        )
        days = {day for (day,) in con.execute("select distinct day from labels").fetchall()}
        events = [str(settings.home / file.path) for file in lake.event_files(settings.home) if file.event_day in days]
        active = (
            f"select user_id, cast(event_at as date) as day from {parquet(events)}"
            if events
            else "select user_id, day from labels limit 0"
        )
        [(missing,)] = con.execute(f"select count(*) from labels anti join ({active}) using (user_id, day)").fetchall()
    if not missing:
        return []
    rows = sum(file.rows for file in files)
    return [
        f"{missing:,} of {rows:,} new labels match no event of their account on their day (UTC) and teach nothing: "
        "is user_id written as in the events, and happened_at the time of the event?"
    ]
