"""Which day a run is about, and what its form chooses."""

from datetime import UTC, date, datetime

import pytest
from common import chosen_day, request

from pipeline.errors import UsageError

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


@pytest.mark.parametrize("day", ["2026-02-30", "soon", "0001-01-01"])
def test_a_form_with_an_impossible_day_is_wrong_usage(day):
    with pytest.raises(UsageError, match="write it like 2026-11-22"):
        chosen_day(day, None, RUN_AFTER)


DAY = date(2026, 11, 21)


def test_the_form_is_passed_on_as_the_steps_take_it(home):
    params = {"domain": "retail", "list_size": 20, "as_of": None, "accept": ["day.event_count"]}
    assert request(params, DAY) == {**params, "day": "2026-11-21"}


def test_the_form_may_choose_an_earlier_as_of(home):
    params = {"domain": "retail", "as_of": "2026-11-20T01:00:00+01:00"}
    assert request(params, DAY)["as_of"] == "2026-11-20T00:00:00+00:00"


@pytest.mark.parametrize("as_of", ["yesterday", "2026-11-20T01:00:00", "2026-13-01T00:00:00Z"])
def test_an_as_of_that_is_not_a_moment_is_refused(home, as_of):
    with pytest.raises(UsageError, match="not a time with a zone"):
        request({"domain": "retail", "as_of": as_of}, DAY)
