"""What an analyst decided, and why a row may be refused."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo

from pipeline.safe_text import safe_cell
from pipeline.settings import possible_day
from pipeline.storage.lake import AHEAD, end_of

Decision = Literal["confirmed", "dismissed", "unsure"]
IS_BAD: dict[Decision, bool | None] = {"confirmed": True, "dismissed": False, "unsure": None}  # None: no label

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
    "no_such_list": "no list was published for that day",
    "not_on_the_list": "this account is on no list of that day; wanted its user_id exactly, without blanks around it",
    "ambiguous": "the list's CSV shows two accounts like this; write the user_id as in risk_list.parquet",
    "before_the_day_ended": "wanted a time after the end of the day that was decided on",
    "future_time": "has not happened yet",
}


@dataclass(frozen=True)
class Verdict:
    """One decision about one account's day. `decided_at` is in UTC."""

    day: date
    user_id: str
    verdict: Decision
    typology: str | None
    note: str | None
    analyst: str | None
    decided_at: datetime


class Refused(Exception):
    """`reason` is a key of REASONS, `column` the cell at fault; None if it is the row."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        self.reason, self.column = reason, column
        super().__init__(reason)


class ListedAccounts:
    """The accounts on a day's lists, by id and by the text that the list's CSV shows for it."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.named: dict[str, set[str]] = {}
        for account in ids:
            for name in (account, safe_cell(account)):
                self.named.setdefault(name, set()).add(account)

    def find(self, name: str) -> str:
        """The one account of that name. Raises Refused if there is none, or if it could be another."""
        accounts = self.named.get(name, set())
        if len(accounts) != 1:
            raise Refused("ambiguous" if accounts else "not_on_the_list", "user_id")
        return next(iter(accounts))


def to_verdict(
    cells: Mapping[str, str], listed: Callable[[date], ListedAccounts | None], now: datetime, timezone: str
) -> Verdict:
    """The verdict in a row's cells. `listed` gives a day's accounts, None without a list. Raises Refused.

    A time without an offset is local in `timezone`.
    """
    for column in ("day", "user_id", "verdict", "decided_at"):
        if not cells[column].strip():
            raise Refused("missing", column)
    day = _day(cells["day"])
    decision = cells["verdict"].lower()
    if decision not in get_args(Decision):
        raise Refused("unknown_verdict", "verdict")
    decided_at = _time(cells["decided_at"], timezone)
    if decided_at < end_of(day):
        raise Refused("before_the_day_ended", "decided_at")
    if decided_at > now + AHEAD:
        raise Refused("future_time", "decided_at")
    accounts = listed(day)
    if accounts is None:
        raise Refused("no_such_list", "day")
    return Verdict(
        day=day,
        user_id=accounts.find(cells["user_id"]),
        verdict=cast(Decision, decision),
        typology=cells.get("typology") or None,
        note=cells.get("note") or None,
        analyst=cells.get("analyst") or None,
        decided_at=decided_at,
    )


def _day(text: str) -> date:
    try:
        return possible_day(datetime.strptime(text, "%Y-%m-%d").date())  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Refused("not_a_day", "day") from None


def _time(text: str, timezone: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else _local(time, ZoneInfo(timezone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("not_a_time", "decided_at") from None


def _local(time: datetime, zone: ZoneInfo) -> datetime:
    """As ingest reads it: a time that occurs twice is the later one, one that is skipped moves on by the gap."""
    later = time.replace(tzinfo=zone, fold=1)
    is_skipped = later.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != time
    return later.replace(fold=0) if is_skipped else later
