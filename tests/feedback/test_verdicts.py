"""Verdicts in, labels out, and every row accounted for."""

import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import feedback
from pipeline.commands import cli
from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.feedback import records
from pipeline.feedback.accounts import Accounts, LakeEvents
from pipeline.feedback.verdicts import to_verdict
from pipeline.settings import PROJECT, Settings
from pipeline.storage import lake

DAY = date(2026, 11, 19)
RETAIL = Domain(name="retail", currency="GBP", timezone="Europe/London", event_types={"purchase": "purchase"})

GOOD = "2026-11-19,ann,confirmed,stolen card,called the bank,M. Curie,2026-11-20T10:30:00+00:00"


def labels(home):
    return [row for file in lake.label_files(home) for row in pq.ParquetFile(home / file.path).read().to_pylist()]


def verdicts(home):
    return [row for path in sorted((home / "verdicts").glob("*")) for row in pq.ParquetFile(path).read().to_pylist()]


def quarantine(home):
    return [row for path in sorted((home / "quarantine").glob("*")) for row in pq.ParquetFile(path).read().to_pylist()]


def test_a_confirmed_account_becomes_a_bad_label_known_when_it_was_decided(home, take):
    receipt = take(GOOD)
    assert (receipt.read, receipt.accepted, receipt.refused, receipt.duplicates) == (1, 1, 0, 0)
    (label,) = labels(home)
    assert label["user_id"] == "ann" and label["event_id"] is None
    assert label["is_bad"] is True and label["typology"] == "stolen card" and label["source"] == "verdict"
    assert str(label["known_at"]) == "2026-11-20 10:30:00"
    assert str(label["happened_at"]) == "2026-11-19 23:59:59.999999"
    assert str(label["arrived_at"]) == "2026-11-21 09:00:00"


def test_dismissed_is_a_good_label_and_unsure_is_none(home, take):
    receipt = take("2026-11-19,ann,dismissed,,,,2026-11-20T10:30:00Z", "2026-11-19,bob,unsure,,,,2026-11-20T10:31:00Z")
    assert receipt.details["verdicts"] == {"dismissed": 1, "unsure": 1}
    assert [(label["user_id"], label["is_bad"]) for label in labels(home)] == [("ann", False)]
    assert [row["verdict"] for row in verdicts(home)] == ["dismissed", "unsure"]


def test_the_batch_says_when_its_labels_became_known_and_arrived(home, take):
    take("2026-11-19,bob,dismissed,,,,2026-11-21T08:00:00Z", GOOD)
    (file,) = lake.label_files(home)
    assert file.first_known == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
    assert file.first_arrived == file.last_arrived == datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert file.rows == 2


def test_a_later_verdict_stands_beside_the_earlier_and_is_known_later(home, take):
    take(GOOD)
    take("2026-11-19,ann,dismissed,,,,2026-11-21T08:00:00Z", name="later.csv")
    assert [
        (label["known_at"].day, label["is_bad"]) for label in sorted(labels(home), key=lambda x: x["known_at"])
    ] == [
        (20, True),
        (21, False),
    ]


def test_a_time_without_offset_is_the_domains_own(home, settings, tmp_path):
    summer = Domain(name="retail", currency="GBP", timezone="Europe/Berlin", event_types={"purchase": "purchase"})
    path = tmp_path / "verdicts.csv"
    path.write_text("day,user_id,verdict,decided_at\n2026-11-19,ann,confirmed,2026-11-20 10:30\n")
    feedback.run(settings, summer, path)
    assert str(labels(home)[0]["known_at"]) == "2026-11-20 09:30:00"


