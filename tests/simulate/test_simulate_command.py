"""dawnlist simulate, as typed."""

from command import Home


def test_it_writes_a_shop_and_prints_a_receipt(tmp_path):
    result = Home(tmp_path).run_ok("simulate", "--out", tmp_path / "shop", "--days", 2, "--users", 400, "--json")
    assert result.json["step"] == "simulate" and result.json["details"]["events"] > 100
    files = sorted(path.name for path in (tmp_path / "shop/events").iterdir())
    assert files == ["2026-06-01.parquet", "2026-06-02.parquet"]


def test_the_first_day_and_the_format_can_be_chosen(tmp_path):
    given = ("--days", 1, "--users", 400, "--first-day", "2026-11-22", "--format", "csv", "--quiet")
    result = Home(tmp_path).run_ok("simulate", "--out", tmp_path / "shop", *given)
    assert (tmp_path / "shop/events/2026-11-22.csv").is_file() and "bad user days 0" in result.out


def test_a_folder_in_use_is_refused_with_exit_code_2(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    result = Home(tmp_path).run("simulate", "--out", tmp_path, "--days", 1, "--users", 400)
    assert result.code == 2 and "is not an empty folder" in result.err and "to fix" in result.err
