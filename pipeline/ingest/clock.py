"""Whether the clock can be right, by the times of the delivered files: arrivals are told by it."""

from collections.abc import Collection
from datetime import datetime, timedelta

from pipeline.lake import AHEAD

LONG = timedelta(days=30)  # a feed that rests longer than that is old data


def clock_warnings(now: datetime, changed: Collection[datetime], is_history: bool) -> list[str]:
    """What the files' own times say against the clock; `changed` is when each new file was last written to."""
    if not changed:
        return []
    newest = max(changed)
    times = f"the clock stands at {now:%Y-%m-%d %H:%M} UTC, the newest file was written at {newest:%Y-%m-%d %H:%M} UTC"
    if newest > now + AHEAD:
        return [f"{times}: is the clock behind? Rows of its future are refused as future_time"]
    if newest < now - LONG and not is_history:
        return [f"{times}: is the clock ahead? Then no list sees these rows before that. Old data: use --history"]
    return []
