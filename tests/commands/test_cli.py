"""The command line teaches, tells what went wrong and what to do, and ends with a code a script can rely on."""

import re
import subprocess
import sys
import time
from datetime import timedelta

import little_shop as shop
import pytest
from command import Home, explains_failure
from story_so_far import LISTED

from pipeline.__main__ import main as start
from pipeline.settings import PROJECT

TODAY, NOW = shop.day(LISTED), shop.morning_after(LISTED)
COMMANDS = (
    *("ingest", "features", "validate", "train", "score", "publish", "run", "backfill", "show", "feedback"),
    *("neighbours", "evaluate", "doctor"),
    *("models list", "models card", "models promote", "models rollback"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_and_what_its_options_mean(command, home):
    result = home.run_ok(*command.split(), "--help")
    first = result.out.split("\n\n")[1].strip()
    assert first.endswith(".")
    assert "--home" in result.out
    assert "--json" in result.out
    for line in result.out.splitlines():
        if option := re.match(r"  --[a-z-]+(?: [A-Z]+)?$", line):
            pytest.fail(f"{option[0].strip()} is not explained")


def test_help_begins_with_a_first_list_and_ends_with_the_exit_codes(home):
    result = home.run_ok("--help")
    for word in ("dawnlist ingest --history", "dawnlist train", "dawnlist run", "dawnlist show", "4 a checkpoint"):
        assert word in result.out


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
    assert explains_failure(home.run(*arguments, now=NOW), 2, word)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RISK_LIST_SIZE", "many"),
        ("RISK_MIN_BAD_LABELS", "3"),
        ("RISK_TRAIN_DAYS", "0"),
        ("RISK_MEMORY_LIMIT", "plenty"),
        ("RISK_THREADS", "-1"),
        ("RISK_MEMORY_LIMIT", "0GB"),
        ("RISK_MEMORY_LIMIT", f"1{'0' * 30}GB"),
        ("RISK_MEMORY_LIMIT", "٣GB"),
        ("RISK_SEED", "9" * 20),
        ("RISK_NOW", "2026-01-26 04:00"),
        ("RISK_NOW", "0001-01-01T00:00:00+05:00"),
        ("RISK_NOW", "9999-12-31T23:59:59-05:00"),
        ("RISK_NOW", "9999-12-31T23:59:59Z"),
        ("RISK_KEY", "no text \udcff\udcfe and long enough"),
        ("RISK_POSTGRES_DSN", "postgresql://\udcff"),
        ("RISK_HOME", ""),
        ("RISK_HOME", "home\udcff"),
        ("RISK_LOCK_SECONDS", "soon"),
    ],
)
def test_a_wrong_setting_is_named(name, value, home):
    result = home.run("show", "--day", TODAY, **{name: value})
    assert explains_failure(result, 2, "a setting is wrong", name, "to fix: correct the environment")


def test_a_wrong_domain_pack_is_explained_field_by_field(tmp_path):
    pack = shop.pack(tmp_path, currency="euros", event_types={"browse": "looking"})
    assert explains_failure(
        Home(tmp_path / "home", pack).run("ingest"), 2, "is wrong", "currency", "event_types.browse"
    )


def test_a_pack_that_is_no_yaml_is_explained(tmp_path):
    pack = tmp_path / "shop.yml"
    pack.write_text("name: [shop\n")
    assert explains_failure(Home(tmp_path / "home", pack).run("ingest"), 2, "is not YAML", "to fix: correct")


@pytest.mark.parametrize("content", ["", "- shop\n", "\x00"])
def test_a_pack_that_is_no_mapping_is_explained(content, tmp_path):
    pack = tmp_path / "shop.yml"
    pack.write_text(content)
    assert explains_failure(Home(tmp_path / "home", pack).run("ingest"), 2, "to fix: correct")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("show", "--day", TODAY), ("no list up to 2026-01-26", "dawnlist run --day 2026-01-26")),
        (("score", "--day", TODAY), ("no champion", "no bundle was ever promoted", "dawnlist train --until")),
        (("publish", "--day", TODAY), ("no champion",)),
        (("features", "--from", TODAY, "--to", TODAY), ("no events up to 2026-01-26", "dawnlist ingest")),
        (("train", "--until", TODAY), ("no events up to 2026-01-26",)),
        (("models", "promote", "2026-01-25-nonsense"), ("no bundle '2026-01-25-nonsense'", "bundles here: none")),
        (("models", "promote", "../landing"), ("no bundle", "dawnlist models list")),
        (("feedback", "verdicts.csv"), ("cannot read verdicts.csv", "No such file")),
        (("ingest", "--events", "nowhere.csv"), ("no file nowhere.csv",)),
    ],
)
def test_what_is_missing_ends_with_3_and_says_how_to_make_it(command, words, home):
    assert explains_failure(home.run(*command, now=NOW), 3, *words)


def test_nothing_to_roll_back_ends_with_2(home):
    assert explains_failure(home.run("models", "rollback"), 2, "no earlier promoted bundle")


