"""When the warehouse starts over."""

import duckdb
import pytest

from pipeline import warehouse
from pipeline.storage.files import read_json, write_json


@pytest.fixture
def home(tmp_path):
    """A home whose warehouse this SQL and this DuckDB filled."""
    warehouse.start_over_if_other_code_filled_it(tmp_path)
    (tmp_path / "warehouse.duckdb").write_text("pairs")
    (tmp_path / "warehouse.duckdb.wal").write_text("more pairs")
    return tmp_path


def left(home):
    return sorted(path.name for path in home.glob("warehouse.duckdb*"))


def test_a_warehouse_stays_while_the_same_sql_and_duckdb_fill_it(home):
    warehouse.start_over_if_other_code_filled_it(home)
    assert left(home) == ["warehouse.duckdb", "warehouse.duckdb.wal"]


@pytest.mark.parametrize("what", ["code", "duckdb"])
def test_a_warehouse_that_other_code_filled_starts_over(home, what):
    write_json(home / warehouse.MADE_BY, read_json(home / warehouse.MADE_BY) | {what: "another"})
    warehouse.start_over_if_other_code_filled_it(home)
    assert left(home) == []
    assert read_json(home / warehouse.MADE_BY)["duckdb"] == duckdb.__version__
