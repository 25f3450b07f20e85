"""What is written is whole, durable, and for its owner alone."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import little_shop as shop
import pytest
from pydantic import BaseModel
from story_so_far import LISTED, TRAINED

from pipeline.settings import PROJECT
from pipeline.storage import files


class Entry(BaseModel):
    n: int


def numbers(path: Path) -> list[int]:
    return [entry.n for entry in files.read_lines(path, Entry)]


def test_nobody_else_may_read_anything_in_a_home(at_end_of):
    home = at_end_of("first list")
    open_to_others = [
        str(path.relative_to(home.path))
        for path in home.path.rglob("*")
        if not path.is_symlink() and path.relative_to(home.path).parts[0] != "landing" and path.stat().st_mode & 0o077
    ]
    assert open_to_others == []


def test_a_new_home_is_private_itself(home):
    home.run_ok("ingest")
    assert home.path.stat().st_mode & 0o777 == 0o700


def test_a_file_that_was_open_to_others_is_private_once_it_is_published(tmp_path):
    made = tmp_path / "made"
    (made / "inner").mkdir(parents=True)
    (made / "inner" / "list.csv").write_text("ann")
    (made / "inner" / "list.csv").chmod(0o666)
    files.publish(made, tmp_path / "a" / "b")
    modes = [(tmp_path / "a" / name).stat().st_mode & 0o777 for name in (".", "b", "b/inner", "b/inner/list.csv")]
    assert modes == [0o700, 0o700, 0o700, 0o600]


def test_what_is_asked_of_the_umask_ends_with_the_block():
    before = os.umask(0o022)
    try:
        with files.private():
            pass
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


@pytest.mark.parametrize("write", [files.write_atomically, files.append_line, "publish"])
def test_every_new_folder_above_a_file_is_flushed(write, tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(files, "sync", flushed.append)
    path = tmp_path / "a" / "b" / "file"
    if write == "publish":
        (tmp_path / "aside").write_text("x")
        files.publish(tmp_path / "aside", path)
    else:
        write(path, "x")
    assert {tmp_path, tmp_path / "a", tmp_path / "a" / "b"} <= set(flushed)


def test_a_torn_line_is_kept_aside_and_the_ledger_goes_on(tmp_path):
    path = tmp_path / "ledger.jsonl"
    files.append_line(path, {"n": 1})
    for torn in (b'{"n": 2', b'{"n": 3}'):
        with path.open("ab") as file:
            file.write(torn)
        assert numbers(path) == [1]
    files.append_line(path, {"n": 4})
    files.append_line(path, {"n": 5})
    assert numbers(path) == [1, 4, 5]
    assert path.with_name("ledger.jsonl.torn").read_bytes() == b'{"n": 2{"n": 3}\n'


@pytest.mark.parametrize("point", ["fsync", "truncate"])
@pytest.mark.parametrize("nth", [1, 2])
def test_killed_while_it_mends_a_ledger_nothing_that_was_there_is_lost(point, nth, tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2')
    script = f"""
import os, signal
from pathlib import Path
from pipeline.storage import files
real, calls = os.{point}, 0
def deadly(*arguments):
    global calls
    calls += 1
    if calls == {nth}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
os.{point} = deadly
files.append_line(Path({str(path)!r}), {{"n": 3}})
"""
    killed = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(PROJECT)}, check=False)
    assert killed.returncode == (-signal.SIGKILL if (point, nth) != ("truncate", 2) else 0)
    files.append_line(path, {"n": 4})
    assert numbers(path)[0] == 1
    assert numbers(path)[-1] == 4
    assert b'{"n": 2' in path.with_name("ledger.jsonl.torn").read_bytes()


INTERRUPTED = """
import os, signal, sys
from pkgutil import resolve_name
holder, name = sys.argv.pop(1).rsplit(".", 1)
real = getattr(resolve_name(holder), name)
def interrupted(*arguments, **options):
    os.kill(os.getpid(), signal.SIGINT)
    return real(*arguments, **options)
setattr(resolve_name(holder), name, interrupted)
from pipeline.commands.cli import main
main()
"""


@pytest.mark.parametrize(
    ("point", "command"),
    [
        ("pipeline.ingest.load.open_reader", "ingest"),
        ("dbt.task.run.ModelRunner.execute", "features"),
        ("torch.optim.AdamW.step", "train"),
    ],
)
def test_ctrl_c_is_answered_in_one_line(point, command, at_end_of):
    home = at_end_of("three weeks")
    shop.deliver(home.path, LISTED)
    day = shop.day(TRAINED - 1)
    shutil.rmtree(home.path / "snapshots" / "user_days" / f"day={day}")
    options = {"ingest": (), "features": ("--from", day, "--to", day), "train": ("--until", day)}[command]
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, point, command, *map(str, options)],
        cwd=PROJECT,
        env=home.environment(shop.morning_after(LISTED)) | {"RISK_TRAIN_DAYS": "14", "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 130, ended.stderr
    assert ended.stderr == "stopped by Ctrl-C; run the same command again to go on\n"
