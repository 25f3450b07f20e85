"""What an analyst decided, and why a row may be refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import cast, get_args
from zoneinfo import ZoneInfo

from pipeline.feedback.accounts import Accounts
from pipeline.feedback.refusals import Refused
from pipeline.feedback.words import Decision, Scope
from pipeline.settings import possible_day
from pipeline.storage.lake import AHEAD, end_of

DETAILS: dict[Scope, str] = {"event": "event_id", "account": "since"}  # what a scope needs beside the day


@dataclass(frozen=True)
class Verdict:
    """One decision about an account's event or day, or about all it did from `since` to the end of `day`. UTC."""

    day: date
    user_id: str
    verdict: Decision
    typology: str | None
    note: str | None
    analyst: str | None
    decided_at: datetime
    scope: Scope = "day"
    event_id: str | None = None
    since: datetime | None = None

    @property
    def happened_at(self) -> datetime:
        """The first moment it is about; of an event or a day, the day's last."""
        return self.since or end_of(self.day) - timedelta(microseconds=1)

    @property
    def ends_at(self) -> datetime | None:
        """The end of what is known of the account: the analyst saw nothing younger."""
        return end_of(self.day) if self.scope == "account" else None


def to_verdict(
    cells: Mapping[str, str], accounts_of: Callable[[date], Accounts], now: datetime, timezone: str
) -> Verdict:
    """The verdict in a row's cells. Raises Refused.

    A time without an offset is local in `timezone`.
    """
    for column in ("day", "user_id", "verdict", "decided_at"):
        if not cells[column].strip():
            raise Refused("missing", column)
    day = _day(cells["day"])
    decision = cells["verdict"].lower()
    if decision not in get_args(Decision):
        raise Refused("unknown_verdict", "verdict")
    decided_at = _time(cells["decided_at"], "decided_at", timezone)
    if decided_at < end_of(day):
        raise Refused("before_the_day_ended", "decided_at")
    if decided_at > now + AHEAD:
        raise Refused("future_time", "decided_at")
    scope, event_id, since = _scope(cells, day, timezone)
    accounts = accounts_of(day)
    account = accounts.find(cells["user_id"])
    if event_id and not accounts.has_event(account, event_id):
        raise Refused("unknown_event", "event_id")
    return Verdict(
        day=day,
        user_id=account,
        verdict=cast(Decision, decision),
        typology=cells.get("typology") or None,
        note=cells.get("note") or None,
        analyst=cells.get("analyst") or None,
        decided_at=decided_at,
        scope=scope,
        event_id=event_id,
        since=since,
    )


def _scope(cells: Mapping[str, str], day: date, timezone: str) -> tuple[Scope, str | None, datetime | None]:
    """What a row is about. Without a scope, it is what `event_id` or `since` say, else the day."""
    given = {name: cells.get(name, "") for name in DETAILS.values()}
    word = cells.get("scope", "").lower() or next((scope for scope, name in DETAILS.items() if given[name]), "day")
    if word not in get_args(Scope):
        raise Refused("unknown_scope", "scope")
    scope = cast(Scope, word)
    for name, text in given.items():
        if text and name != DETAILS.get(scope):
            raise Refused("beside_the_scope", name)
    if scope in DETAILS and not given[DETAILS[scope]]:
        raise Refused("missing", DETAILS[scope])
    since = _begin(given["since"], timezone) if given["since"] else None
    if since and since >= end_of(day):
        raise Refused("after_the_day", "since")
    return scope, given["event_id"] or None, since


def _day(text: str) -> date:
    try:
        return possible_day(datetime.strptime(text, "%Y-%m-%d").date())  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Refused("not_a_day", "day") from None


def _time(text: str, column: str, timezone: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else _local(time, ZoneInfo(timezone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("not_a_time", column) from None


def _begin(text: str, timezone: str) -> datetime:
    """A day alone is a UTC day, as `day` is."""
    time = _time(text, "since", "UTC" if len(text) == len("2026-11-21") else timezone)
    try:
        possible_day(time.date())
    except ValueError:
        raise Refused("not_a_time", "since") from None
    return time


def _local(time: datetime, zone: ZoneInfo) -> datetime:
    """As ingest reads it: a time that occurs twice is the later one, one that is skipped moves on by the gap."""
    later = time.replace(tzinfo=zone, fold=1)
    is_skipped = later.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != time
    return later.replace(fold=0) if is_skipped else later
