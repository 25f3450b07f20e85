"""A list is whole on disk or absent, whenever the process is killed and whoever reads meanwhile."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from listed import files, users
from small_day import AS_OF, RISKS, add_bundle, add_scores

from pipeline.settings import PROJECT

LATER = AS_OF + timedelta(days=2)


KILLED = """
import os, sys
from pathlib import Path
sys.path[:0] = {tests!r}
import small_day
from pipeline.storage import files
from pipeline import publish
from pipeline.context import Run
from pipeline.settings import Settings
calls = 0

def stop(real):
    def watched(*given, **named):
        global calls
        calls += 1
        if calls == {at}:
            os.kill(os.getpid(), 9)
        return real(*given, **named)
    return watched

for name in ("fsync", "mkdir", "rename", "replace", "symlink"):
    setattr(os, name, stop(getattr(os, name)))
settings = Settings(home=Path({home!r}))
run = Run(settings, small_day.SHOP, small_day.DAY, small_day.AS_OF)
publish.sentences = small_day.words
publish.run(run)
"""


@pytest.mark.slow
@pytest.mark.parametrize("at", [16, 28, 37])
def test_killed_at_any_write_and_run_again_it_leaves_the_same_bytes(tmp_path, publish_in, at):
    for name in ("killed", "calm"):
        (tmp_path / name).mkdir()
        add_bundle(tmp_path / name)
        add_scores(tmp_path / name)
    code = KILLED.format(
        tests=[str(PROJECT / "tests" / "publish"), str(PROJECT / "tests")], at=at, home=str(tmp_path / "killed")
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    publish_in(tmp_path / "killed")
    publish_in(tmp_path / "calm")
    assert files(tmp_path / "killed") == files(tmp_path / "calm")
    assert not list((tmp_path / "killed" / "scratch").iterdir())


def watch(monkeypatch, names, before=lambda *_: None, after=lambda *_: None):
    """Call `before` and `after` around each of these functions of `os`, with its name and its arguments."""

    def watched(name, real):
        def call(*given, **named):
            before(name, *given)
            result = real(*given, **named)
            after(name, *given)
            return result

        return call

    for name in names:
        monkeypatch.setattr(os, name, watched(name, getattr(os, name)))


def test_readers_always_find_a_whole_list_while_the_link_is_swapped(home, publish_day, monkeypatch):
    publish_day()
    add_scores(home, RISKS | {"hal": 0.99}, as_of=LATER, salt="late events")
    firsts = []
    with monkeypatch.context() as watching:
        changing = ("mkdir", "rename", "replace", "symlink", "unlink", "rmdir")
        watch(watching, changing, after=lambda *_: firsts.append(users(home)[0]))
        publish_day(as_of=LATER)
    assert set(firsts) == {"ann", "hal"} and firsts == sorted(firsts)


def test_each_step_is_on_the_disk_before_the_next(home, publish_day, monkeypatch):
    """What is renamed was flushed before, and its folder is flushed before anything else is renamed."""
    flushed, hasty, folder = set(), [], None

    def before(name, *given):
        nonlocal folder
        if name == "fsync":
            flushed.add(os.fstat(given[0]).st_ino)
            return
        source, target = map(Path, given)
        if not target.is_relative_to(home):
            return
        if folder is not None and folder.stat().st_ino not in flushed:
            hasty.append(folder)
        if not source.is_symlink() and source.stat().st_ino not in flushed:
            hasty.append(source)
        folder = target.parent
        flushed.discard(folder.stat().st_ino)

    watch(monkeypatch, ("fsync", "rename", "replace"), before=before)
    publish_day()
    assert hasty == [] and folder == home / "lists"
    assert folder.stat().st_ino in flushed
