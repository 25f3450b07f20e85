"""What breaks in real feeds, one by one: the right expectation notices, with the right severity."""

import json
import logging
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from shop_days import AS_OF, DAY, SHOP, write_day, write_past

from pipeline import checkpoints, validate
from pipeline.checkpoints import Report, read_report, report_path, write_report
from pipeline.context import Run
from pipeline.errors import CheckpointFailedError
from pipeline.settings import Settings
from pipeline.validate import events_checkpoint

pytestmark = pytest.mark.slow


def check(settings, day=DAY, as_of=AS_OF):
    return events_checkpoint(Run(settings, SHOP, day, as_of))


def names(report, outcome):
    return sorted({finding.name for finding in report.findings if finding.outcome == outcome})


def test_an_ordinary_day_passes_without_a_word(settings):
    write_day(settings.home, DAY)
    report = check(settings)
    assert not report.has_failed
    assert report.warnings == []


def test_great_expectations_says_nothing_of_its_own(capfd, monkeypatch):
    everything = logging.StreamHandler()  # as Airflow has one
    monkeypatch.setattr(logging.root, "handlers", [everything])
    monkeypatch.setattr(logging.root, "level", logging.INFO)
    checkpoints._batches.cache_clear()
    checkpoints._batches()
    assert capfd.readouterr() == ("", "")


def test_an_ordinary_saturday_is_compared_with_saturdays(settings):
    saturday = DAY + timedelta(days=2)
    write_day(settings.home, saturday, events=1200, users=140)
    report = check(settings, saturday, AS_OF + timedelta(days=2))
    assert report.warnings == [] and not report.has_failed
    assert {day.weekday() for day in report.compared_with} == {5}


CRITICAL = {
    "half_the_volume": ("delete from today where hash(event_id) % 2 = 0", "day.event_count"),
    "delivered_six_times": (
        "insert into today select today.* replace (event_id || '-' || n as event_id) from today, range(1, 6) as c (n)",
        "day.event_count",
    ),
    "one_event_type_gone": ("delete from today where event_type = 'login'", "event_types.times_usual"),
    "three_hours_missing": ("delete from today where hour(event_at) between 9 and 11", "day.missing_hours"),
    "all_amounts_zero": ("update today set amount = 0 where amount is not null", "day.zero_amount_share"),
    "all_amounts_the_same": ("update today set amount = 1 where amount is not null", "day.common_amount_share"),
    "cents_for_euros": ("update today set amount = amount * 100", "event_types.times_usual_amount"),
    "device_is_empty": ("update today set device_id = null", "columns.rise"),
    "times_cut_to_dates": ("update today set event_at = date_trunc('day', event_at)", "day.midnight_share"),
    "one_hour_twice": (
        "insert into today select * replace (event_id || '-again' as event_id) from today where hour(event_at) = 14",
        "hours.repeated_share",
    ),
    "user_ids_are_session_ids": ("update today set user_id = session_id", "day.user_count"),
}


@pytest.mark.parametrize("name", CRITICAL)
def test_a_broken_feed_stops_the_day(settings, name):
    change, finding = CRITICAL[name]
    write_day(settings.home, DAY, change)
    report = check(settings)
    assert report.has_failed
    assert finding in names(report, "critical"), report.findings


WARNING = {
    "a_fifth_of_the_devices_is_lost": (
        "update today set device_id = null where hash(event_id) % 5 = 0",
        "columns.rise",
    ),
    "one_hour_is_missing": ("delete from today where hour(event_at) = 9", "day.missing_hours"),
    "one_user_holds_a_third": ("update today set user_id = 'guest' where hash(event_id) % 3 = 0", "day.top_user_share"),
    "a_clock_is_ahead": ("update today set arrived_at = event_at - interval 1 hour", "day.future_share"),
    "a_time_zone_is_wrong": (
        "update today set event_at = timestamp '2026-11-19' "
        "+ to_microseconds((epoch_us(event_at) % 36_000_000_000)::bigint)",
        "day.rhythm_shift",
    ),
    "prices_doubled_and_again": (
        "update today set amount = amount * 4",
        "event_types.times_usual_amount",
    ),
    "a_fifth_of_the_amounts_is_zero": (
        "update today set amount = 0 where amount is not null and hash(event_id, 7) % 5 = 0",
        "day.zero_amount_share",
    ),
    "a_type_is_rare": (
        "delete from today where event_type = 'login' and hash(event_id, 3) % 4 > 0",
        "event_types.times_usual",
    ),
}


@pytest.mark.parametrize("name", WARNING)
def test_an_odd_feed_is_written_on_the_list(settings, name):
    change, finding = WARNING[name]
    write_day(settings.home, DAY, change)
    report = check(settings)
    assert finding in names(report, "warning"), report.findings
    assert finding not in names(report, "critical")


def test_events_that_come_days_late_are_a_warning(settings):
    write_day(settings.home, DAY, "update today set arrived_at = arrived_at + interval 5 days")
    report = check(settings, as_of=AS_OF + timedelta(days=30))
    assert "day.late_share" in names(report, "warning")


@pytest.mark.parametrize(("refused", "outcome"), [(0.01, "passed"), (0.1, "warning"), (0.7, "critical")])
def test_the_share_of_refused_rows_is_judged(settings, refused, outcome):
    write_day(settings.home, DAY, read=round(2000 / (1 - refused)))
    assert "day.refused_share" in names(check(settings), outcome)


def test_no_events_on_a_trading_day_is_critical(settings):
    report = check(settings)
    assert [str(finding) for finding in report.critical] and names(report, "critical") == ["day.event_count"]


