"""What lies in the inbox: files to take, and whatever else people put there, by name."""

import os

import pytest

from pipeline.errors import InputError, UsageError
from pipeline.feedback.inbox import list_inbox, named_file, require_only_files


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "verdicts" / "inbox"
    folder.mkdir(parents=True)
    for name in ("b.csv", "a.csv", "C.CSV", ".hidden.csv", "half.csv.part", "half.csv.tmp"):
        (folder / name).write_text("day,user_id,verdict\n")
    (tmp_path / "secret.csv").write_text("not yours\n")
    return folder


def names(found):
    return [path.name for path in found.files]


def test_all_csv_files_are_taken_in_order_but_hidden_and_unfinished_ones(inbox):
    assert names(list_inbox(inbox)) == ["C.CSV", "a.csv", "b.csv"]
    assert list_inbox(inbox).odd == []
    require_only_files(inbox)


def link_outwards(inbox):
    (inbox / "d.csv").symlink_to(inbox.parents[1] / "secret.csv")


def link_to_itself(inbox):
    (inbox / "d.csv").symlink_to(inbox / "d.csv")


def folder(inbox):
    (inbox / "d.csv").mkdir()


def pipe(inbox):
    os.mkfifo(inbox / "d.csv")


def spreadsheet(inbox):
    (inbox / "d.xlsx").write_text("PK")


def stray_byte(inbox):
    (inbox / "d\udce9.csv").write_text("day,user_id,verdict\n")


def terminal_code(inbox):
    (inbox / "d\x1b[31m.csv").write_text("day,user_id,verdict\n")


ODD = {
    link_outwards: "d.csv is a link out of the inbox",
    link_to_itself: "d.csv is a link out of the inbox",
    folder: "d.csv is not a regular file",
    pipe: "d.csv is not a regular file",
    spreadsheet: "d.xlsx is not called .csv",
    stray_byte: r"'d\udce9.csv' has a name that cannot be written down",
    terminal_code: r"'d\x1b[31m.csv' has a name that cannot be written down",
}


@pytest.mark.parametrize("put", ODD)
def test_an_odd_entry_is_named_and_stops_no_file(inbox, put):
    put(inbox)
    found = list_inbox(inbox)
    assert names(found) == ["C.CSV", "a.csv", "b.csv"]
    assert found.odd == [ODD[put]] and found.odd[0].isprintable()
    with pytest.raises(InputError, match="not everything in the inbox") as error:
        require_only_files(inbox)
    assert error.value.exit_code == 3 and error.value.found == (ODD[put],)


def test_a_file_we_may_not_read_is_named(inbox, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "a.csv")  # root may read everything
    assert list_inbox(inbox).odd == ["a.csv cannot be read: give its permissions to this user"]


def test_a_link_within_the_inbox_is_a_file(inbox):
    (inbox / "again.csv").symlink_to(inbox / "a.csv")
    assert names(list_inbox(inbox)) == ["C.CSV", "a.csv", "again.csv", "b.csv"]


def test_a_link_to_nothing_is_for_the_reader_to_miss(inbox):
    (inbox / "gone.csv").symlink_to(inbox / "nothing.csv")
    assert "gone.csv" in names(list_inbox(inbox))


def test_an_empty_or_missing_inbox_is_no_error(tmp_path):
    assert list_inbox(tmp_path / "nothing") == ([], [])


def test_an_inbox_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "inbox").write_text("")
    with pytest.raises(InputError, match="cannot read"):
        list_inbox(tmp_path / "inbox")


def test_one_file_may_be_named(inbox):
    assert named_file(inbox, "b.csv").name == "b.csv"


@pytest.mark.parametrize("name", ["../../secret.csv", "/etc/passwd", "x/../../../secret.csv", "a\0.csv"])
def test_a_file_outside_the_inbox_is_refused(inbox, name):
    with pytest.raises(UsageError, match="must lie in the inbox"):
        named_file(inbox, name)


def test_a_named_link_out_of_the_inbox_is_refused(inbox):
    link_outwards(inbox)
    with pytest.raises(UsageError, match="must lie in the inbox"):
        named_file(inbox, "d.csv")


@pytest.mark.parametrize("name", ["missing.csv", "", ".", "caf\udce9.csv"])
def test_what_is_not_a_file_is_a_clear_error(inbox, name):
    with pytest.raises(InputError):
        named_file(inbox, name)


def test_a_link_into_a_locked_folder_inside_the_inbox_stops_no_file(inbox, monkeypatch):
    (inbox / "d.csv").symlink_to(inbox / "a.csv")

    def stat(path, **options):  # root may look everywhere
        if path.name == "d.csv":
            raise PermissionError(13, "Permission denied")
        return os.stat(path, **options)  # noqa: PTH116

    monkeypatch.setattr(type(inbox), "stat", stat)
    found = list_inbox(inbox)
    assert names(found) == ["C.CSV", "a.csv", "b.csv"]
    assert found.odd == ["d.csv cannot be read: Permission denied"]


def test_a_name_that_is_too_long_for_a_file_is_explained(inbox):
    with pytest.raises(InputError, match="File name too long") as error:
        named_file(inbox, "d" * 300 + ".csv")
    assert error.value.exit_code == 3
