"""Why a row of a verdict file is refused. The codes are stable: people filter on them."""

from typing import get_args

from pipeline.feedback.words import Decision, Scope

REASONS = {
    "bad_utf8": "the row is not UTF-8",
    "nul": "the row contains a NUL byte",
    "broken_quotes": "the row has a quoted field that never ends, or ends in the middle",
    "too_few_fields": "the row has fewer fields than the header",
    "too_many_fields": "the row has more fields than the header",
    "too_long": "wanted at most 4096 bytes",
    "missing": "wanted a value",
    "not_a_day": "wanted a day such as 2026-11-21",
    "not_a_time": "wanted a time such as 2026-11-22T10:00:00+01:00",
    "unknown_verdict": f"wanted one of {', '.join(get_args(Decision))}",
    "unknown_account": "it is on no list with that day and did nothing on it; wanted day and user_id as listed",
    "ambiguous": "the list's CSV shows two accounts like this; write the user_id as in risk_list.parquet",
    "before_the_day_ended": "wanted a time after the end of the day that was decided on",
    "future_time": "has not happened yet",
    "unknown_scope": f"wanted one of {', '.join(get_args(Scope))}",
    "beside_the_scope": "wanted none: an event has event_id, an account since, and a day neither",
    "unknown_event": "the account did nothing by this name on that day",
    "after_the_day": "wanted a time before the end of the day that was decided on",
}


class Refused(Exception):
    """`reason` is a key of REASONS, `column` the cell at fault; None if it is the row."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        self.reason, self.column = reason, column
        super().__init__(reason)
