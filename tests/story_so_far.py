"""The story of the little shop in chapters: each is made once for all workers, and every test has a copy of its own."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import little_shop as shop
import pytest
from command import Home
from filelock import FileLock

TRAINED, LISTED, LABELLED = 20, 21, 36  # the days of the first bundle, the first list, and the first list with risks
SETTINGS = {"RISK_MIN_BAD_LABELS": "10", "RISK_TRAIN_DAYS": "32", "RISK_THREADS": "2"}

Tell = Callable[[Home], None]


class Chapters:
    """Homes as they stood at the end of each chapter, in a folder that the workers of a test run share."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.lock = FileLock(folder / "lock")
        with self.lock:
            self.pack = shop.pack(folder)

    def end_of(self, name: str) -> Home:
        """The home at the end of a chapter. Not to be changed: see `copy`."""
        path = self.folder / name
        with self.lock:
            if not path.exists():
                before, tell = STORY[name]
                draft = Home(self.folder / f"{name}.draft", self.pack, SETTINGS)
                if before:
                    shutil.copytree(self.end_of(before).path, draft.path, symlinks=True)
                tell(draft)
                (self.folder / f"{name}.json").write_text(json.dumps(draft.log))
                draft.path.rename(path)
        return Home(path, self.pack, SETTINGS)

    def copy(self, name: str, to: Path) -> Home:
        shutil.copytree(self.end_of(name).path, to, symlinks=True)
        return Home(to, self.pack, SETTINGS)

    def printed(self) -> list[str]:
        """All that the commands of the chapters printed."""
        return [text for name in STORY for text in json.loads((self.folder / f"{name}.json").read_text())]


def three_weeks(home: Home) -> None:
    """Three weeks of old files, and a first bundle from them. No labels yet."""
    now = shop.morning_after(TRAINED)
    files = shop.history(home.path / "landing" / "old", TRAINED)
    home.run_ok("ingest", "--history", *[word for file in files for word in ("--events", file)], now=now)
    home.run_ok("train", "--until", shop.day(TRAINED), now=now, RISK_TRAIN_DAYS="14")


def first_list(home: Home) -> None:
    shop.deliver(home.path, LISTED)
    home.run_ok("run", "--day", shop.day(LISTED), now=shop.morning_after(LISTED))


def with_labels(home: Home) -> None:
    """Two more weeks; verdicts and chargebacks; retraining; the lead promotes the challenger by hand.

    By itself it would not take over: the odd accounts are so odd that surprise ranks them as well.
    """
    listed = [row["user_id"] for row in home.rows(shop.day(LISTED))]
    verdicts = shop.verdicts(home.path / "verdicts.csv", LISTED, listed)
    home.run_ok("feedback", verdicts, now=f"{shop.day(LISTED + 1)}T15:00:00+00:00")

    now = shop.morning_after(LABELLED - 1)
    weeks, labels = home.path / "landing" / "weeks", home.path / "landing" / "chargebacks.csv"
    for n in range(LISTED + 1, LABELLED):
        shop.write(weeks / f"{shop.day(n)}.csv", shop.events_of(n))
    charged_back = [row for n in range(LABELLED) if n != LISTED for row in shop.labels_of(n)]
    known = [row for row in charged_back if row["known_at"].date() < shop.day(LABELLED)]
    home.run_ok("ingest", "--history", "--events", weeks, now=now)
    home.run_ok("ingest", "--labels", shop.write(labels, known, shop.LABEL_COLUMNS), now=now)
    result = home.run_ok("train", "--until", shop.day(LABELLED - 1), "--json", now=now).json
    home.run_ok("models", "promote", result[-1]["details"]["bundle"], now=now)
    shop.deliver(home.path, LABELLED)
    home.run_ok("run", "--day", shop.day(LABELLED), now=shop.morning_after(LABELLED))


STORY: dict[str, tuple[str | None, Tell]] = {
    "three weeks": (None, three_weeks),
    "first list": ("three weeks", first_list),
    "with labels": ("first list", with_labels),
}


@pytest.fixture(scope="session")
def chapters(tmp_path_factory: pytest.TempPathFactory) -> Chapters:
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    own = tmp_path_factory.getbasetemp()
    return Chapters((own.parent if is_worker else own) / "story")


@pytest.fixture
def at_end_of(chapters: Chapters, tmp_path: Path) -> Callable[[str], Home]:
    """A copy of the home as it stood at the end of a chapter."""
    return lambda name: chapters.copy(name, tmp_path / "home")
