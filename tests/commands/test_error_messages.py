"""Errors say what was wanted, what was found and what to do; nothing is lost."""

import json
import os
import re
import shutil
import subprocess
import sys

import little_shop as shop
import pytest
from command import Home, explains_failure
from story_so_far import LISTED

from pipeline.settings import PROJECT

TODAY, NOW = shop.day(LISTED), shop.morning_after(LISTED)


def test_a_home_of_another_domain_is_explained(home):
    home.run_ok("ingest", now=NOW)
    for command in (("ingest",), ("show", "--day", TODAY), ("models", "list"), ("run", "--day", TODAY)):
        result = home.run(*command, now=NOW, RISK_DOMAIN="retail")
        assert explains_failure(result, 2, "holds the domain 'shop', not 'retail'", "RISK_HOME may contain {domain}")


def test_a_home_of_an_older_layout_is_explained(home):
    home.run_ok("ingest", now=NOW)
    (home.path / "home.json").write_text('{"domain": "shop"}')
    for command in (("ingest",), ("show", "--day", TODAY), ("models", "list"), ("run", "--day", TODAY)):
        result = home.run(*command, now=NOW)
        assert explains_failure(result, 2, "has layout 1", "works with layout 3", "set RISK_HOME to a new folder")


def test_a_home_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "file").write_text("in the way")
    home = Home(tmp_path / "file" / "home", shop.pack(tmp_path))
    assert explains_failure(home.run("ingest"), 2, "cannot use", "to fix: set RISK_HOME")


def test_an_empty_path_is_not_the_working_folder(home):
    for command in (("--events", ""), ("--labels", " "), ("--home", "")):
        assert explains_failure(home.run("ingest", *command), 2, "it is empty")
    assert explains_failure(home.run("ingest", RISK_HOME=""), 2, "RISK_HOME", "names no folder")
    assert explains_failure(home.run("feedback", ""), 2, "it is empty")


def test_a_home_no_database_can_be_in_is_explained(home):
    for odd in ("back\\slash", "what?", "a#b", "{{ x }}"):
        assert explains_failure(home.run("ingest", RISK_HOME=str(home.path / odd)), 2, "RISK_HOME", "open no database")
    assert not home.path.exists()


def test_a_pack_whose_file_name_cannot_name_the_home_is_explained(home):
    for pack in ("...yml", "a#b.yml", "what?.yml"):
        result = home.run("ingest", RISK_HOME=str(home.path / "{domain}"), RISK_DOMAIN=pack)
        assert explains_failure(result, 2, "file name cannot be part of it", "to fix: rename the pack's file")
    assert not home.path.exists()


def test_a_home_with_a_name_that_is_too_long_is_explained(home):
    result = home.run("ingest", RISK_HOME=str(home.path / ("x" * 300)))
    assert explains_failure(result, 2, "has 300 bytes, wanted at most 255", "to fix: set RISK_HOME")


