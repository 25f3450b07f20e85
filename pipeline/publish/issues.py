"""Where lists live. An issue is never changed; which one a day shows is a link, swapped in one step.

lists/issues/day=D/<issue>/     risk_list.csv, risk_list.parquet, manifest.json
lists/issues/day=D/current.json the issue shown, and the as_of of the run that chose it
lists/day=D                     link to the issue shown
"""

import shutil
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from pipeline.errors import InputError
from pipeline.files import publish, read_json, read_model, scratch, sha256_of, sync, write_json

if TYPE_CHECKING:
    import pyarrow as pa

FILES = ("risk_list.csv", "risk_list.parquet")
CURRENT = "current.json"


class Current(BaseModel):
    """current.json."""

    model_config = ConfigDict(frozen=True)

    issue: str
    as_of: AwareDatetime


class Promise(BaseModel):
    wrong_share_promised: float | None
    wrong_share_expected: float | None


class Rows(BaseModel):
    scored: int
    listed: int


class Shown(BaseModel):
    """What we read of a manifest.json; it says more."""

    day: date
    issue: str
    as_of: AwareDatetime
    domain: dict[str, str]
    ranked_by: str
    ranked_by_why: str
    promise: Promise
    rows: Rows
    warnings: list[str]
    outputs: dict[str, str]


def issue_folder(home: Path, day: date, issue: str) -> Path:
    return home / "lists" / "issues" / f"day={day}" / issue


def link_path(home: Path, day: date) -> Path:
    return home / "lists" / f"day={day}"


def is_whole(folder: Path) -> bool:
    """Whether an issue is there with the bytes its manifest promises."""
    if not (folder / "manifest.json").is_file():
        return False
    outputs = read_manifest(folder)["outputs"]
    return all((folder / name).is_file() and sha256_of(folder / name) == sha for name, sha in outputs.items())


def read_manifest(folder: Path) -> dict[str, Any]:
    """An issue's manifest. Raises InputError if it is damaged."""
    read_model(folder / "manifest.json", Shown)
    manifest: dict[str, Any] = read_json(folder / "manifest.json")
    return manifest


def add(home: Path, day: date, issue: str, aside: Path) -> None:
    """Move a finished folder into place. A damaged issue of that name, which it replaces, gives way."""
    target = issue_folder(home, day, issue)
    if target.exists():
        shutil.rmtree(target)
    publish(aside, target)


def show(home: Path, day: date, issue: str, as_of: datetime) -> bool:
    """Let the day's link show `issue`, unless the one shown knows more: was chosen by a later `as_of`.

    Returns whether the link shows `issue` now. A link that a killed run left behind is mended.
    """
    note = issue_folder(home, day, issue).parent / CURRENT
    current = read_model(note, Current) if note.is_file() else None
    if current is None or current.as_of <= as_of:
        current = Current(issue=issue, as_of=as_of)
    with scratch(home, "publish") as aside:
        write_json(aside / note.name, {"issue": current.issue, "as_of": current.as_of.isoformat()})
        publish(aside / note.name, note)
        _point(link_path(home, day), Path("issues") / f"day={day}" / current.issue, aside / "link")
    return current.issue == issue


def _point(link: Path, target: Path, aside: Path) -> None:
    """Let `link` point to `target` in one step: readers find the old list or the new one."""
    if link.is_symlink() and link.readlink() == target:
        return
    aside.symlink_to(target)
    aside.replace(link)
    sync(link.parent)


def days(home: Path) -> list[date]:
    """Days that have a list, in order."""
    links = (home / "lists").glob("day=????-??-??")
    return sorted(date.fromisoformat(path.name.removeprefix("day=")) for path in links)


def read_list(home: Path, day: date) -> tuple["pa.Table", dict[str, Any]]:
    """The day's list as it was issued, and its manifest. Raises InputError if there is none, or it is damaged."""
    import pyarrow.parquet as pq

    link = link_path(home, day)
    if not link.exists():
        known = days(home)
        found = f"the newest list is of {known[-1]}" if known else "no list was published yet"
        raise InputError(f"no list of {day} in {home}", found, fix=f"dawnlist run --day {day}")
    folder = link.resolve()  # one issue, even if the link is swapped while we read
    if not is_whole(folder):
        raise InputError(
            f"the list of {day} is damaged: issue {folder.name} is not what its manifest says",
            fix=f"dawnlist publish --day {day}",
        )
    return pq.ParquetFile(folder / "risk_list.parquet").read(), read_manifest(folder)
