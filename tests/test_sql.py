"""Paths in SQL are read as they are."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.sql import literal, parquet, quoted


@pytest.mark.parametrize("name", ["a=1", "br[ab]", "st*r", "**", "q?", "quo'te", 'dou"ble', "new\nline", "nb\u00a0sp"])
def test_a_path_names_one_file_and_adds_no_column(tmp_path: Path, name: str) -> None:
    for folder in (name, "bra", "stir", "qq"):
        (tmp_path / folder).mkdir()
        pq.write_table(pa.table({"v": [folder]}), tmp_path / folder / "x.parquet")
    with duckdb.connect() as con:
        table = con.sql(f"from {parquet([tmp_path / name / 'x.parquet'])}").to_arrow_table()
    assert table.to_pydict() == {"v": [name]}


def test_names_and_texts_end_where_they_end() -> None:
    with duckdb.connect() as con:
        assert con.sql(f"select {literal(chr(39) + '; --')} as {quoted(chr(34) + '; --')}").fetchall() == [("'; --",)]
