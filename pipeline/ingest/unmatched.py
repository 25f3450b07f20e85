"""Labels that are about nothing we know: training would pass over them without a word."""

from collections.abc import Iterable

from pipeline import lake
from pipeline.lake import Batch
from pipeline.settings import Settings
from pipeline.sql import parquet
from pipeline.warehouse import connect


def unmatched(settings: Settings, batches: Iterable[Batch]) -> list[str]:
    """A warning that counts the new labels whose account has no event on the day they are about."""
    files = [file for batch in batches if batch.kind == "labels" for file in batch.files]
    if not files:
        return []
    labels = [str(settings.home / file.path) for file in files]
    with connect(settings) as con:
        con.execute(
            f"create temp table told as select user_id, cast(happened_at as date) as day from {parquet(labels)}"
        )
        days = {day for (day,) in con.execute("select distinct day from told").fetchall()}
        events = [str(settings.home / file.path) for file in lake.event_files(settings.home) if file.event_day in days]
        active = (
            f"select user_id, cast(event_at as date) as day from {parquet(events)}"
            if events
            else "select user_id, day from told limit 0"
        )
        [(missing,)] = con.execute(f"select count(*) from told anti join ({active}) using (user_id, day)").fetchall()
    if not missing:
        return []
    rows = sum(file.rows for file in files)
    return [
        f"{missing:,} of {rows:,} new labels match no event of their account on their day (UTC) and teach nothing: "
        "is user_id written as in the events, and happened_at the time of the event?"
    ]