REFUSED = {
    "unknown_verdict verdict": "2026-11-19,ann,guilty,,,,2026-11-20T10:30:00Z",
    "missing verdict": "2026-11-19,ann,,,,,2026-11-20T10:30:00Z",
    "missing user_id": "2026-11-19,,confirmed,,,,2026-11-20T10:30:00Z",
    "not_a_day day": "19/11/2026,ann,confirmed,,,,2026-11-20T10:30:00Z",
    "not_a_time decided_at": "2026-11-19,ann,confirmed,,,,yesterday",
    "unknown_account user_id": "2026-11-18,ann,confirmed,,,,2026-11-20T10:30:00Z",
    "before_the_day_ended decided_at": "2026-11-19,ann,confirmed,,,,2026-11-19T23:00:00Z",
    "future_time decided_at": "2026-11-19,ann,confirmed,,,,2026-12-01T10:30:00Z",
    "too_few_fields": "2026-11-19,ann,confirmed",
    "too_many_fields": "2026-11-19,ann,confirmed,,,,2026-11-20T10:30:00Z,more",
    "broken_quotes": '2026-11-19,ann,confirmed,,"ends" in the middle,,2026-11-20T10:30:00Z',
    "bad_utf8": "2026-11-19,ann,confirmed,,caf\udce9,,2026-11-20T10:30:00Z",
    "nul": "2026-11-19,ann,confirmed,,a\0b,,2026-11-20T10:30:00Z",
    "too_long note": f"2026-11-19,ann,confirmed,,{'x' * 5000},,2026-11-20T10:30:00Z",
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_row_that_does_not_fit_is_refused_and_the_rest_goes_on(home, take, reason):
    receipt = take(REFUSED[reason], GOOD)
    assert (receipt.accepted, receipt.refused) == (1, 1)
    assert receipt.details["reasons"] == {reason: 1}
    (row,) = quarantine(home)
    assert (row["file"], row["line"], row["reason"]) == ("verdicts.csv", 2, reason.split()[0])
    assert row["raw"] == REFUSED[reason].replace("\udce9", r"\xe9")


def test_a_quote_that_never_closes_refuses_all_that_is_inside_it(home, take):
    """Whoever writes a note must not write verdicts of his own."""
    never_ends = '2026-11-19,ann,confirmed,,"never ends,,2026-11-20T10:30:00Z'
    with_lines = "\n".join(["a"] * 60)
    forged = f'2026-11-19,ann,unsure,,"{with_lines}\n{GOOD}\nthe end",,2026-11-20T10:30:00Z'
    receipt = take(GOOD, forged, never_ends, "2026-11-19,bob,dismissed,,,,2026-11-20T10:30:00Z")
    assert (receipt.read, receipt.accepted, receipt.refused) == (3, 2, 1)
    assert [row["verdict"] for row in verdicts(home)] == ["confirmed", "unsure"]
    (row,) = quarantine(home)
    assert (row["line"], row["reason"]) == (65, "broken_quotes") and row["raw"].startswith(never_ends)


def test_a_row_in_quarantine_is_as_it_came(home, take):
    row = '2026-11-19,zoe,confirmed,,"two\r\nlines\u2028one cell",,2026-11-20T10:30:00Z'
    take(row + "\r", GOOD + "\r")
    assert quarantine(home)[0]["raw"] == row


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_only_a_line_break_ends_a_line(home, take, mark):
    receipt = take(f"2026-11-19,ann,confirmed,,one{mark}two,,2026-11-20T10:30:00Z", f'{GOOD[:-1]}1"{mark}"', GOOD)
    assert verdicts(home)[0]["note"] == f"one{mark}two"
    assert receipt.details["reasons"] == {"not_a_time decided_at": 1}


def state(home):
    return {path: path.stat().st_mtime_ns for path in home.rglob("*") if "scratch" not in path.parts}


def test_the_same_file_again_changes_nothing_and_counts_its_rows_as_duplicates(home, take):
    refused = REFUSED["unknown_verdict verdict"]
    take(GOOD, GOOD, refused)
    before = state(home)
    receipt = take(GOOD, GOOD, refused, name="same.csv")
    assert (receipt.read, receipt.accepted, receipt.refused, receipt.duplicates) == (3, 0, 1, 2)
    assert receipt.details["files_seen_before"] == 1 and receipt.details["labels"] == 0
    assert state(home) == before


def test_a_row_refused_too_early_counts_once_its_time_has_come(home, take):
    early = Settings(home=home, now=datetime(2026, 11, 20, 9, tzinfo=UTC))
    decided_before = GOOD.replace("T10:30", "T08:30").replace("ann", "bob")
    assert take(GOOD, decided_before, using=early).details["reasons"] == {"future_time decided_at": 1}
    receipt = take(GOOD, decided_before)
    assert (receipt.read, receipt.accepted, receipt.refused, receipt.duplicates) == (2, 1, 0, 1)
    assert sorted(label["user_id"] for label in labels(home)) == ["ann", "bob"]


def test_a_file_that_grew_adds_only_its_new_rows(home, take):
    take(GOOD)
    receipt = take(GOOD, "2026-11-19,bob,dismissed,,,,2026-11-20T11:00:00Z", GOOD, name="grown.csv")
    assert (receipt.read, receipt.accepted, receipt.duplicates) == (3, 1, 2)
    assert len(labels(home)) == 2


def test_spreadsheets_may_have_saved_it(home, take, settings, tmp_path):
    path = tmp_path / "excel.csv"
    lines = [
        "Rank;Day;User_ID;Verdict;Decided_At;Note",
        '1;2026-11-19;ann;Confirmed;2026-11-20 10:30;"two',
        'lines; one cell"',
    ]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n")
    receipt = feedback.run(settings, Domain(name="retail", currency="GBP", event_types={"p": "purchase"}), path)
    assert receipt.accepted == 1
    assert verdicts(home)[0]["note"] == "two\nlines; one cell"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"user,what\n1,2\n", "missing: day, user_id, verdict, decided_at"),
        (b"day,day,user_id,verdict,decided_at\n", "more than once: day"),
        ("day,user_id".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_that_is_no_verdict_file_is_refused_as_a_whole(home, settings, tmp_path, content, message):
    path = tmp_path / "wrong.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        feedback.run(settings, Domain(name="retail", currency="GBP", event_types={"p": "purchase"}), path)
    assert error.value.exit_code == 3
    assert not (home / "lake").exists()


def test_a_file_that_is_not_there_is_an_input_error(settings, tmp_path):
    with pytest.raises(InputError, match=r"cannot read gone\.csv"):
        feedback.run(
            settings, Domain(name="retail", currency="GBP", event_types={"p": "purchase"}), tmp_path / "gone.csv"
        )


def test_notes_and_names_are_for_the_owner_alone_and_in_no_log(home, take, caplog, capfd):
    receipt = take(GOOD, "2026-11-19,zoe,confirmed,,secret note,M. Curie,2026-11-20T10:30:00Z")
    message = receipt.model_dump_json() + caplog.text + "".join(capfd.readouterr())
    assert "Curie" not in message and "secret note" not in message and "called the bank" not in message
    for folder in ("verdicts", "quarantine"):
        (path,) = (home / folder).iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "note" not in labels(home)[0]


def test_refused_rows_are_told_by_line_with_what_was_wanted_and_never_what_was_found(take):
    receipt = take(GOOD, REFUSED["unknown_verdict verdict"], REFUSED["unknown_account user_id"])
    assert receipt.warnings == [
        "line 3, verdict: wanted one of confirmed, dismissed, unsure",
        "line 4, user_id: it is on no list with that day and did nothing on it; wanted day and user_id as listed",
    ]
    assert "guilty" not in receipt.model_dump_json() and "zoe" not in receipt.model_dump_json()


def test_of_many_refused_rows_the_first_are_told_and_the_others_counted(take):
    receipt = take(GOOD, *[REFUSED["unknown_verdict verdict"]] * 1025)
    assert len(receipt.warnings) == 21
    assert receipt.warnings[-1] == "and 1,005 refused rows more, in quarantine/"


def test_a_file_of_nothing_but_refused_rows_is_an_error_that_counts_them_by_reason(home, take):
    rows = [REFUSED["unknown_verdict verdict"], REFUSED["missing verdict"], REFUSED["missing verdict"]]
    for _ in range(2):  # the second time as well
        with pytest.raises(InputError, match="no row was accepted, 3 refused") as error:
            take(*rows)
        assert error.value.exit_code == 3
        assert {"missing verdict: 2", "unknown_verdict verdict: 1"} < set(error.value.found)
        assert "line 2, verdict: wanted one of confirmed, dismissed, unsure" in error.value.found
        assert "guilty" not in str(error.value)
    assert len(quarantine(home)) == 3
    assert labels(home) == []


@pytest.mark.parametrize("pattern", ["lists/revisions/*/*/risk_list.parquet", "verdicts/*.parquet"])
def test_a_damaged_file_of_our_own_is_named(home, take, pattern):
    take(GOOD)
    path = next(home.glob(pattern))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="is damaged"):
        take(GOOD)


