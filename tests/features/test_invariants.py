"""The three invariants of the features: point in time, a range equals its days, same inputs give the same bytes."""

import shutil
from datetime import date, timedelta

import pyarrow.parquet as pq
import pytest
import random_lake
import support

from pipeline import features
from pipeline.context import Run
from pipeline.settings import Settings
from pipeline.storage import snapshots

pytestmark = pytest.mark.slow

DOMAIN = random_lake.shop()
LAST, AS_OF = random_lake.LAST, random_lake.AS_OF
DAYS = [LAST - timedelta(days=back) for back in (2, 1, 0)]


@pytest.fixture(scope="module")
def drawn():
    return random_lake.draw(seed=7, domain=DOMAIN)


def build(home, first=DAYS[0], last=LAST, as_of=AS_OF, **settings):
    return features.run(Run(Settings(home=home, **settings), DOMAIN, last, as_of), first)


def cells(home):
    """SHA-256 of every day of every table, whatever the files it was made from are called."""
    return {tuple(name.split("/")[:2]): sha256 for name, sha256 in support.snapshot_hashes(home).items()}


@pytest.fixture(scope="module")
def range_home(drawn, tmp_path_factory):
    """DAYS built in one go."""
    home = drawn.write(tmp_path_factory.mktemp("range"))
    build(home)
    return home


def test_a_range_gives_the_same_bytes_as_its_days_one_by_one_in_any_order(drawn, range_home, tmp_path):
    home = drawn.write(tmp_path)
    for day in (DAYS[1], DAYS[2], DAYS[0]):
        build(home, day, day)
    assert support.snapshot_hashes(home) == support.snapshot_hashes(range_home)
    assert len(cells(home)) == len(DAYS) + len(DAYS) + 27


def test_neither_the_batches_nor_the_number_of_threads_changes_a_byte(drawn, range_home, tmp_path):
    drawn.write(tmp_path, batches=7, seed=1)
    build(tmp_path, threads=1)
    assert cells(tmp_path) == cells(range_home)
    assert support.snapshot_hashes(tmp_path).keys().isdisjoint(support.snapshot_hashes(range_home))


def test_what_happens_arrives_or_is_learned_later_changes_nothing(drawn, range_home, tmp_path):
    """The same bytes from a lake that holds nothing but what the last day could know."""
    as_of, end = AS_OF.replace(tzinfo=None), support.moment(LAST, 24)
    knowable = random_lake.Lake(
        DOMAIN,
        [row for row in drawn.events if row["arrived_at"] <= as_of],
        [row for row in drawn.labels if row["arrived_at"] <= as_of and row["known_at"] < end],
    )
    assert len(knowable.events) < len(drawn.events) and len(knowable.labels) < len(drawn.labels)
    knowable.write(tmp_path)
    build(tmp_path)
    assert cells(tmp_path) == cells(range_home)


def test_the_days_after_a_range_change_nothing_in_it(drawn, range_home, tmp_path):
    tomorrow = support.moment(LAST + timedelta(days=1))
    drawn.write(tmp_path)
    later = [support.event("user 0", tomorrow, device_id="device 0", arrived_at=AS_OF.replace(tzinfo=None))]
    support.write_events(tmp_path, later)
    support.write_labels(tmp_path, [support.label("user 0", support.moment(LAST), tomorrow)])
    build(tmp_path)
    assert support.snapshot_hashes(tmp_path) == support.snapshot_hashes(range_home)


def test_running_again_does_nothing(range_home, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in (range_home / "snapshots").rglob("*.parquet")}
    monkeypatch.setattr(features, "dbt_build", None)
    receipt = build(range_home)
    assert receipt.details["days_built"] == 0 and receipt.details["days_unchanged"] == len(DAYS)
    assert {path: path.stat().st_mtime_ns for path in (range_home / "snapshots").rglob("*.parquet")} == before


def test_a_late_event_changes_its_day_and_those_after_it_once_it_is_seen(range_home, tmp_path):
    """And what was known before it came can still be computed, even from a warehouse that has absorbed it."""
    home = shutil.copytree(range_home, tmp_path / "home")
    original = cells(home)
    late = AS_OF + timedelta(hours=5, minutes=7)
    happened = support.moment(DAYS[1], 3)
    support.write_events(
        home,
        [
            support.event("user 0", happened, "late", device_id="device 11", arrived_at=late.replace(tzinfo=None)),
            support.event("user 0", support.moment(LAST, 3), "later", device_id="device 11", arrived_at=happened),
        ],
    )

    def shas(as_of):
        return [snapshots.newest(home, "user_days", day, as_of).sha256 for day in DAYS]

    build(home, as_of=late - timedelta(seconds=1))
    before = shas(late - timedelta(seconds=1))
    build(home, as_of=late)
    after = shas(late)
    assert before[:2] == [original["user_days", f"day={day}"] for day in DAYS[:2]]
    assert after[0] == before[0] and after[1] != before[1] and after[2] != before[2]

    shutil.rmtree(home / "snapshots")
    build(home, as_of=late - timedelta(seconds=1))
    assert shas(late - timedelta(seconds=1)) == before


def test_older_history_that_comes_later_ends_the_warm_up_earlier_once_it_is_seen(drawn, tmp_path):
    """The old event's account and things are those of nobody else, so all that can change is what is known as new."""
    home, late = drawn.write(tmp_path), AS_OF + timedelta(hours=5, minutes=7)
    just_before = late - timedelta(seconds=1)
    older = random_lake.FIRST - timedelta(days=3)
    happened = support.moment(older)
    warm, known = (older + timedelta(days=n) for n in (27, 28))

    def made(day, as_of):
        build(home, day, day, as_of=as_of)
        rows = [snapshots.newest(home, table, day, as_of) for table in ("user_days", "event_tokens")]
        devices = pq.read_table(rows[0].path(home), columns=["new_device_count"]).column(0)
        return [row.sha256 for row in rows], devices.null_count == len(devices)

    days = (warm, known, LAST)
    before = {day: made(day, just_before) for day in days}
    assert [is_unknown for _, is_unknown in before.values()] == [True, True, False]
    support.write_events(home, [support.event("nobody else", happened, arrived_at=late.replace(tzinfo=None))])
    assert {day: made(day, just_before) for day in days} == before
    after = {day: made(day, late) for day in days}
    assert [is_unknown for _, is_unknown in after.values()] == [True, False, False]
    assert [day for day in days if after[day] != before[day]] == [known]


def test_a_day_that_is_unchanged_is_found_by_an_earlier_as_of_too(range_home, tmp_path):
    """Built today and asked for as of yesterday evening, when all of it had arrived."""
    home = shutil.copytree(range_home, tmp_path / "home")
    day = date(2026, 3, 2)
    much_later = AS_OF + timedelta(days=30)
    for as_of in (much_later, much_later - timedelta(days=1)):
        build(home, day, day, as_of=as_of)
        assert snapshots.newest(home, "user_days", day, as_of) is not None
