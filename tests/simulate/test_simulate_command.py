"""dawnlist simulate, as typed."""

from command import Home


def test_it_writes_a_shop_and_prints_a_receipt(tmp_path):
    said = Home(tmp_path).does("simulate", "--out", tmp_path / "shop", "--days", 2, "--users", 400, "--json")
    assert said.json["step"] == "simulate" and said.json["details"]["events"] > 100
    files = sorted(path.name for path in (tmp_path / "shop/events").iterdir())
    assert files == ["2026-06-01.parquet", "2026-06-02.parquet"]


def test_the_first_day_and_the_format_can_be_chosen(tmp_path):
    given = ("--days", 1, "--users", 400, "--first-day", "2026-11-22", "--format", "csv", "--quiet")
    said = Home(tmp_path).does("simulate", "--out", tmp_path / "shop", *given)
    assert (tmp_path / "shop/events/2026-11-22.csv").is_file() and "bad user days 0" in said.out


def test_a_folder_in_use_is_refused_with_exit_code_2(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    said = Home(tmp_path).says("simulate", "--out", tmp_path, "--days", 1, "--users", 400)
    assert said.code == 2 and "is not an empty folder" in said.err and "to fix" in said.err