def test_a_busy_home_ends_with_5_and_nothing_is_lost(home):
    shop.deliver(home.path, 0)
    home.run_ok("ingest", now=shop.morning_after(0))
    shop.deliver(home.path, LISTED)
    before = home.bytes_of("lake", "snapshots", "models")
    lines = (
        "import sys, time",
        "from filelock import FileLock",
        "lock = FileLock(sys.argv[1])",
        "lock.acquire()",
        "print('held', flush=True)",
        "time.sleep(60)",
    )
    command = [sys.executable, "-c", "\n".join(lines), str(home.path / ".lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        for arguments in (("run", "--day", TODAY), ("ingest",), ("models", "rollback")):
            assert explains_failure(
                home.run(*arguments, now=NOW), 5, "another dawnlist is working in", "RISK_LOCK_SECONDS"
            )
        assert home.run("models", "list").code == 0, "looking is always possible"
        other.kill()
    assert home.bytes_of("lake", "snapshots", "models") == before
    assert home.run_ok("ingest", "--json", now=NOW).json["accepted"] == len(shop.events_of(LISTED))


@pytest.fixture(scope="module")
def two_days(tmp_path_factory):
    """A home with a warehouse that has seen one of its two days, and the command that builds the other."""
    folder = tmp_path_factory.mktemp("two days")
    home = Home(folder / "home", shop.pack(folder))
    now = shop.morning_after(1)
    for n in (0, 1):
        shop.deliver(home.path, n)
    home.run_ok("ingest", now=now)
    home.run_ok("features", "--from", shop.day(0), "--to", shop.day(0), now=now)
    return home, lambda: home.run("features", "--from", shop.day(1), "--to", shop.day(1), now=now)


@pytest.mark.slow
def test_a_warehouse_open_elsewhere_ends_with_5(two_days):
    home, build = two_days
    opener = "import sys, time, duckdb; con = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", opener, str(home.path / "warehouse.duckdb")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "open\n"
        result = build()
        other.kill()
    assert explains_failure(result, 5, "the warehouse file is open in another process", "to fix: close it")


@pytest.mark.slow
def test_a_damaged_warehouse_is_explained(two_days):
    """It holds nothing that is not in the lake."""
    home, build = two_days
    (home.path / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    assert explains_failure(build(), 3, "warehouse.duckdb", "to fix: remove")
    (home.path / "warehouse.duckdb").unlink()
    assert build().code == 0


def test_a_stale_bundle_names_the_columns_and_what_to_run(at_end_of):
    home = at_end_of("first list")
    [path] = (home.path / "models").glob("*/bundle.json")
    facts = json.loads(path.read_text())
    facts["features"] = [*facts["features"][1:], "moon_phase"]
    path.write_text(json.dumps(facts))
    result = home.run("run", "--day", TODAY, now=NOW)
    assert explains_failure(result, 3, f"bundle {path.parent.name} was trained on", "features, fct_user_days has")
    assert re.search(r"only in bundle: moon_phase\n  only in table:  \w+\n  to fix: dawnlist train --until", result.err)


@pytest.mark.parametrize("name", ["autoencoder_1.safetensors", "fields.json", "ordinary.json"])
def test_a_damaged_bundle_is_explained(name, at_end_of):
    home = at_end_of("first list")
    [path] = (home.path / "models").glob(f"*/{name}")
    path.write_bytes(path.read_bytes()[:-20])
    forget_scores(home)
    result = home.run("score", "--day", TODAY, now=NOW)
    assert explains_failure(
        result, 3, f"is damaged: {name} is not the file that training wrote", "dawnlist models rollback"
    )


def test_a_bundle_that_is_gone_is_explained(at_end_of):
    home = at_end_of("first list")
    [path] = (home.path / "models").glob("*/bundle.json")
    path.unlink()
    assert explains_failure(home.run("score", "--day", TODAY, now=NOW), 3, f"no bundle {path.parent.name!r}")


@pytest.mark.parametrize("table", ["user_days", "event_tokens"])
def test_a_damaged_snapshot_is_explained_and_can_be_made_again(table, at_end_of):
    home = at_end_of("first list")
    forget_scores(home)
    [path] = (home.path / "snapshots" / table / f"day={TODAY}").glob("*.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    result = home.run("score", "--day", TODAY, now=NOW)
    assert explains_failure(result, 3, f"of {table} for {TODAY} is damaged", f"to fix: remove {path.with_suffix('')}*")
    for part in path.parent.glob(f"{path.stem}*"):
        part.unlink()
    home.run_ok("features", "--from", TODAY, "--to", TODAY, now=NOW)
    assert path.read_bytes() == whole
    home.run_ok("score", "--day", TODAY, now=NOW)


def forget_scores(home):
    for table in ("scores", "contributions"):
        for path in (home.path / "snapshots" / table / f"day={TODAY}").iterdir():
            path.unlink()


def test_a_damaged_list_is_explained_and_published_again(at_end_of):
    home = at_end_of("first list")
    before = home.bytes_of("lists")
    (home.list_of(TODAY) / "risk_list.parquet").write_bytes(b"")
    result = home.run("show", "--day", TODAY, now=NOW)
    assert explains_failure(result, 3, f"the list of {TODAY} is damaged", f"to fix: dawnlist publish --day {TODAY}")
    home.run_ok("publish", "--day", TODAY, now=NOW)
    assert home.bytes_of("lists") == before


@pytest.mark.parametrize("content", ['{"broken": \n', "[]\n", "{}\n", "7\n", '{"as_of": 7, "id": []}\n', "[" * 100_000])
@pytest.mark.parametrize("kind", ["ledger", "batch", "snapshot", "owner", "seen", "revision", "current", "report"])
def test_a_damaged_note_is_explained_by_its_name(kind, content, at_end_of):
    home = at_end_of("first list")
    pattern = {
        "seen": f"snapshots/user_days/day={TODAY}/seen.jsonl",
        "revision": f"lists/revisions/day={TODAY}/*/manifest.json",
        "current": f"lists/revisions/day={TODAY}/current.json",
        "report": f"reports/day={TODAY}/user_days.json",
        "ledger": "models/registry.jsonl",
        "batch": "lake/batches/events-*.json",
        "snapshot": f"snapshots/user_days/day={TODAY}/*.json",
        "owner": "home.json",
    }[kind]
    path = next(home.path.glob(pattern))
    path.write_text(content if kind != "seen" and kind != "ledger" else f"{content.strip()}\n")
    step = "publish" if kind in ("revision", "current", "report") else "run"
    assert explains_failure(home.run(step, "--day", TODAY, now=NOW), 3, str(path.relative_to(home.path)), "backup")


def test_a_key_mark_of_the_wrong_shape_is_explained(at_end_of):
    home = at_end_of("first list")
    (home.path / "lake" / "key.json").write_text("[]")
    assert explains_failure(home.run("ingest", now=NOW), 3, "lake/key.json is damaged", "backup")


def test_a_lock_that_is_a_folder_is_explained(home):
    (home.path / ".lock").mkdir(parents=True)
    assert explains_failure(home.run("ingest"), 2, ".lock is a folder", "to fix: remove it")


@pytest.mark.parametrize("command", [("ingest",), ("show", "--day", TODAY), ("models", "list"), ("doctor",)])
def test_a_home_that_is_a_file_is_explained(command, home):
    home.path.write_text("in the way")
    assert explains_failure(home.run(*command), 2, "is a file, wanted a folder", "set RISK_HOME")


DAMAGE = {
    "swapped": lambda path, other: path.write_bytes(other.read_bytes()),
    "cut": lambda path, other: path.write_bytes(path.read_bytes()[:-1]),
    "missing": lambda path, other: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_lake_is_explained_before_anything_is_made_of_it(damage, at_end_of):
    home = at_end_of("first list")
    shutil.rmtree(home.path / "snapshots")
    days = [home.path / "lake" / "events" / f"event_day={day}" for day in (TODAY, shop.day(LISTED - 2))]
    path, other = (next(folder.iterdir()) for folder in days)
    DAMAGE[damage](path, other)
    for command in (("features", "--from", TODAY, "--to", TODAY), ("run", "--day", TODAY)):
        result = home.run(*command, now=NOW)
        assert explains_failure(
            result, 3, "files are damaged", str(path.relative_to(home.path)), "to fix: restore", "doctor"
        )
    shop.deliver(home.path, LISTED, [*shop.events_of(LISTED), *shop.events_of(LISTED)[:1]], "again")
    assert explains_failure(home.run("ingest", now=NOW), 3, str(path.relative_to(home.path)))


@pytest.mark.slow
def test_the_key_of_a_home_is_made_once_kept_and_missed(home):
    home.settings["RISK_KEY"] = ""
    del home.settings["RISK_KEY"]
    shop.deliver(home.path, LISTED)
    environment = {name: value for name, value in home.environment(NOW).items() if name != "RISK_KEY"}

    def ingest():
        command = [sys.executable, "-m", "pipeline", "ingest"]
        return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)

    assert ingest().returncode == 0
    key = home.path / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.rename(home.path / "elsewhere")
    lost = ingest()
    assert lost.returncode == 2
    assert "the pseudonymisation key of this home is gone" in lost.stderr
    assert "Traceback" not in lost.stderr
    assert "to fix: restore" in lost.stderr


def test_another_key_than_the_homes_own_is_refused(home):
    shop.deliver(home.path, LISTED)
    home.run_ok("ingest", now=NOW)
    result = home.run("ingest", now=NOW, RISK_KEY="another-key-that-is-long-enough")
    assert explains_failure(result, 2, "this is not the pseudonymisation key this home began with")
    assert "another-key" not in result.err


def test_a_full_disk_is_explained_in_words_and_the_next_run_goes_on(at_end_of):
    """A limit on the size of files stands in for the disk."""
    home = at_end_of("three weeks")
    shop.deliver(home.path, LISTED)
    limit = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    script = f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); {limit}; import sys"
    command = [
        sys.executable,
        "-c",
        f"{script}; sys.argv[0] = 'dawnlist'; from pipeline.commands.cli import main; main()",
    ]
    ended = subprocess.run(
        [*command, "ingest"], cwd=PROJECT, env=home.environment(NOW), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "to fix: make room on the disk" in ended.stderr
    answer = home.run_ok("ingest", "--json", now=NOW).json
    assert answer["accepted"] == len(shop.events_of(LISTED))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_home_of_somebody_else_is_explained(tmp_path):
    from pipeline.domain import Domain
    from pipeline.errors import UsageError
    from pipeline.settings import Settings
    from pipeline.warehouse import locked

    (tmp_path / "home").mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    domain = Domain.load(str(shop.pack(tmp_path)))
    os.seteuid(65534)
    try:
        with pytest.raises(UsageError, match="cannot"), locked(Settings(home=tmp_path / "home"), domain):
            pass
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("name", ["contents.json", "home.json", "lake/batches/events-x.json"])
def test_a_folder_where_a_file_belongs_is_explained(name, home):
    shop.deliver(home.path, 0)
    os.utime(home.path / "landing" / "events" / f"{shop.day(0)}.csv", (0, 0))
    (home.path / name).mkdir(parents=True)
    result = home.run("ingest", now=NOW)
    assert result.code in (0, 2, 3) and "Traceback" not in result.err
    if result.code:
        assert name in result.err and "to fix: " in result.err


@pytest.mark.parametrize("name", ["quarantine", "scratch", "lake"])
def test_a_file_where_a_folder_belongs_is_explained(name, home):
    shop.deliver(home.path, 0, [*shop.events_of(0), {**shop.events_of(0)[0], "event_type": "teleport"}])
    (home.path / name).write_text("in the way")
    assert explains_failure(home.run("ingest", now=NOW), 2, f"{home.path / name}", "move it away")
