"""The doctor finds whatever was changed in a home, says what to do, and finds nothing where all is well."""

import shutil
from datetime import datetime

import little_shop as shop
import pytest
from command import explains_failure
from story_so_far import LISTED

from pipeline import doctor

TODAY, NOW = shop.day(LISTED), shop.morning_after(LISTED)


def faults(home):
    return [
        (fault["path"], fault["problem"])
        for fault in doctor.run(home.path, datetime.fromisoformat(NOW)).details["found"]
    ]


def first(home, pattern):
    return min(home.path.glob(pattern))


def test_a_sound_home_ends_with_0(at_end_of):
    home = at_end_of("first list")
    before = home.bytes_of(".")
    result = home.run_ok("doctor", "--json", now=NOW).json
    assert (result["step"], result["details"]["faults"], result["details"]["found"]) == ("doctor", 0, [])
    assert result["details"]["checks"] > 100
    assert "faults 0" in home.run_ok("doctor", now=NOW).out
    assert home.bytes_of(".") == before


def test_a_home_that_does_not_exist_is_not_sound(home):
    assert explains_failure(home.run("doctor"), 2, "there is no home", "RISK_HOME")


def test_refused_rows_whose_originals_are_gone_are_warned_of(home):
    rows = [*shop.events_of(0), {**shop.events_of(0)[0], "event_id": "odd", "event_type": "teleport"}]
    shop.deliver(home.path, 0, rows)
    home.run_ok("ingest", now=NOW)
    assert "warning" not in home.run_ok("doctor", now=NOW).out
    [quarantine] = (home.path / "quarantine").glob("*.parquet")
    quarantine.unlink()
    words = "is missing: the originals of 1 refused rows are gone"
    assert f"warning: {quarantine.relative_to(home.path)} {words}" in home.run_ok("doctor", now=NOW).out


def test_an_empty_home_is_sound(home):
    home.path.mkdir()
    assert home.run_ok("doctor").out == "doctor: checks 0, faults 0\n"


FILES = {
    "lake/events/*/*.parquet": "is not what was ingested",
    "models/*/autoencoder_1.safetensors": "is not what was written",
    "models/*/card.md": "is not what was written",
    "lists/revisions/day=*/*/risk_list.csv": "is not what was written",
    f"snapshots/user_days/day={TODAY}/*.parquet": "is not what was written",
    "snapshots/scores/day=*/*.parquet": "is not what was written",
}


@pytest.mark.parametrize("pattern", FILES)
def test_one_changed_byte_is_found(pattern, at_end_of):
    home = at_end_of("first list")
    path = first(home, pattern)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert faults(home) == [(str(path.relative_to(home.path)), FILES[pattern])]
    path.unlink()
    assert faults(home) == [(str(path.relative_to(home.path)), "is missing")]


NOTES = (
    "home.json",
    "models/registry.jsonl",
    "models/*/bundle.json",
    "lake/batches/*.json",
    "lists/revisions/day=*/*/manifest.json",
    "lists/revisions/day=*/current.json",
    f"snapshots/user_days/day={TODAY}/*.json",
    f"snapshots/user_days/day={TODAY}/seen.jsonl",
    "reports/day=*/events.json",
)


@pytest.mark.parametrize("content", ["{}\n", "no json\n", "[1]\n"])
@pytest.mark.parametrize("pattern", NOTES)
def test_a_note_that_is_no_longer_ours_is_found(pattern, content, at_end_of):
    home = at_end_of("first list")
    path = first(home, pattern)
    path.write_text(content)
    assert (str(path.relative_to(home.path)), "is missing or damaged") in faults(home)


def test_what_is_cut_gone_or_left_over_is_found_and_said_in_one_line_each(at_end_of):
    home = at_end_of("first list")
    lake_file, other = sorted(home.path.glob("lake/events/*/*.parquet"))[:2]
    lake_file.write_bytes(b"PAR1")
    (other.parent / "0123456789abcdef.parquet").write_bytes(b"PAR1")
    shutil.rmtree(next(path for path in (home.path / "models").iterdir() if path.is_dir()))
    [revision] = (home.path / "lists" / "revisions" / f"day={TODAY}").glob("*/")
    shutil.rmtree(revision)
    seen = home.path / "snapshots" / "user_days" / f"day={TODAY}" / "seen.jsonl"
    with seen.open("a") as file:
        file.write('{"as_of": "2026-01-27T04:')
    result = home.run("doctor", now=NOW)
    assert result.code == 3
    lines = result.out.splitlines()
    assert lines[0].endswith("faults 5")
    for line, words in zip(
        lines[1:],
        (
            "wanted",
            "belongs to no batch",
            "is the champion, and missing",
            "missing; to fix: dawnlist publish",
            "unfinished",
        ),
        strict=True,
    ):
        assert words in line
        assert "to fix: " in line
