"""Which day a run is about, and which files it may take."""

from datetime import UTC, date, datetime

import pytest
from collect_verdicts import verdict_files
from common import asked, chosen_day

from pipeline.errors import InputError, UsageError

RUN_AFTER = datetime(2026, 11, 22, 4, tzinfo=UTC)


def test_a_scheduled_run_is_about_its_partition():
    assert chosen_day(None, "2026-11-21", RUN_AFTER) == date(2026, 11, 21)


def test_a_backfilled_run_is_about_its_partition_though_run_after_is_that_very_day():
    assert chosen_day(None, "2011-12-09", datetime(2011, 12, 9, 4, tzinfo=UTC)) == date(2011, 12, 9)


def test_the_form_may_choose_another_day():
    assert chosen_day("2011-12-09", None, RUN_AFTER) == date(2011, 12, 9)


def test_without_partition_and_form_it_is_the_day_before():
    assert chosen_day(None, None, RUN_AFTER) == date(2026, 11, 21)


def test_a_form_that_contradicts_the_partition_is_refused():
    with pytest.raises(UsageError, match="leave the form's day empty"):
        chosen_day("2011-12-08", "2011-12-09", RUN_AFTER)


DAY = date(2026, 11, 21)


def test_the_form_is_passed_on_as_the_steps_take_it(home):
    params = {"domain": "retail", "list_size": 20, "as_of": None, "accept": ["day.event_count"]}
    assert asked(params, DAY) == {**params, "day": "2026-11-21"}


def test_the_form_may_choose_an_earlier_as_of(home):
    params = {"domain": "retail", "as_of": "2026-11-20T01:00:00+01:00"}
    assert asked(params, DAY)["as_of"] == "2026-11-20T00:00:00+00:00"


@pytest.mark.parametrize("as_of", ["yesterday", "2026-11-20T01:00:00", "2026-13-01T00:00:00Z"])
def test_an_as_of_that_is_not_a_moment_is_refused(home, as_of):
    with pytest.raises(UsageError, match="not a time with a zone"):
        asked({"domain": "retail", "as_of": as_of}, DAY)


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "verdicts" / "inbox"
    folder.mkdir(parents=True)
    for name in ("b.csv", "a.csv", "notes.txt"):
        (folder / name).write_text("day,user_id,verdict\n")
    (tmp_path / "secret.csv").write_text("not yours\n")
    return folder


def test_all_csv_files_of_the_inbox_are_taken_in_order(inbox):
    assert [path.name for path in verdict_files(inbox, None)] == ["a.csv", "b.csv"]


def test_one_file_may_be_named(inbox):
    assert [path.name for path in verdict_files(inbox, "b.csv")] == ["b.csv"]


def test_an_empty_or_missing_inbox_is_no_error(tmp_path):
    assert verdict_files(tmp_path / "nothing", None) == []


@pytest.mark.parametrize("name", ["../../secret.csv", "/etc/passwd", "x/../../../secret.csv"])
def test_a_file_outside_the_inbox_is_refused(inbox, name):
    with pytest.raises(UsageError, match="must lie in the inbox"):
        verdict_files(inbox, name)


@pytest.mark.parametrize("name", [None, "link.csv"])
def test_a_link_out_of_the_inbox_is_refused(inbox, name):
    (inbox / "link.csv").symlink_to(inbox.parents[1] / "secret.csv")
    with pytest.raises(UsageError, match="must lie in the inbox"):
        verdict_files(inbox, name)


@pytest.mark.parametrize("name", ["missing.csv", "", "."])
def test_what_is_not_a_file_is_a_clear_error(inbox, name):
    with pytest.raises(InputError):
        verdict_files(inbox, name)
