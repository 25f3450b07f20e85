"""Neither the key nor a sensitive value of an event is found in anything we print or write for others."""

import json
import re

import little_shop as shop
import pyarrow.parquet as pq
import pytest
from command import KEY
from story_so_far import LABELLED, LISTED

SENSITIVE = ("device_id", "ip", "payment_id", "address_id")
# In landing/ lies what the shop delivered, in quarantine/ what was refused as it came: both are for the owner only.
AS_DELIVERED = ("landing", "quarantine")


@pytest.fixture(scope="module")
def secrets():
    values = {row[name] for n in range(LABELLED + 1) for row in shop.events_of(n) for name in SENSITIVE}
    return {KEY, *values}


def found_in(text, secrets):
    """Secrets that stand in a text by themselves: an address like "1 Elm Street" is also part of "11 Elm Street"."""
    likely = [secret for secret in secrets if secret in text]
    return [secret for secret in likely if re.search(rf"(?<![\w.]){re.escape(secret)}(?![\w.])", text)]


def test_nothing_that_was_printed_on_the_way(chapters, secrets, tmp_path):
    home = chapters.copy("with labels", tmp_path / "home")
    now = shop.morning_after(LABELLED)
    for arguments in (
        ("run", "--day", shop.day(LABELLED), "--json"),
        ("show", "--day", shop.day(LABELLED)),
        ("show", "--day", shop.day(LABELLED), "--json"),
        ("models", "list", "--json"),
        ("score", "--day", shop.day(3)),
        ("ingest", "--events", home.path / "nowhere.csv"),
    ):
        home.run(*arguments, now=now)
    printed = [*chapters.printed(), *home.log]
    assert len(printed) >= 12
    assert found_in("\n".join(printed), secrets) == []


def test_nothing_that_was_written_as_text(chapters, secrets):
    home = chapters.end_of("with labels").path
    texts = [
        path
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.relative_to(home).parts[0] not in AS_DELIVERED
        if path.suffix in (".json", ".jsonl", ".csv", ".log", ".sql", ".txt", ".yml") and path.name != "verdicts.csv"
    ]
    assert {path.suffix for path in texts} >= {".json", ".jsonl", ".csv"}
    assert {str(path.relative_to(home)): found_in(path.read_text(), secrets) for path in texts} == {
        str(path.relative_to(home)): [] for path in texts
    }


def test_no_cell_of_any_table(chapters, secrets):
    home = chapters.end_of("with labels").path
    tables = [path for path in home.rglob("*.parquet") if path.relative_to(home).parts[0] not in AS_DELIVERED]
    assert len(tables) > 50
    for path in tables:
        table = pq.ParquetFile(path).read()
        for name in table.column_names:
            values = {str(value) for value in table[name].to_pylist()}
            assert values.isdisjoint(secrets), f"{name} of {path.relative_to(home)}"


def test_nothing_readable_in_the_warehouse_or_a_bundle(chapters, secrets):
    home = chapters.end_of("with labels").path
    for path in (home / "warehouse.duckdb", *(path for path in (home / "models").rglob("*") if path.is_file())):
        content = path.read_bytes()
        assert [
            secret for secret in (KEY, "Galaxy-SN-", "4929-0000-", "Elm Street") if secret.encode() in content
        ] == []


def test_refused_rows_as_they_came_are_for_the_owner_only(at_end_of):
    home = at_end_of("first list")
    rows = shop.events_of(LISTED + 1)
    path = shop.write(home.path / "landing" / "events" / "bad.csv", [{**rows[0], "event_type": "teleport"}, *rows[1:]])
    result = home.run_ok("ingest", "--json", now=shop.morning_after(LISTED + 1))
    assert result.json["refused"] == 1
    [quarantine] = (home.path / "quarantine").glob("events-*.parquet")
    assert rows[0]["payment_id"] in pq.ParquetFile(quarantine).read()["raw"].to_pylist()[0]
    assert quarantine.stat().st_mode & 0o077 == 0
    assert quarantine.parent.stat().st_mode & 0o077 == 0
    assert rows[0]["payment_id"] not in result.out + result.err
    assert path.exists()


def test_a_bug_shows_no_row_either(at_end_of, secrets, monkeypatch):
    """A traceback names lines of code, and the values in an exception's message."""
    from pipeline.ingest import store

    home = at_end_of("first list")
    shop.deliver(home.path, LISTED + 1)

    def fail(*_):
        raise AssertionError("a bug")

    monkeypatch.setattr(store, "write_events", fail)
    with pytest.raises(AssertionError) as bug:
        home.run("ingest", now=shop.morning_after(LISTED + 1))
    assert found_in(str(bug.getrepr(style="short")), secrets) == []
    assert json.loads((home.path / "home.json").read_text()) == {"domain": "shop", "layout": 3}
