"""A file that cannot be read as a whole is exit code 3, says why, and leaves nothing behind."""

import gzip
import os
from pathlib import Path

import pytest
from deliveries import Shop, as_csv, encode, event

from pipeline.errors import InputError
from pipeline.ingest import store
from pipeline.ingest.formats import blocks

WHOLE = as_csv([event(f"e{i}", item_id=f"item {i * i * i}") for i in range(2000)])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("events.csv", b"", "is empty"),
        ("events.csv", b"\n\n", "is empty"),
        ("events.csv", os.urandom(200).replace(b"\n", b"") + b"\0\xff\n", "header"),
        ("events.csv", b"user_id,event_at,event_type\rann,2026-11-20,browse\r", "does not begin with a CSV header"),
        ("events.csv", "user_id,event_at,event_type\n".encode("utf-16"), "UTF-16"),
        ("events.csv", b'"user_id,event_at\n', "broken quotes"),
        ("events.csv", b"user_id,event_type\nann,browse\n", "lacks columns"),
        ("events.csv", b"user_id,event_at,event_type,user_id\na,2026-11-20,cart,b\n", "user_id 2 times"),
        ("events.csv.gz", gzip.compress(WHOLE, mtime=0)[:-200], "cannot be read to its end"),
        ("events.csv.gz", gzip.compress(WHOLE, mtime=0)[:500] + b"rubbish" * 99, "cannot be read to its end"),
        ("events.csv.gz", gzip.compress(WHOLE, mtime=0) + b"rubbish", "cannot be read to its end"),
        ("events.jsonl", b"", "is empty"),
        ("events.jsonl", b"rubbish\nrubbish\n", "no JSON object"),
        ("events.json", b'[{"user_id": "ann"}]', "JSON array"),
        ("events.jsonl", b'{"user_id": "ann", "event_type": "browse"}\n', "lacks columns"),
        ("events.parquet", b"rubbish", "not a readable Parquet file"),
        ("events.parquet", b"", "not a readable Parquet file"),
        ("events.parquet", b"PAR1 rubbish PAR1", "not a readable Parquet file"),
        ("events.parquet", encode([event()], "parquet")[:-20], "not a readable Parquet file"),
        ("events.xlsx", b"PK\3\4 rubbish", "of no format we know"),
        ("events", b"user_id,event_at,event_type\n", "of no format we know"),
    ],
)
def test_an_unreadable_file_says_why_and_leaves_nothing(shop: Shop, name: str, content: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        shop.deliver(content, name)
    assert caught.value.exit_code == 3
    assert name in str(caught.value)
    assert not [path for path in shop.content() if not path.endswith("key.json")]
    assert list((shop.home / "scratch").rglob("*.parquet")) == []


def test_a_command_to_copy_quotes_the_name_of_the_file(shop: Shop) -> None:
    with pytest.raises(InputError) as caught:
        shop.deliver(b"[]", "$(rm x).json")
    assert caught.value.fix == "jq -c '.[]' '$(rm x).json'"


def test_a_damaged_parquet_page_leaves_nothing(shop: Shop) -> None:
    content = bytearray(encode([event(f"e{i}", item_id=f"item {i * i}") for i in range(5000)], "parquet"))
    content[len(content) // 3 : len(content) // 3 + 400] = os.urandom(400)
    with pytest.raises(InputError):
        shop.deliver(bytes(content), "events.parquet")
    assert shop.events() == []


def test_files_before_and_after_a_bad_one_are_loaded(shop: Shop) -> None:
    files = [shop.file([event("a")], "a.csv"), shop.file(b"", "b.csv"), shop.file([event("c")], "c.csv")]
    with pytest.raises(InputError, match=r"b\.csv is empty") as caught:
        shop.ingest(*files)
    assert "loaded all the same: 2 files, 2 rows" in str(caught.value)
    assert [row["event_id"] for row in shop.events()] == ["a", "c"]


def test_every_bad_file_is_named(shop: Shop) -> None:
    with pytest.raises(InputError, match="2 files could not be read") as caught:
        shop.ingest(shop.file(b"", "a.csv"), shop.file(b"PK", "b.zip"), shop.file([event()], "c.csv"))
    assert "a.csv is empty" in str(caught.value)
    assert "b.zip is of no format" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("events.csv", b"4111111111111111,5 Elm Street,user_id\n1,2,3\n"),
        ("events.csv.gz", gzip.compress(b"4111111111111111,5 Elm Street,event_type\n", mtime=0)),
        ("events.jsonl", b'{"4111111111111111": "", "5 Elm Street": "", "c": ""}\n'),
        ("events.parquet", encode([{"4111111111111111": "", "5 Elm Street": "", "c": ""}], "parquet")),
    ],
)
def test_of_a_file_without_a_header_no_cell_is_printed(shop: Shop, name: str, content: bytes) -> None:
    with pytest.raises(InputError, match=r"wanted: .*event_at \(for event_at\)") as caught:
        shop.deliver(content, name)
    assert "found:  3 columns" in str(caught.value)
    assert "4111" not in str(caught.value)
    assert "Elm" not in str(caught.value)


def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path, max_file_bytes=10_000)
    packed = gzip.compress(WHOLE, mtime=0)
    for name, content in (("a.csv", WHOLE), ("b.csv.gz", packed), ("c.parquet", os.urandom(20_000))):
        with pytest.raises(InputError, match=r"larger than the limit|not a readable Parquet"):
            shop.deliver(content, name)


def test_a_bomb_is_refused_early(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BOMB_BYTES", 2**20)
    with pytest.raises(InputError, match="times its size"):
        shop.deliver(gzip.compress(b"user_id,event_at,event_type\n" + b"\n" * 2**26), "events.csv.gz")


def test_a_link_out_of_the_folder_is_refused(shop: Shop) -> None:
    secret = shop.file([event()], "elsewhere/secret.csv")
    landing = shop.home / "landing" / "events"
    landing.mkdir(parents=True)
    (landing / "innocent.csv").symlink_to(secret)
    with pytest.raises(InputError, match="is a link out of"):
        shop.ingest()
    assert shop.events() == []


def test_a_pipe_is_refused_not_waited_for(shop: Shop) -> None:
    os.mkfifo(shop.folder / "pipe.csv")
    with pytest.raises(InputError, match="not a regular file"):
        shop.ingest(shop.folder / "pipe.csv")


def test_a_missing_file_is_named(shop: Shop) -> None:
    with pytest.raises(InputError, match=r"no file .*nowhere\.csv"):
        shop.ingest(shop.folder / "nowhere.csv")


def test_a_file_still_being_written_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shop.file([event()])
    monkeypatch.setattr(store.Quarantine, "add", lambda *_: path.write_bytes(path.read_bytes() + b"more"))
    with pytest.raises(InputError, match="changed while it was read"):
        shop.ingest(path)
    assert shop.events() == []


def test_copies_of_a_file_that_cannot_be_read_are_refused_alike(shop: Shop) -> None:
    """Its keys are looked for in the first lines, so it is refused once reading has begun."""
    copies = [shop.file(b"{}\n", f"copy{n}.jsonl") for n in range(2)]
    with pytest.raises(InputError, match="2 files could not be read") as failure:
        shop.ingest(*copies, shop.file(WHOLE))
    assert "copy0.jsonl lacks columns" in str(failure.value)
    assert "copy1.jsonl lacks columns" in str(failure.value)
    assert len(shop.events()) == 2000
