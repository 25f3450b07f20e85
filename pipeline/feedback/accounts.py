"""Which account a verdict is about: one that a list names with that day, or any other that was active on the day."""

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.domain import MOST_DAYS
from pipeline.feedback.refusals import Refused
from pipeline.safe_text import safe_cell

if TYPE_CHECKING:
    import pyarrow as pa


class Events(Protocol):
    """What accounts did on a day."""

    def has_account(self, account: str) -> bool:
        """Whether it did anything."""

    def has_event(self, account: str, event_id: str) -> bool:
        """Whether it did what `event_id` names."""


class Accounts:
    """The accounts of a day: those `listed`, by id and by the text that the list's CSV shows, and others by id."""

    def __init__(self, listed: Iterable[str], events: Events) -> None:
        self.listed, self.events = set(listed), events
        self.shown: dict[str, set[str]] = {}
        for account in self.listed:
            self.shown.setdefault(safe_cell(account), set()).add(account)

    def find(self, name: str) -> str:
        """The one account of that name. Raises Refused if there is none, or if it could be another."""
        meant = set(self.shown.get(name, ()))
        if name in self.listed or (meant != {name} and self.events.has_account(name)):
            meant.add(name)
        if len(meant) != 1:
            raise Refused("ambiguous" if meant else "unknown_account", "user_id")
        return next(iter(meant))

    def has_event(self, account: str, event_id: str) -> bool:
        return self.events.has_event(account, event_id)


class LakeEvents:
    """The events of one day as the lake has them, read when they are asked for."""

    def __init__(self, home: Path, day: date) -> None:
        self.home, self.day = home, day
        self.accounts: set[str] | None = None
        self.of: dict[str, set[str]] = {}

    def has_account(self, account: str) -> bool:
        if self.accounts is None:
            self.accounts = {user for table in self._read("user_id") for user in _distinct(table, "user_id")}
        return account in self.accounts

    def has_event(self, account: str, event_id: str) -> bool:
        import pyarrow.compute as pc

        if account not in self.of:
            tables = [table.filter(pc.equal(table["user_id"], account)) for table in self._read("user_id", "event_id")]
            self.of[account] = {event for table in tables for event in _distinct(table, "event_id")}
        return event_id in self.of[account]

    def _read(self, *columns: str) -> Iterable["pa.Table"]:
        from pipeline.storage import lake
        from pipeline.storage.files import read_parquet

        for file in lake.event_files(self.home, self.day, self.day):
            yield read_parquet(self.home / file.path, list(columns))


class AccountsOfDays:
    """The accounts of any day, read once. Revisions that were replaced count: analysts may still work on one.

    A list is about a day if it ends with it, or with a later one of the same period.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.days: dict[date, Accounts] = {}

    def __call__(self, day: date) -> Accounts:
        if day not in self.days:
            import pyarrow.compute as pc

            from pipeline.storage.files import read_parquet

            folders = (f"day={day + timedelta(days=later)}" for later in range(MOST_DAYS))
            paths = [
                path
                for folder in folders
                for path in sorted((self.home / "lists" / "revisions" / folder).glob("*/risk_list.parquet"))
            ]
            tables = (read_parquet(path, ["user_id", "day"]) for path in paths)
            listed = [user for table in tables for user in _distinct(table.filter(pc.field("day") == day), "user_id")]
            self.days[day] = Accounts(listed, LakeEvents(self.home, day))
        return self.days[day]


def _distinct(table: "pa.Table", column: str) -> list[str]:
    values: list[str] = table[column].unique().to_pylist()
    return values
