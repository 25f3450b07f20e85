"""Killed anywhere, then run again: the same bytes as a run that nobody disturbed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from deliveries import Shop, event

from pipeline.settings import PROJECT
from pipeline.storage import lake

pytestmark = pytest.mark.slow

ROWS = [event(f"e{i}", event_at=f"2026-11-{18 + i % 3}T10:00:00Z", amount=i if i % 5 else "x") for i in range(30)]

# Every place where the run touches the disk or moves on; `Nth` counts calls of that function.
POINTS = [
    ("pipeline.ingest.contents.sha256_of", 1),
    ("pipeline.ingest.row_checks.RowChecker.add", 1),
    ("pipeline.ingest.store.Quarantine.add", 1),
    ("pipeline.ingest.store.drop_event_duplicates", 1),
    ("pipeline.ingest.store.Stream.write", 1),
    ("pipeline.ingest.store.Stream.write", 3),
    ("pipeline.ingest.load.publish", 1),
    ("pipeline.ingest.load.publish", 2),
    ("pipeline.ingest.load.publish", 3),
    ("pipeline.ingest.store.publish", 1),
    ("pipeline.storage.files.publish", 1),  # of the key's mark
    ("pipeline.storage.files.publish", 2),  # of the manifest: it counts from here on
    ("pipeline.storage.lake.commit", 1),
]

KILLER = """
import os, sys
from pathlib import Path
from pkgutil import resolve_name
sys.path.insert(0, {tests!r})
import pipeline.ingest.load
from deliveries import Shop
point, nth, when = {point!r}, {nth}, {when!r}
holder, name = point.rsplit(".", 1)
real, calls = resolve_name(point), 0
def deadly(*arguments, **options):
    global calls
    calls += 1
    if calls == nth and when == "before":
        os._exit(9)
    result = real(*arguments, **options)
    if calls == nth:
        os._exit(9)
    return result
setattr(resolve_name(holder), name, deadly)
shop = Shop(Path({folder!r}))
shop.ingest(Path({file!r}))
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    shop = Shop(tmp_path_factory.mktemp("undisturbed"))
    shop.deliver(ROWS)
    return shop.content()


@pytest.mark.parametrize(("point", "nth"), POINTS)
def test_a_killed_run_is_made_good_by_the_next(shop: Shop, undisturbed, point: str, nth: int) -> None:
    file = shop.file(ROWS)
    tests, when = str(Path(__file__).parent), "before" if nth == 1 else "after"
    script = KILLER.format(tests=tests, point=point, nth=nth, when=when, folder=str(shop.folder), file=str(file))
    killed = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(PROJECT)})
    assert killed.returncode == 9, "the run never came to that point"
    is_committed = bool(lake.batches(shop.home, "events"))
    receipt = shop.ingest(file)
    assert (receipt.read, receipt.accepted, receipt.refused) == ((0, 0, 0) if is_committed else (30, 24, 6))
    assert shop.content() == undisturbed
    assert not any((shop.home / "scratch").glob("ingest*"))


def test_leftovers_of_a_killed_run_are_no_duplicates(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        shop.deliver(ROWS)
    monkeypatch.undo()
    assert shop.events() == []
    assert shop.deliver(ROWS).duplicates == 0


def test_leftovers_on_days_no_longer_written_are_removed(shop: Shop) -> None:
    batch_id = next(iter(Shop(shop.folder / "other").deliver(ROWS).details["batches"])).removeprefix("events-")
    leftover = shop.home / "lake" / "events" / "event_day=2020-01-01" / f"{batch_id}.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"rubbish")
    shop.deliver(ROWS)
    assert not leftover.exists()
