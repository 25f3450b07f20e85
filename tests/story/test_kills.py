"""A process killed at any point loses nothing: the same command again ends with the bytes of an undisturbed run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import little_shop as shop
import pytest
from command import Home
from story_so_far import LISTED, TRAINED, Chapters

from pipeline.settings import PROJECT

KEPT = ("lists", "snapshots", "lake", "models", "quarantine", "reports", "verdicts", "landing")
NOW = shop.morning_after(LISTED)
RUN = ("run", "--day", str(shop.day(LISTED)))
TRAIN = ("train", "--until", str(shop.day(TRAINED)))


class Killer:
    """Gives orders to killing.py."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        command = [sys.executable, str(Path(__file__).with_name("killing.py"))]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT, env=environment
        )
        assert self._answer() == "ready"

    def _answer(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def run(self, home: Home, arguments: tuple[str, ...], now: str, point: str = "") -> dict[str, int | None]:
        assert self.process.stdin
        log = home.path.parent / f"{home.path.name}.log"
        environment = home.environment(now, RISK_TRAIN_DAYS="9")
        words = [word.format(home=home.path) for word in arguments]
        order = {"arguments": words, "environment": environment, "log": str(log), "point": point}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer: dict[str, int | None] = self._answer()
        home.log.append(log.read_text())
        return answer

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    made = Killer()
    yield made
    made.close()


def everything(home: Home) -> dict[str, bytes]:
    """All that must be the same again; a line cut short is kept aside."""
    return {name: content for name, content in home.bytes_of(*KEPT).items() if not name.endswith(".torn")}


class Undisturbed:
    """For each command, the home before it and all bytes after it, made once."""

    def __init__(self, chapters: Chapters, killer: Killer, folder: Path) -> None:
        self.chapters, self.killer, self.folder = chapters, killer, folder
        self.after: dict[str, dict[str, bytes]] = {}

    def before(self, name: str, to: Path) -> Home:
        home = self.chapters.copy(BEFORE[name][0], to)
        PREPARE[name](home)
        return home

    def bytes_after(self, name: str) -> dict[str, bytes]:
        if name not in self.after:
            home = self.before(name, self.folder / name)
            ended = self.killer.run(home, *BEFORE[name][1:])
            assert ended["code"] == 0, home.log[-1]
            self.after[name] = everything(home)
            shutil.rmtree(home.path)
        return self.after[name]


@pytest.fixture(scope="module")
def undisturbed(chapters: Chapters, killer: Killer, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return Undisturbed(chapters, killer, tmp_path_factory.mktemp("undisturbed"))


def delivered(home: Home) -> None:
    """A day's events, with rows that will be refused, and some labels."""
    rows = shop.events_of(LISTED)
    path = shop.write(home.path / "landing" / "events" / "today.csv", rows)
    with path.open("a") as file:
        file.write("broken,row\n,,,,\n")
    shop.deliver_labels(home.path, 0, 14)


def not_published(home: Home) -> None:
    """The day has its features, and neither scores nor a list."""
    for made in ("scores", "contributions", "embeddings"):
        shutil.rmtree(home.path / "snapshots" / made)
    shutil.rmtree(home.path / "lists")


def not_trained(home: Home) -> None:
    shutil.rmtree(home.path / "models")


def found_out(home: Home) -> None:
    shop.verdicts(home.path / "verdicts.csv", LISTED, [*(row["user_id"] for row in home.rows(shop.day(LISTED))), "x"])


BEFORE: dict[str, tuple[Any, ...]] = {
    "run": ("three weeks", RUN, NOW),
    "publish": ("first list", RUN, NOW),
    "train": ("three weeks", TRAIN, shop.morning_after(TRAINED)),
    "feedback": ("first list", ("feedback", "{home}/verdicts.csv"), f"{shop.day(LISTED + 1)}T15:00:00+00:00"),
}
PREPARE = {"run": delivered, "publish": not_published, "train": not_trained, "feedback": found_out}

# In the order in which a command comes to them.
POINTS = {
    "run": (
        "after call pipeline.ingest.row_checks:RowChecker.add",
        "before rename lake/batches/events-*.json",
        "after rename lake/labels/*.parquet",
        "before rename reports/day=*/events.json",
        "dbt int_first_seen",
        "dbt fct_user_days",
        "after rename snapshots/user_days/day=*/*.parquet",
        "half line pipeline.storage.snapshots",
    ),
    "publish": (
        "after call pipeline.score.user_days:apply",
        "after rename snapshots/scores/day=*/*.json",
        "after rename snapshots/embeddings/day=*/*.parquet",
        "before rename lists/revisions/day=*/????????????",
        "after rename lists/revisions/day=*/????????????",
        "after rename lists/revisions/day=*/current.json",
        "after rename lists/day=*",
    ),
    "train": (
        "after call pipeline.train.fitting:train_autoencoder",
        "after rename models/????-??-??-*",
        "half line pipeline.models.registry",
    ),
    "feedback": ("after rename verdicts/*.parquet", "before rename lake/batches/labels-*.json"),
}


@pytest.mark.parametrize("command", POINTS)
def test_killed_again_and_again_and_run_once_more(command, undisturbed, killer, tmp_path):
    """Each run is killed a step further on than the one before it, and finds what that left behind."""
    home = undisturbed.before(command, tmp_path / "home")
    arguments, now = BEFORE[command][1:]
    for point in POINTS[command]:
        killed = killer.run(home, arguments, now, point)
        assert killed["signal"] == 9, f"never came to {point}:\n{home.log[-1]}"
    again = killer.run(home, arguments, now)
    assert again["code"] == 0, home.log[-1]
    expected, found = undisturbed.bytes_after(command), everything(home)
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert [path for path in (home.path / "scratch").rglob("*") if path.is_file()] == [], "left aside, and now gone"
