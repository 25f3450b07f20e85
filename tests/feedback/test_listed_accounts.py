"""Which account a verdict counts for: exactly one of the day's lists or of those active on it, or none."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.storage import lake

DAY = date(2026, 11, 19)
GOOD = "2026-11-19,ann,confirmed,stolen card,called the bank,M. Curie,2026-11-20T10:30:00+00:00"


def labelled(home):
    """The accounts that have a label."""
    files = [pq.ParquetFile(home / file.path).read() for file in lake.label_files(home)]
    return [user for file in files for user in file["user_id"].to_pylist()]


def on_the_list(home, *accounts, day=DAY, made=DAY):
    """Rows about `day` on the list that was made for the day `made`."""
    folder = home / "lists" / "revisions" / f"day={made}" / "ccc"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": accounts, "day": [day] * len(accounts)}), folder / "risk_list.parquet")


def verdict_on(account):
    return f'2026-11-19,"{account}",confirmed,,,,2026-11-20T10:30:00Z'


@pytest.mark.parametrize(
    ("written", "listed"),
    [
        ("'=cat", "=cat"),  # as the list's CSV shows it
        ("alice ", "alice\u200e"),
        ("a b", "a\tb"),
        ("=cat", "=cat"),
        ("alice\u200e", "alice\u200e"),
        ("''=x", "''=x"),
    ],
)
def test_an_account_is_named_by_its_id_or_by_what_the_lists_csv_shows(home, take, written, listed):
    on_the_list(home, listed, "alice", "=x")
    take(verdict_on(written))
    assert labelled(home) == [listed]


@pytest.mark.parametrize(
    ("written", "listed"),
    [
        ("'=cat", "'=cat"),  # and =cat, which the list's CSV shows like this
        ("alice ", "alice\u200f"),
        ("a b", "a b"),
    ],
)
def test_a_verdict_that_may_mean_either_of_two_accounts_is_refused(home, take, written, listed):
    on_the_list(home, listed, "alice\u200e", "a\tb")
    assert take(verdict_on(written), GOOD).details["reasons"] == {"ambiguous user_id": 1}
    assert labelled(home) == ["ann"]


@pytest.mark.parametrize("written", ["ann ", " ann", "ann\u200e", "ANN", "ann\u00a0", "'ann", "a\u0301nn", "\ufeffann"])
def test_an_account_that_is_nearly_on_the_list_is_refused(home, take, written):
    assert take(verdict_on(written), GOOD).details["reasons"] == {"unknown_account user_id": 1}


def test_an_account_of_a_replaced_revision_counts_too(home, take):
    assert take("2026-11-19,old,confirmed,,,,2026-11-20T10:30:00Z").accepted == 1


def test_a_verdict_is_about_the_day_of_the_row_not_about_the_end_of_its_week(home, take):
    on_the_list(home, "=eve", day=date(2026, 11, 18), made=DAY)
    of_the_day_it_was_made_for = verdict_on("=eve")
    of_the_row = verdict_on("'=eve").replace("2026-11-19", "2026-11-18")
    assert take(of_the_row, of_the_day_it_was_made_for).details["reasons"] == {"unknown_account user_id": 1}
    assert labelled(home) == ["=eve"]
