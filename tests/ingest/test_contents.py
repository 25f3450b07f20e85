import os
import time

import pytest

from pipeline.ingest import contents
from pipeline.ingest.contents import Contents


@pytest.fixture
def delivered(tmp_path, monkeypatch):
    """A file that has lain there for an hour, and a count of how often any file was read."""
    path = tmp_path / "events.csv"
    path.write_text("user_id\nann\n")
    in_an_hour = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: in_an_hour)
    reads = []
    hashed = contents.sha256_of
    monkeypatch.setattr(contents, "sha256_of", lambda path: reads.append(path) or hashed(path))
    return path, reads


def test_a_file_is_read_once(tmp_path, delivered):
    path, reads = delivered
    first = Contents(tmp_path)
    content = first.id_of(path)
    first.save()
    assert Contents(tmp_path).id_of(path) == content
    assert len(reads) == 1


def test_a_file_of_other_content_is_read_again_even_if_its_time_was_set_back(tmp_path, delivered):
    path, reads = delivered
    first = Contents(tmp_path)
    content = first.id_of(path)
    first.save()
    times = path.stat()
    path.write_text("user_id\nbob\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert Contents(tmp_path).id_of(path) != content
    assert len(reads) == 2


def test_a_file_that_was_just_written_is_read_every_time(tmp_path, delivered, monkeypatch):
    path, reads = delivered
    monkeypatch.setattr(time, "time_ns", lambda: path.stat().st_mtime_ns)
    first = Contents(tmp_path)
    first.id_of(path)
    first.save()
    Contents(tmp_path).id_of(path)
    assert len(reads) == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff"])
def test_a_damaged_record_costs_only_a_reading(tmp_path, delivered, damage):
    path, reads = delivered
    first = Contents(tmp_path)
    content = first.id_of(path)
    first.save()
    first.record.write_bytes(damage)
    assert Contents(tmp_path).id_of(path) == content
    assert len(reads) == 2


@pytest.mark.parametrize("record", ['{"a": 1}', '{"a": null}', "[" * 100_000, "[1]"])
def test_a_record_of_another_shape_is_a_lost_one(tmp_path, record):
    (tmp_path / "contents.json").write_text(record)
    assert Contents(tmp_path).recorded == {}
