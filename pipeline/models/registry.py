"""Which bundle is the champion: a ledger that only grows. `models/registry.jsonl`, one JSON object per line."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from pipeline.errors import InputError, UsageError
from pipeline.storage.files import append_line, read_lines

Action = Literal["promoted", "rejected", "rolled_back"]


class Entry(BaseModel):
    """One decision about a bundle. It takes effect `at`; a replay of the past sees only earlier decisions."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    action: Action
    bundle: str
    until: date
    why: str
    metrics: dict[str, Any] = {}
    leaves_stacker_out: bool = False  # the bundle has one, which ranks no higher than surprise

    def ranked_by(self, stacker: Mapping[str, Any]) -> tuple[Literal["risk", "surprise"], str]:
        """What the bundle's lists are ranked by, and why. `stacker` is what its manifest says of it."""
        if self.leaves_stacker_out:
            return "surprise", self.why
        return ("risk" if stacker["is_used"] else "surprise"), stacker["why"]


def ledger(home: Path) -> list[Entry]:
    """All decisions in order."""
    return read_lines(ledger_path(home), Entry)


def ledger_path(home: Path) -> Path:
    return home / "models" / "registry.jsonl"


def write(home: Path, entry: Entry) -> None:
    append_line(ledger_path(home), entry.model_dump(mode="json"))


def champions(home: Path, as_of: datetime) -> list[Entry]:
    """Promotions in force at `as_of`, oldest first: a rollback takes back the promotion of its bundle."""
    standing: list[Entry] = []
    for entry in ledger(home):
        if entry.at > as_of:
            continue
        if entry.action == "promoted":
            standing = [other for other in standing if other.bundle != entry.bundle] + [entry]
        elif entry.action == "rolled_back":
            standing = [other for other in standing if other.bundle != entry.bundle]
    return standing


def champion_for(home: Path, day: date, as_of: datetime) -> Entry:
    """The promotion to score `day` by: the last one in force at `as_of` that learned from earlier days only."""
    standing = champions(home, as_of)
    earlier = [entry for entry in standing if entry.until < day]
    if not earlier:
        raise InputError(
            f"no champion that was trained before {day}",
            *_why_none(home, standing),
            fix="dawnlist train --until D with an earlier D; a bundle never scores days it has learned from",
        )
    return earlier[-1]


def _why_none(home: Path, standing: list[Entry]) -> list[str]:
    if standing:
        return [f"{entry.bundle} learned until {entry.until}" for entry in standing[-3:]]
    later = [entry for entry in ledger(home) if entry.action == "promoted"]
    lines = [f"{entry.bundle} was promoted only at {entry.at:%Y-%m-%d %H:%M} UTC" for entry in later[-3:]]
    return lines or ["no bundle was ever promoted"]


def roll_back(home: Path, at: datetime) -> tuple[Entry, Entry]:
    """Go back to the promotion before the last. Returns the promotion taken back and the one now in force."""
    standing = champions(home, at)
    if len(standing) < 2:
        raise UsageError("there is no earlier promoted bundle to go back to", fix="dawnlist models list")
    left, now = standing[-1], standing[-2]
    write(home, Entry(at=at, action="rolled_back", bundle=left.bundle, until=left.until, why=f"back to {now.bundle}"))
    return left, now
