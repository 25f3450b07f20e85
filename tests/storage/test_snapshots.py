"""A snapshot counts once it is whole, wherever a run that made it was stopped."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.storage import snapshots

KEY, MADE_ID = ("user_days", date(2026, 11, 19)), "0123456789ab"
AS_OF = datetime(2026, 11, 20, 4, tzinfo=UTC)


class Stopped(BaseException):
    pass


@pytest.mark.parametrize("step", ["publish", "write_atomically"])
def test_stopped_before_it_is_whole_it_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str):
    def stop(*_: object) -> None:
        raise Stopped

    shelf, aside = snapshots.Shelf(tmp_path, AS_OF), tmp_path / "aside.parquet"
    pq.write_table(pa.table({"user_id": ["ann"]}), aside)
    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(snapshots, step, stop)
        shelf.add(KEY, MADE_ID, {}, aside)
    assert shelf.find(KEY, MADE_ID) is None

    pq.write_table(pa.table({"user_id": ["ann"]}), aside)
    shelf.add(KEY, MADE_ID, {}, aside)
    found = shelf.find(KEY, MADE_ID)
    assert snapshots.require(found, tmp_path, *KEY, fix="").rows == 1
