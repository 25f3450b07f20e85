"""Where lists are kept. A revision never changes; a link shows a day's current one and is swapped in one step.

lists/revisions/day=D/<revision>/      risk_list.csv, risk_list.parquet, manifest.json
lists/revisions/day=D/current.json     the revision shown, and the as_of of the run that chose it
lists/day=D                            link to the revision shown
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from pipeline.checkpoints import has_failed
from pipeline.errors import InputError
from pipeline.period import Period
from pipeline.storage.files import publish, read_json, read_model, scratch, sha256_of, sync, write_json
from pipeline.storage.memo import MadeFrom

if TYPE_CHECKING:
    import pyarrow as pa

FILES = ("risk_list.csv", "risk_list.parquet")
CURRENT = "current.json"


class Current(BaseModel):
    """current.json."""

    model_config = ConfigDict(frozen=True)

    revision: str
    as_of: AwareDatetime


class ManifestCut(BaseModel):
    min_precision: float | None
    expected_precision: float | None


class ManifestRows(BaseModel):
    scored: int
    listed: int


class ListManifest(BaseModel):
    """The fields of a manifest.json that we read; it has more."""

    day: date
    first_day: date | None = None  # where a list is about several days
    revision: str
    as_of: AwareDatetime
    domain: dict[str, str]
    ranked_by: str
    ranked_by_why: str
    cut: ManifestCut
    rows: ManifestRows
    warnings: list[str]
    outputs: dict[str, str]


def revision_folder(home: Path, day: date, revision: str) -> Path:
    return home / "lists" / "revisions" / f"day={day}" / revision


def link_path(home: Path, day: date) -> Path:
    return home / "lists" / f"day={day}"


def is_whole(folder: Path) -> bool:
    """Whether a revision has the bytes that its manifest names."""
    if not (folder / "manifest.json").is_file():
        return False
    outputs = read_manifest(folder)["outputs"]
    return all((folder / name).is_file() and sha256_of(folder / name) == sha for name, sha in outputs.items())


def read_manifest(folder: Path) -> dict[str, Any]:
    """A revision's manifest. Raises InputError if it is damaged."""
    read_model(folder / "manifest.json", ListManifest)
    manifest: dict[str, Any] = read_json(folder / "manifest.json")
    return manifest


def period_of(manifest: Mapping[str, Any]) -> Period:
    """The days that a list is about."""
    last = date.fromisoformat(manifest["day"])
    return Period(date.fromisoformat(manifest.get("first_day", manifest["day"])), last)


@dataclass(frozen=True)
class Shelf:
    """Where a run with this `as_of` keeps its lists. A key is a day."""

    home: Path
    as_of: datetime

    def find(self, day: date, revision: str) -> dict[str, Any] | None:
        """The manifest of a whole revision. None if the list's checkpoint failed: then it is validated again."""
        folder = revision_folder(self.home, day, revision)
        if not is_whole(folder) or has_failed(self.home, day, "risk_list", self.as_of):
            return None
        return read_manifest(folder)

    def add(self, day: date, revision: str, made_from: MadeFrom, aside: Path) -> None:
        """Rename a finished list into place. It replaces a damaged revision of that name."""
        target = revision_folder(self.home, day, revision)
        if target.exists():
            shutil.rmtree(target)
        publish(aside, target)

    def note(self, day: date, revision: str) -> None:
        """Let the day's link show `revision`, unless a run with a later `as_of` chose the one shown.

        This also repairs the link of a killed run.
        """
        note = revision_folder(self.home, day, revision).parent / CURRENT
        current = _current(note)
        if current is None or current.as_of <= self.as_of:
            current = Current(revision=revision, as_of=self.as_of)
        with scratch(self.home, "publish") as aside:
            write_json(aside / note.name, {"revision": current.revision, "as_of": current.as_of.isoformat()})
            publish(aside / note.name, note)
            _point(link_path(self.home, day), Path("revisions") / f"day={day}" / current.revision, aside / "link")


def shown(home: Path, day: date) -> str | None:
    """The revision that the day's link shows."""
    current = _current(home / "lists" / "revisions" / f"day={day}" / CURRENT)
    return current.revision if current else None


def _current(note: Path) -> Current | None:
    return read_model(note, Current) if note.is_file() else None


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
    """The day's list as it was published, and its manifest. Raises InputError if there is none, or it is damaged."""
    import pyarrow.parquet as pq

    link = link_path(home, day)
    if not link.exists():
        listed = days(home)
        found = f"the newest list is of {listed[-1]}" if listed else "no list was published yet"
        raise InputError(f"no list of {day} in {home}", found, fix=f"dawnlist run --day {day}")
    folder = link.resolve()  # one revision, even if the link is swapped while we read
    if not is_whole(folder):
        raise InputError(
            f"the list of {day} is damaged: revision {folder.name} is not what its manifest says",
            fix=f"dawnlist publish --day {day}",
        )
    return pq.ParquetFile(folder / "risk_list.parquet").read(), read_manifest(folder)
