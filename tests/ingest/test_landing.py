"""What lies in a folder besides plain files is named, and never waited for; the rest loads."""

import os
import socket
from pathlib import Path

import pytest
from deliveries import Shop, as_csv, event

from pipeline.errors import InputError


@pytest.fixture
def landing(shop: Shop) -> Path:
    folder = shop.home / "landing" / "events"
    folder.mkdir(parents=True)
    shop.file([event("good")], "home/landing/events/day/z.csv")
    return folder


def refused(shop: Shop) -> str:
    with pytest.raises(InputError) as caught:
        shop.ingest()
    assert caught.value.exit_code == 3
    assert [row["event_id"] for row in shop.events()] == ["good"]
    return str(caught.value)


def test_a_link_to_a_folder_is_named(shop: Shop, landing: Path) -> None:
    elsewhere = shop.file([event("hidden")], "elsewhere/a.csv").parent
    (landing / "day" / "linked").symlink_to(elsewhere)
    assert "day/linked is a link to a folder" in refused(shop)


def test_a_folder_that_cannot_be_read_is_named(shop: Shop, landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (landing / "closed").mkdir()
    scandir = os.scandir

    def guarded(path: Path) -> object:
        if not isinstance(path, int) and Path(path).name == "closed":  # permissions do not bind root
            raise PermissionError
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert "the folder closed cannot be read" in refused(shop)


def test_a_landing_folder_that_leads_nowhere_is_named(shop: Shop) -> None:
    (shop.home / "landing").mkdir(parents=True)
    (shop.home / "landing" / "events").symlink_to(shop.folder / "nowhere")
    with pytest.raises(InputError, match="events is a link to nothing"):
        shop.ingest()


def test_every_odd_thing_is_named(shop: Shop, landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(landing / "pipe.csv")
    (landing / "dangling.csv").symlink_to("nowhere")
    (landing / "loop.csv").symlink_to("loop.csv")
    (landing / os.fsdecode(b"caf\xe9.csv")).write_bytes(b"")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(landing)  # a socket's path must be short
        server.bind("socket.csv")
        result = refused(shop)
    for words in (
        "pipe.csv is not a regular file",
        "dangling.csv is a link to nothing",
        "loop.csv cannot be read",
        r"the name 'caf\udce9.csv' cannot be written down",
        "socket.csv is not a regular file",
        "5 files could not be read",
    ):
        assert words in result


def test_what_lies_in_a_hidden_folder_was_not_delivered(shop: Shop, landing: Path) -> None:
    shop.file(as_csv([event("unfinished")]), "home/landing/events/.sync/a.csv")
    shop.ingest()
    assert [row["event_id"] for row in shop.events()] == ["good"]


def test_a_folder_may_be_called_like_a_file(shop: Shop) -> None:
    shop.file(as_csv([event("inside")]), "home/landing/events/x.csv/a.csv")
    shop.ingest()
    assert [row["event_id"] for row in shop.events()] == ["inside"]


def test_a_file_that_vanishes_is_named(shop: Shop, landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.ingest import landing as module

    gone = shop.file([event("gone")], "home/landing/events/a.csv")
    check = module.check

    def vanishing(path: Path, roots: list[Path]) -> None:
        check(path, roots)
        gone.unlink(missing_ok=True)

    monkeypatch.setattr(module, "check", vanishing)
    assert "a.csv cannot be read: No such file or directory" in refused(shop)


@pytest.mark.parametrize(
    "odd", ["event_id=a/user_id=b", "new\nline", "nb\u00a0sp", "br[ab]", "st*r", "quo'te\"", "$x `y` %41", "Zoë"]
)
def test_a_home_may_lie_anywhere(tmp_path: Path, odd: str) -> None:
    (tmp_path / "bra").mkdir()
    (tmp_path / odd).mkdir(parents=True)
    shop = Shop(tmp_path / odd)
    shop.deliver([event("a"), event("b")], "one.csv")
    assert shop.deliver([event("a"), event("c")], "two.csv").duplicates == 1
    shop.deliver_labels(b"event_id,known_at,is_bad\na,2026-11-21T09:00:00Z,true\n")
    assert [row["user_id"] for row in shop.labels()] == ["ann"]


def test_what_lies_beside_the_two_folders_of_landing_is_named(shop: Shop) -> None:
    for name in ("events/a.csv", "lost.csv", "event/b.csv", "c\x1b.csv", ".hidden", "half.csv.part"):
        path = shop.home / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_csv([event()]))
    [warning] = shop.ingest().warnings
    assert warning == ("landing/ holds 'c\\x1b.csv', event, lost.csv: only landing/events and landing/labels are read")
