"""Compare the clock with the times of the delivered files: arrival times come from the clock."""

from collections.abc import Collection
from datetime import datetime, timedelta

from pipeline.storage.lake import AHEAD

LONG = timedelta(days=30)  # files that are older than this are old data


def clock_warnings(now: datetime, changed: Collection[datetime], is_history: bool) -> list[str]:
    """Warnings if the clock disagrees with the files' times. `changed`: when each new file was last written."""
    if not changed:
        return []
    newest = max(changed)
    times = f"the clock stands at {now:%Y-%m-%d %H:%M} UTC, the newest file was written at {newest:%Y-%m-%d %H:%M} UTC"
    if newest > now + AHEAD:
        return [f"{times}: is the clock behind? Rows of its future are refused as future_time"]
    if newest < now - LONG and not is_history:
        return [f"{times}: is the clock ahead? Then no list sees these rows before that. Old data: use --history"]
    return []
