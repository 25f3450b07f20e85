"""The command line teaches, tells what went wrong and what to do, and ends with a code a script can rely on."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import timedelta

import little_shop as shop
import pytest
from command import Home
from story_so_far import LISTED

from pipeline.settings import PROJECT

TODAY, NOW = shop.day(LISTED), shop.morning_after(LISTED)
COMMANDS = (
    *("ingest", "features", "validate", "train", "score", "publish", "run", "backfill", "show", "feedback"),
    *("models list", "models promote", "models rollback"),
)


@pytest.fixture
def home(tmp_path):
    """A home where nothing was ever done."""
    return Home(tmp_path / "home", shop.pack(tmp_path))


def is_told(said, code, *words):
    """The error is a few lines for people: what was wanted, what was found, what to do."""
    assert said.code == code, f"{said.code}: {said.out}{said.err}"
    assert "Traceback" not in said.out + said.err
    for word in words:
        assert word in said.err, f"{word!r} is not in {said.err!r}"
    return True


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_and_what_its_options_mean(command, home):
    said = home.does(*command.split(), "--help")
    first = said.out.split("\n\n")[1].strip()
    assert first.endswith(".")
    assert "--home" in said.out
    assert "--json" in said.out
    for line in said.out.splitlines():
        if option := re.match(r"  --[a-z-]+(?: [A-Z]+)?$", line):
            pytest.fail(f"{option[0].strip()} is not explained")


def test_help_begins_with_a_first_list_and_ends_with_the_exit_codes(home):
    said = home.does("--help")
    for word in ("dawnlist ingest --history", "dawnlist train", "dawnlist run", "dawnlist show", "4 a door refused"):
        assert word in said.out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("run",), "--day"),
        (("run", "--day", "yesterday"), "is not a day like 2026-11-22"),
        (("run", "--day", "2026-13-01"), "is not a day like 2026-11-22"),
        (("run", "--day", "2026-01-26", "--as-of", "noon"), "is not a time like"),
        (("run", "--day", "2026-01-26", "--list-size", "0"), "--list-size"),
        (("run", "--day", "2026-01-26", "--list-size", "200000"), "RISK_LIST_SIZE"),
        (("show", "--day", "2026-01-26", "--limit", "0"), "--limit"),
        (("shw",), "No such command"),
        (("features", "--from", "2026-01-20", "--to", "2026-01-10"), "the range ends before it begins"),
        (("backfill", "--from", "2026-01-20", "--to", "2026-01-10"), "the range ends before it begins"),
        (("run", "--day", "2026-01-27"), "2026-01-27 is not over yet"),
        (("train", "--until", "2026-02-27"), "2026-02-27 is not over yet"),
        (("show", "--day", "2026-01-26", "--domain", "shoop"), "packs here: payments, retail, shop"),
    ],
)
def test_wrong_usage_ends_with_2(arguments, word, home):
    assert is_told(home.says(*arguments, now=NOW), 2, word)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RISK_LIST_SIZE", "many"),
        ("RISK_MIN_BAD_LABELS", "3"),
        ("RISK_TRAIN_DAYS", "0"),
        ("RISK_MEMORY_LIMIT", "plenty"),
        ("RISK_THREADS", "-1"),
        ("RISK_NOW", "2026-01-26 04:00"),
        ("RISK_LOCK_SECONDS", "soon"),
    ],
)
def test_a_wrong_setting_is_named(name, value, home):
    said = home.says("show", "--day", TODAY, **{name: value})
    assert is_told(said, 2, "a setting is wrong", name, "to fix: correct the environment")


def test_a_wrong_domain_pack_is_told_field_by_field(tmp_path):
    pack = shop.pack(tmp_path, currency="euros", event_types={"browse": "looking"})
    assert is_told(Home(tmp_path / "home", pack).says("ingest"), 2, "is wrong", "currency", "event_types.browse")


def test_a_pack_that_is_no_yaml_is_told(tmp_path):
    pack = tmp_path / "shop.yml"
    pack.write_text("name: [shop\n")
    assert is_told(Home(tmp_path / "home", pack).says("ingest"), 2, "is not YAML", "to fix: correct")


@pytest.mark.parametrize("content", ["", "- shop\n", "\x00"])
def test_a_pack_that_is_no_mapping_is_told(content, tmp_path):
    pack = tmp_path / "shop.yml"
    pack.write_text(content)
    assert is_told(Home(tmp_path / "home", pack).says("ingest"), 2, "to fix: correct")


def test_a_home_of_another_domain_is_told(home):
    home.does("ingest", now=NOW)
    for command in (("ingest",), ("show", "--day", TODAY), ("models", "list"), ("run", "--day", TODAY)):
        said = home.says(*command, now=NOW, RISK_DOMAIN="retail")
        assert is_told(said, 2, "holds the domain 'shop', not 'retail'", "RISK_HOME may contain {domain}")


def test_a_home_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    home = Home(tmp_path / "file" / "home", shop.pack(tmp_path))
    assert is_told(home.says("ingest"), 2, "cannot use", "to fix: set RISK_HOME")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("show", "--day", TODAY), ("no list up to 2026-01-26", "dawnlist run --day 2026-01-26")),
        (("score", "--day", TODAY), ("no bundle in use", "no bundle was ever promoted", "dawnlist train --until")),
        (("publish", "--day", TODAY), ("no bundle in use",)),
        (("features", "--from", TODAY, "--to", TODAY), ("no events up to 2026-01-26", "dawnlist ingest")),
        (("train", "--until", TODAY), ("no events up to 2026-01-26",)),
        (("models", "promote", "2026-01-25-nonsense"), ("no bundle '2026-01-25-nonsense'", "bundles here: none")),
        (("models", "promote", "../landing"), ("no bundle", "dawnlist models list")),
        (("feedback", "verdicts.csv"), ("cannot read verdicts.csv", "No such file")),
        (("ingest", "--events", "nowhere.csv"), ("no file nowhere.csv",)),
    ],
)
def test_what_is_missing_ends_with_3_and_says_how_to_make_it(command, words, home):
    assert is_told(home.says(*command, now=NOW), 3, *words)


def test_nothing_to_roll_back_ends_with_2(home):
    assert is_told(home.says("models", "rollback"), 2, "no earlier promoted bundle")


def test_a_busy_home_ends_with_5_and_nothing_is_lost(at_end_of):
    home = at_end_of("three weeks")
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
            assert is_told(home.says(*arguments, now=NOW), 5, "another dawnlist is working in", "RISK_LOCK_SECONDS")
        assert home.says("models", "list").code == 0, "looking is always possible"
        other.kill()
    assert home.bytes_of("lake", "snapshots", "models") == before
    assert home.does("ingest", "--json", now=NOW).json["accepted"] == len(shop.events_of(LISTED))


def test_a_warehouse_open_elsewhere_ends_with_5(at_end_of):
    home = at_end_of("three weeks")
    shop.deliver(home.path, LISTED)
    home.does("ingest", now=NOW)
    opener = "import sys, time, duckdb; con = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", opener, str(home.path / "warehouse.duckdb")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "open\n"
        said = home.says("features", "--from", TODAY, "--to", TODAY, now=NOW)
        other.kill()
    assert is_told(said, 5, "the warehouse file is open in another process", "to fix: close it")


def test_a_damaged_warehouse_is_told(at_end_of):
    """It holds nothing that is not in the lake."""
    home = at_end_of("three weeks")
    shop.deliver(home.path, LISTED)
    home.does("ingest", now=NOW)
    (home.path / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    said = home.says("features", "--from", TODAY, "--to", TODAY, now=NOW)
    assert is_told(said, 3, "warehouse.duckdb", "to fix: remove")
    (home.path / "warehouse.duckdb").unlink()
    home.does("features", "--from", TODAY, "--to", TODAY, now=NOW)


def test_a_stale_bundle_names_the_columns_and_what_to_run(at_end_of):
    home = at_end_of("first list")
    [path] = (home.path / "models").glob("*/bundle.json")
    facts = json.loads(path.read_text())
    facts["features"] = [*facts["features"][1:], "moon_phase"]
    path.write_text(json.dumps(facts))
    said = home.says("run", "--day", TODAY, now=NOW)
    assert is_told(said, 3, f"bundle {path.parent.name} was trained on", "features, fct_user_days has")
    assert re.search(r"only in bundle: moon_phase\n  only in table:  \w+\n  to fix: dawnlist train --until", said.err)


@pytest.mark.parametrize("name", ["autoencoder.safetensors", "fields.json", "reference.json"])
def test_a_damaged_bundle_is_told(name, at_end_of):
    home = at_end_of("first list")
    [path] = (home.path / "models").glob(f"*/{name}")
    path.write_bytes(path.read_bytes()[:-20])
    forget_scores(home)
    said = home.says("score", "--day", TODAY, now=NOW)
    assert is_told(said, 3, f"is damaged: {name} is not the file that was trained", "dawnlist models rollback")


def test_a_bundle_that_is_gone_is_told(at_end_of):
    home = at_end_of("first list")
    [path] = (home.path / "models").glob("*/bundle.json")
    path.unlink()
    assert is_told(home.says("score", "--day", TODAY, now=NOW), 3, f"no bundle {path.parent.name!r}")


@pytest.mark.parametrize("table", ["user_days", "event_tokens"])
def test_a_damaged_snapshot_is_told_and_can_be_made_again(table, at_end_of):
    home = at_end_of("first list")
    forget_scores(home)
    [path] = (home.path / "snapshots" / table / f"day={TODAY}").glob("*.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    said = home.says("score", "--day", TODAY, now=NOW)
    assert is_told(said, 3, f"of {table} for {TODAY} is damaged", f"to fix: remove {path.with_suffix('')}*")
    for part in path.parent.glob(f"{path.stem}*"):
        part.unlink()
    home.does("features", "--from", TODAY, "--to", TODAY, now=NOW)
    assert path.read_bytes() == whole
    home.does("score", "--day", TODAY, now=NOW)


def forget_scores(home):
    for table in ("scores", "contributions"):
        for path in (home.path / "snapshots" / table / f"day={TODAY}").iterdir():
            path.unlink()


def test_a_damaged_list_is_told_and_issued_again(at_end_of):
    home = at_end_of("first list")
    before = home.bytes_of("lists")
    (home.list_of(TODAY) / "risk_list.parquet").write_bytes(b"")
    said = home.says("show", "--day", TODAY, now=NOW)
    assert is_told(said, 3, f"the list of {TODAY} is damaged", f"to fix: dawnlist publish --day {TODAY}")
    home.does("publish", "--day", TODAY, now=NOW)
    assert home.bytes_of("lists") == before


@pytest.mark.parametrize("kind", ["ledger", "batch", "snapshot", "owner"])
def test_a_damaged_note_is_told_by_its_name(kind, at_end_of):
    home = at_end_of("first list")
    pattern = {
        "ledger": "models/registry.jsonl",
        "batch": "lake/batches/events-*.json",
        "snapshot": f"snapshots/user_days/day={TODAY}/*.json",
        "owner": "home.json",
    }[kind]
    path = next(home.path.glob(pattern))
    path.write_text('{"broken": \n')
    assert is_told(home.says("run", "--day", TODAY, now=NOW), 3, str(path.relative_to(home.path)), "backup")


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
    home.does("ingest", now=NOW)
    said = home.says("ingest", now=NOW, RISK_KEY="another-key-that-is-long-enough")
    assert is_told(said, 2, "this is not the pseudonymisation key this home began with")
    assert "another-key" not in said.err


def test_the_receipt_accounts_for_every_row(home):
    rows = shop.events_of(LISTED)
    path = shop.write(home.path / "landing" / "events" / "a.csv", [*rows, rows[0], {**rows[1], "user_id": None}])
    with path.open("a") as file:
        file.write("broken,row\n")
    answer = home.does("ingest", "--json", now=NOW).json
    assert answer["read"] == len(rows) + 3
    assert answer["read"] == answer["accepted"] + answer["refused"] + answer["duplicates"]
    assert answer["refused"] == sum(answer["details"]["reasons"].values()) == 2
    assert answer["duplicates"] == 1
    said = Home(home.path.parent / "other", home.pack).does("ingest", "--events", path, now=NOW).out
    assert f"read {len(rows) + 3:,}, accepted {len(rows):,}, refused 2, duplicates 1" in said
    assert "refused: missing user_id 1" in said


def test_a_file_that_cannot_be_read_ends_with_3_and_leaves_nothing_behind(home):
    path = home.path / "landing" / "events" / "broken.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 and then nothing")
    said = home.says("ingest", now=NOW)
    assert is_told(said, 3, "broken.parquet")
    assert not list((home.path / "lake" / "events").glob("**/*.parquet"))


def test_json_is_all_there_is_on_stdout(at_end_of):
    home = at_end_of("first list")
    for arguments in (
        ("run", "--day", TODAY),
        ("backfill", "--from", TODAY, "--to", TODAY),
        ("features", "--from", TODAY, "--to", TODAY),
        ("validate", "--day", TODAY),
        ("score", "--day", TODAY),
        ("publish", "--day", TODAY),
        ("show", "--day", TODAY),
        ("models", "list"),
        ("ingest",),
    ):
        said = home.does(*arguments, "--json", now=NOW)
        assert said.json
        assert said.err == ""
    steps = [answer["step"] for answer in home.does("run", "--day", TODAY, "--json", now=NOW).json]
    assert steps == ["ingest", "validate", "features", "validate", "score", "publish"]


def test_an_error_leaves_stdout_empty_under_json(home):
    said = home.says("show", "--day", TODAY, "--json", now=NOW)
    assert (said.code, said.out) == (3, "")


def test_a_backfill_names_the_days_that_were_refused_and_makes_the_others(at_end_of):
    home = at_end_of("three weeks")
    shop.deliver(home.path, LISTED)
    last = TODAY + timedelta(days=1)
    said = home.says("backfill", "--from", TODAY, "--to", last, now=shop.morning_after(LISTED + 1))
    assert is_told(said, 4, "no new list for 1 of these days", str(last))
    assert "publish 2026-01-26: " in said.out
    assert home.list_of(TODAY).exists()


def test_the_ledger_names_bundles_in_full(at_end_of):
    home = at_end_of("first list")
    [bundle] = [path.name for path in (home.path / "models").iterdir() if path.is_dir()]
    said = home.does("models", "list", now=NOW, COLUMNS="60")
    assert bundle in said.out
    assert "(in use)" in said.out.replace("\n", " ")


def test_show_prints_as_many_rows_as_asked(at_end_of):
    home = at_end_of("first list")
    rows = home.does("show", "--day", TODAY, "--limit", "1", "--json", now=NOW).json["rows"]
    assert [row["rank"] for row in rows] == [1]


def test_a_full_disk_is_told_in_words_and_the_next_run_goes_on(at_end_of):
    """A limit on the size of files stands in for the disk."""
    home = at_end_of("three weeks")
    shop.deliver(home.path, LISTED)
    limit = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    script = f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); {limit}; import sys"
    command = [sys.executable, "-c", f"{script}; sys.argv[0] = 'dawnlist'; from pipeline.cli import main; main()"]
    ended = subprocess.run(
        [*command, "ingest"], cwd=PROJECT, env=home.environment(NOW), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "to fix: make room on the disk" in ended.stderr
    answer = home.does("ingest", "--json", now=NOW).json
    assert answer["accepted"] == len(shop.events_of(LISTED))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_home_of_somebody_else_is_told(tmp_path):
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


def test_the_command_starts_quickly_where_it_only_looks(at_end_of):
    """No torch, dbt or Great Expectations to print a list."""
    home = at_end_of("first list")
    code = "import sys; from pipeline.cli import main\ntry: main()\nexcept SystemExit: print(sorted(sys.modules))"
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", code, "show", "--day", str(TODAY)],
        cwd=PROJECT,
        env=home.environment(NOW),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = ended.stdout.splitlines()[-1]
    assert all(f"'{heavy}'" not in loaded for heavy in ("torch", "dbt", "great_expectations", "xgboost"))
    assert time.monotonic() - began < 30
