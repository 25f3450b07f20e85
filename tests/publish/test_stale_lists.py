"""The list to work from where a day has none, or failed a checkpoint since."""

import re
from datetime import date, timedelta

import pytest
from listed import files
from small_day import AS_OF, DAY, SHOP

from pipeline.checkpoints import Finding, Report, fail_if_critical, read_report, write_report
from pipeline.errors import CheckpointFailedError, InputError
from pipeline.publish import latest_good

LATER = AS_OF + timedelta(days=2)


def test_until_there_is_a_new_list_the_last_good_one_is_served_as_stale(home, publish_day):
    publish_day()
    before = files(home)
    table, manifest = latest_good(home, DAY + timedelta(days=2))
    assert table["is_stale"].to_pylist() == [True] * 4
    assert manifest["is_stale"] and "2026-11-19" in manifest["stale_why"]
    assert files(home) == before


def test_a_list_whose_day_failed_since_is_stale(home, publish_day):
    publish_day()
    assert not latest_good(home, DAY)[1]["is_stale"]
    write_report(home, Report(checkpoint="events", day=DAY, domain="shop", has_failed=True, findings=[]), AS_OF)
    assert latest_good(home, DAY)[1]["is_stale"]


def fail(home, day, checkpoint="user_days"):
    finding = Finding(name="day.user_count", rule="at least 2", outcome="critical", seen="1", why="A feed broke.")
    write_report(
        home, Report(checkpoint=checkpoint, day=day, domain=SHOP.name, has_failed=True, findings=[finding]), AS_OF
    )


def test_a_day_that_failed_a_checkpoint_is_not_published_by_hand_either(home, publish_day):
    fail(home, DAY)
    with pytest.raises(CheckpointFailedError):
        publish_day()
    assert not (home / "lists" / f"day={DAY}").exists()


def test_a_day_that_failed_as_it_once_looked_leaves_what_is_known_of_it_now(home, publish_day):
    publish_day()
    before = {path: path.read_bytes() for path in (home / "reports").rglob("*.json")}
    earlier = AS_OF - timedelta(hours=1)
    report = Report(checkpoint="events", day=DAY, domain="shop", has_failed=False, findings=[])
    write_report(home, report, AS_OF)
    replayed = write_report(home, report.model_copy(update={"has_failed": True}), earlier)
    with pytest.raises(CheckpointFailedError) as failure:
        fail_if_critical(replayed)
    [named] = re.findall(r"see (\S+/events\.json);", str(failure.value))
    assert Report.model_validate_json((home / named).read_text()) == replayed
    assert not latest_good(home, DAY)[1]["is_stale"]
    assert read_report(home, DAY, "events", earlier).has_failed
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_list_whose_day_failed_since_is_not_handed_on_to_later_days(home, publish_day):
    publish_day()
    fail(home, DAY + timedelta(days=1))
    assert latest_good(home, DAY + timedelta(days=2))[1]["day"] == str(DAY)
    fail(home, DAY)
    assert "failed" in latest_good(home, DAY)[1]["stale_why"]


def test_before_the_first_list_there_is_none_to_serve(home):
    with pytest.raises(InputError, match="no list up to"):
        latest_good(home, date(2026, 1, 1))