def test_no_events_on_a_day_that_never_has_any_is_a_closed_shop(tmp_path):
    settings = Settings(home=tmp_path)
    write_past(tmp_path, days=3)  # no Thursday among them
    report = check(settings)
    assert not report.has_failed
    assert "day.event_count" in names(report, "warning")


def test_too_little_history_gives_no_verdict_on_volumes_but_a_warning(tmp_path):
    settings = Settings(home=tmp_path)
    write_past(tmp_path, days=2)
    write_day(tmp_path, DAY, events=20_000)
    report = check(settings)
    assert not report.has_failed
    assert names(report, "warning") == ["day.reference_days"]


def test_twenty_users_are_enough_for_an_ordinary_day(tmp_path):
    settings = Settings(home=tmp_path)
    for back in range(29):
        day = DAY - timedelta(days=back)
        write_day(tmp_path, day, events=100 + 40 * (day.toordinal() % 5), users=20 + day.toordinal() % 7)
    assert not check(settings).has_failed


def test_three_users_of_nine_without_a_device_are_no_broken_column(tmp_path):
    settings = Settings(home=tmp_path)
    for back in range(29):
        write_day(tmp_path, DAY - timedelta(days=back), events=90, users=9)
    write_day(
        tmp_path, DAY, "update today set device_id = null where user_id in ('u3', 'u4', 'u5')", events=90, users=9
    )
    assert "columns.rise" not in [*names(check(settings), "warning"), *names(check(settings), "critical")]


def test_one_broken_day_in_the_past_does_not_hide_the_next(settings):
    write_day(settings.home, DAY - timedelta(days=1), "delete from today where hash(event_id) % 2 = 0")
    write_day(settings.home, DAY, "delete from today where hash(event_id) % 2 = 0")
    assert "day.event_count" in names(check(settings), "critical")


def test_events_that_arrived_after_as_of_are_not_seen(settings):
    write_day(settings.home, DAY, "update today set arrived_at = timestamp '2026-12-01' where hash(event_id) % 2 = 0")
    batch = json.loads((settings.home / "lake" / "batches" / "events-0000000020261119.json").read_text())
    batch["files"][0]["last_arrived"] = "2026-12-01T00:00:00Z"
    (settings.home / "lake" / "batches" / "events-0000000020261119.json").write_text(json.dumps(batch))
    assert check(settings).seen["event_count"] < 1100
    assert check(settings, as_of=datetime(2026, 12, 2, tzinfo=UTC)).seen["event_count"] == 2000


def test_the_failure_says_which_expectation_what_was_seen_and_what_to_do(settings):
    write_day(settings.home, DAY, "delete from today where hash(event_id) % 2 = 0")
    with pytest.raises(CheckpointFailedError) as failure:
        validate.run(Run(settings, SHOP, DAY, AS_OF), "events")
    text = str(failure.value)
    assert failure.value.exit_code == 4
    assert "day.event_count" in text and "expected" in text and "feed broke" in text
    assert "reports/day=2026-11-19/events.json" in text
    kept = read_report(settings.home, DAY, "events")
    assert kept is not None and kept.has_failed


def test_a_person_may_accept_what_was_seen(settings):
    write_day(settings.home, DAY, "delete from today where hash(event_id) % 2 = 0")
    receipt = validate.run(Run(settings, SHOP, DAY, AS_OF, ("day.event_count",)), "events")
    assert any("accepted by hand" in warning for warning in receipt.warnings)


def test_accepting_something_else_does_not_help_and_is_said(settings):
    write_day(settings.home, DAY, "delete from today where hash(event_id) % 2 = 0")
    with pytest.raises(CheckpointFailedError, match=r"day\.event_cuont: nothing was found here under that name"):
        validate.run(Run(settings, SHOP, DAY, AS_OF, ("day.event_cuont",)), "events")


def test_judging_a_day_again_writes_the_same_bytes(settings):
    write_day(settings.home, DAY)
    validate.run(Run(settings, SHOP, DAY, AS_OF), "events")
    first = report_path(settings.home, DAY, "events").read_bytes()
    (settings.home / "reports" / f"day={DAY}" / "profile.json").unlink()
    validate.run(Run(settings, SHOP, DAY, AS_OF), "events")
    assert report_path(settings.home, DAY, "events").read_bytes() == first


def test_a_day_judged_again_at_the_same_moment_has_the_new_report(tmp_path):
    failed = Report(checkpoint="events", day=DAY, domain="shop", has_failed=True, findings=[])
    write_report(tmp_path, failed, AS_OF)
    again = write_report(tmp_path, failed.model_copy(update={"has_failed": False}), AS_OF)
    assert read_report(tmp_path, DAY, "events") == again


def test_a_kept_profile_gives_way_when_late_events_come(settings):
    write_day(settings.home, DAY)
    check(settings)
    write_day(settings.home, DAY, events=1500)
    path = settings.home / "lake" / "batches" / "events-0000000020261119.json"
    path.write_text(path.read_text().replace(f'"read": {1500}', '"read": 1501').replace('"refused": 0', '"refused": 1'))
    assert check(settings).seen["event_count"] == 1500


def test_nothing_is_written_outside_the_reports(settings, tmp_path, monkeypatch):
    write_day(settings.home, DAY)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    shutil.rmtree(settings.home / "reports")
    before = set(tmp_path.rglob("*"))
    check(settings)
    new = {path.relative_to(settings.home).parts[0] for path in set(tmp_path.rglob("*")) - before}
    assert new == {"reports"}


def test_a_feed_that_has_been_silent_for_a_month_is_dead_not_closed(settings):
    later = DAY + timedelta(days=60)
    report = check(settings, later, AS_OF + timedelta(days=60))
    assert report.has_failed
    assert names(report, "critical") == ["day.event_count"]