def test_a_header_without_rows_is_no_error(take):
    assert take().read == 0


ODD_NAMES = ["caf\udce9.csv", "two\nlines.csv", "\x1b[31mred.csv", "right\u202eto left.csv"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_that_cannot_be_written_down_is_refused_before_anything_is_written(home, take, name):
    before = state(home)
    with pytest.raises(InputError, match="cannot be written down") as error:
        take(GOOD, name=name)
    assert str(error.value).isascii() and error.value.problem.isprintable()
    assert state(home) == before


def test_what_is_no_regular_file_is_refused(settings, tmp_path):
    (tmp_path / "d.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("d.csv", "pipe.csv"):
        with pytest.raises(InputError, match=f"{name} is not a regular file"):
            feedback.run(settings, RETAIL, tmp_path / name)


def test_a_file_that_is_too_large_is_refused_unread(settings, tmp_path):
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(InputError, match=r"huge.csv is larger than 4,194,304 bytes"):
        feedback.run(settings, RETAIL, tmp_path / "huge.csv")


def test_a_file_that_grows_while_it_is_read_is_left_for_the_next_time(home, settings, tmp_path, monkeypatch):
    path = tmp_path / "growing.csv"
    path.write_text(f"day,verdict,decided_at,user_id\n{DAY},confirmed,2026-11-20T10:30:00Z,ann")  # ann, or anna?
    real = records.os.fstat

    def grows(handle):
        with path.open("a") as file:
            file.write("a\n")
        return real(handle)

    monkeypatch.setattr(records.os, "fstat", grows)
    with pytest.raises(InputError, match="changed while it was read"):
        feedback.run(settings, RETAIL, path)
    assert not (home / "lake").exists()


KILLED = """
import os
from pathlib import Path
from datetime import datetime, UTC
from pipeline import feedback
from pipeline.domain import Domain
from pipeline.settings import Settings
calls = 0
real = os.fsync

def stop(handle):
    global calls
    calls += 1
    if calls == {at}:
        os.kill(os.getpid(), 9)
    real(handle)

os.fsync = stop
domain = Domain(name="retail", currency="GBP", timezone="Europe/London", event_types={{"purchase": "purchase"}})
feedback.run(Settings(home=Path({home!r}), now=datetime(2026, 11, 21, 9, tzinfo=UTC)), domain, Path({path!r}))
"""


@pytest.mark.parametrize("at", [1, 2, 4, 6])
def test_killed_anywhere_and_run_again_nothing_is_lost_or_doubled(home, settings, tmp_path, at):
    path = tmp_path / "verdicts.csv"
    refused = REFUSED["missing verdict"]
    path.write_text(f"day,user_id,verdict,typology,note,analyst,decided_at\n{GOOD}\n{refused}\n")
    code = KILLED.format(at=at, home=str(home), path=str(path))
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert labels(home) == []  # not committed: nobody counts it
    domain = Domain(name="retail", currency="GBP", timezone="Europe/London", event_types={"purchase": "purchase"})
    receipt = feedback.run(settings, domain, path)
    assert (receipt.accepted, receipt.refused) == (1, 1)
    assert len(labels(home)) == len(verdicts(home)) == len(quarantine(home)) == 1
    assert not list((home / "scratch").iterdir())


def test_the_clock_of_the_settings_decides_what_is_future(home, take):
    early = Settings(home=home, now=datetime(2026, 11, 20, 9, tzinfo=UTC))
    with pytest.raises(InputError, match="future_time decided_at: 1"):
        take(GOOD, using=early)


@pytest.fixture
def command(home, monkeypatch, capsys):
    """`dawnlist feedback FILE` in this process; gives the exit code and what it said."""

    def run(path):
        monkeypatch.setenv("RISK_NOW", "2026-11-21T09:00:00Z")
        monkeypatch.setattr(sys, "argv", ["dawnlist", "feedback", str(path), "--home", str(home), "--domain", "retail"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        message = capsys.readouterr()
        return ended.value.code, message.out + message.err

    return run


def test_by_hand_a_refused_row_is_explained_by_its_line(command, tmp_path):
    path = tmp_path / "verdicts.csv"
    path.write_text(
        f"day,user_id,verdict,typology,note,analyst,decided_at\n{GOOD}\n{GOOD.replace('confirmed', 'yes')}\n"
    )
    code, message = command(path)
    assert code == 0
    assert "read 2, accepted 1, refused 1, duplicates 0" in message
    assert "  refused: unknown_verdict verdict 1\n" in message
    assert "line 3, verdict: wanted one of confirmed, dismissed, unsure" in message
    assert command(path)[1].startswith("feedback: read 2, accepted 0, refused 1, duplicates 1")


def test_by_hand_an_odd_name_and_a_file_of_refused_rows_end_with_exit_code_3(command, tmp_path):
    odd, refused = tmp_path / "caf\udce9.csv", tmp_path / "refused.csv"
    for path in (odd, refused):
        path.write_text(f"day,user_id,verdict,decided_at\n{DAY},ann,yes,2026-11-20T10:30:00Z\n")
    for path, wanted in ((odd, "cannot be written down"), (refused, "no row was accepted, 1 refused")):
        code, message = command(path)
        assert (code, wanted in message, "Traceback" in message) == (3, True, False)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-10-25 01:30", "2026-10-25 01:30:00"),  # occurs twice: the later one
        ("2026-03-29 01:30", "2026-03-29 01:30:00"),  # is skipped: moves on by the hour
    ],
)
def test_a_local_time_is_read_as_ingest_reads_it_when_clocks_change(local, utc):
    cells = {"day": "2026-03-01", "user_id": "ann", "verdict": "unsure", "decided_at": local}
    accounts = Accounts(["ann"], LakeEvents(Path(), DAY))
    verdict = to_verdict(cells, lambda day: accounts, datetime(2026, 11, 21, tzinfo=UTC), "Europe/London")
    assert str(verdict.decided_at.replace(tzinfo=None)) == utc
