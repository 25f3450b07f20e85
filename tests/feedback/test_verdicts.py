"""Verdicts in, labels out, and every row accounted for."""

import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from pipeline import feedback, lake
from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.settings import PROJECT, Settings

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
    "no_such_list day": "2026-11-18,ann,confirmed,,,,2026-11-20T10:30:00Z",
    "not_on_the_list user_id": "2026-11-19,zoe,confirmed,,,,2026-11-20T10:30:00Z",
    "before_the_day_ended decided_at": "2026-11-19,ann,confirmed,,,,2026-11-19T23:00:00Z",
    "future_time decided_at": "2026-11-19,ann,confirmed,,,,2026-12-01T10:30:00Z",
    "too_few_fields": "2026-11-19,ann,confirmed",
    "too_many_fields": "2026-11-19,ann,confirmed,,,,2026-11-20T10:30:00Z,more",
    "broken_quotes": '2026-11-19,ann,confirmed,,"never ends,,2026-11-20T10:30:00Z',
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
    assert row["raw"] == REFUSED[reason].replace("\udce9", "\ufffd")


def test_an_account_of_a_replaced_revision_counts_too(home, take):
    assert take("2026-11-19,old,confirmed,,,,2026-11-20T10:30:00Z").accepted == 1


def test_an_account_may_be_named_as_the_lists_csv_wrote_it(home, take):
    take("2026-11-19,'=cat,confirmed,,,,2026-11-20T10:30:00Z")
    assert labels(home)[0]["user_id"] == "=cat"


def test_the_same_file_again_changes_nothing(home, take):
    take(GOOD)
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    receipt = take(GOOD, name="same.csv")
    assert receipt.read == 0 and receipt.details["files_seen_before"] == 1
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*") if "scratch" not in path.parts} == {
        path: time for path, time in before.items() if "scratch" not in path.parts
    }


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
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"user,what\n1,2\n", "missing: day, user_id, verdict, decided_at"),
        (b"day,day,user_id,verdict,decided_at\n", "more than once: day"),
        ("day,user_id".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_that_is_no_verdict_file_is_refused_as_a_whole(home, settings, tmp_path, content, said):
    path = tmp_path / "wrong.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
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
    said = receipt.model_dump_json() + caplog.text + "".join(capfd.readouterr())
    assert "Curie" not in said and "secret note" not in said and "called the bank" not in said
    for folder in ("verdicts", "quarantine"):
        (path,) = (home / folder).iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "note" not in labels(home)[0]


def test_a_file_of_nothing_but_refused_rows_is_remembered_too(home, take):
    row = REFUSED["unknown_verdict verdict"]
    assert take(row).refused == 1
    assert take(row).details.get("files_seen_before") == 1
    assert labels(home) == []


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
    assert take(GOOD, using=early).details["reasons"] == {"future_time decided_at": 1}