def test_the_receipt_accounts_for_every_row(home):
    rows = shop.events_of(LISTED)
    path = shop.write(home.path / "landing" / "events" / "a.csv", [*rows, rows[0], {**rows[1], "user_id": None}])
    with path.open("a") as file:
        file.write("broken,row\n")
    answer = home.run_ok("ingest", "--json", now=NOW).json
    assert answer["read"] == len(rows) + 3
    assert answer["read"] == answer["accepted"] + answer["refused"] + answer["duplicates"]
    assert answer["refused"] == sum(answer["details"]["reasons"].values()) == 2
    assert answer["duplicates"] == 1
    result = Home(home.path.parent / "other", home.pack).run_ok("ingest", "--events", path, now=NOW).out
    assert f"read {len(rows) + 3:,}, accepted {len(rows):,}, refused 2, duplicates 1" in result
    assert "refused: missing user_id 1" in result


def test_only_an_ingest_by_hand_says_that_there_are_no_files(at_end_of):
    home = at_end_of("first list")
    (home.path / "landing" / "events").rename(home.path / "delivered")
    assert "no files to ingest" in home.run_ok("ingest", now=NOW).out
    ingested = home.run("run", "--day", TODAY, "--json", now=NOW).json[0]
    assert ingested["details"]["files"] == 0 and "no files to ingest" not in ingested["warnings"]


def test_a_file_that_cannot_be_read_ends_with_3_and_leaves_nothing_behind(home):
    path = home.path / "landing" / "events" / "broken.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 and then nothing")
    result = home.run("ingest", now=NOW)
    assert explains_failure(result, 3, "broken.parquet")
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
        result = home.run_ok(*arguments, "--json", now=NOW)
        assert result.json
        assert result.err == ""
    steps = [answer["step"] for answer in home.run_ok("run", "--day", TODAY, "--json", now=NOW).json]
    assert steps == ["ingest", "validate", "features", "validate", "score", "publish"]


def test_an_error_leaves_stdout_empty_under_json(home):
    result = home.run("show", "--day", TODAY, "--json", now=NOW)
    assert (result.code, result.out) == (3, "")


def test_a_range_that_ends_before_it_begins_is_wrong_before_anything_is_ingested(home):
    for command in ("backfill", "features"):
        result = home.run(command, "--from", TODAY, "--to", TODAY - timedelta(days=1))
        assert explains_failure(result, 2, "ends before it begins", "to fix: exchange --from and --to")
    assert not list(home.path.rglob("*.parquet"))


def test_ctrl_c_during_the_imports_ends_like_any_other(monkeypatch, capsys):
    class Interrupted:
        def find_spec(self, name, *_):
            if name == "pipeline.commands.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "pipeline.commands.cli", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as end:
        start()
    assert end.value.code == 130
    assert capsys.readouterr().err == "stopped by Ctrl-C; run the same command again to go on\n"


def test_a_backfill_names_the_days_that_failed_and_makes_the_others(at_end_of):
    home = at_end_of("three weeks")
    shop.deliver(home.path, LISTED)
    last = TODAY + timedelta(days=1)
    result = home.run("backfill", "--from", TODAY, "--to", last, now=shop.morning_after(LISTED + 1))
    assert explains_failure(result, 4, "no new list for 1 of these days", str(last))
    assert "publish 2026-01-26: " in result.out
    assert home.list_of(TODAY).exists()


def test_the_ledger_names_bundles_in_full(at_end_of):
    home = at_end_of("first list")
    [bundle] = [path.name for path in (home.path / "models").iterdir() if path.is_dir()]
    result = home.run_ok("models", "list", now=NOW, COLUMNS="60")
    assert bundle in result.out
    assert "(champion)" in result.out.replace("\n", " ")


def test_show_prints_as_many_rows_as_asked(at_end_of):
    home = at_end_of("first list")
    rows = home.run_ok("show", "--day", TODAY, "--limit", "1", "--json", now=NOW).json["rows"]
    assert [row["rank"] for row in rows] == [1]


def test_show_all_prints_the_ranking_behind_the_list(at_end_of):
    home = at_end_of("first list")
    listed = [row["user_id"] for row in home.rows(TODAY)]
    shown = home.run_ok("show", "--day", TODAY, "--all", "--limit", "200", "--json", now=NOW).json
    rows = shown["rows"]
    assert len(rows) == shown["manifest"]["rows"]["scored"] > len(listed)
    assert [row["user_id"] for row in rows if row["is_listed"]] == listed
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert {"user_id", "risk", "surprise_percentile", "is_listed", "picked_by"} <= set(rows[0])
    limited = home.run_ok("show", "--day", TODAY, "--all", "--limit", "3", now=NOW).out
    assert "Ranking behind the risk list of 2026-01-26" in limited
    assert rows[2]["user_id"] in limited and rows[3]["user_id"] not in limited


def test_the_command_starts_quickly_where_it_only_looks(at_end_of):
    """No torch, dbt or Great Expectations to print a list."""
    home = at_end_of("first list")
    code = (
        "import sys; from pipeline.commands.cli import main\ntry: main()\nexcept SystemExit: print(sorted(sys.modules))"
    )
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
