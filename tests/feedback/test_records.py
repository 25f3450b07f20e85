"""Whatever a CSV writer puts into a file is read back row by row, and no cell becomes a row."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.feedback.records import OPTIONAL, REQUIRED, read_records

COLUMNS = (*REQUIRED, *OPTIONAL)
anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
hostile = st.text(st.sampled_from(['"', ",", ";", "\t", "\r", "\n", "\u2028", "\x85", "'", "a", " "]))
rows = st.lists(st.tuples(*[anything | hostile] * len(COLUMNS)), max_size=6)


def written(rows, end, delimiter):
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=end, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([COLUMNS, *rows])
    return out.getvalue()


@settings(deadline=None)
@given(rows, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(",;\t"))
def test_each_row_written_is_one_row_read_with_its_own_cells(rows, end, delimiter):
    text = written(rows, end, delimiter)
    found = list(read_records(text.encode(), "v.csv"))
    assert [record.refusal for record in found] == [None] * len(rows)
    for record, row in zip(found, rows, strict=True):
        wanted = dict(zip(COLUMNS, row, strict=True))
        assert record.cells["user_id"] == wanted.pop("user_id")
        assert {name: record.cells[name] for name in wanted} == {
            name: cell.replace("\r\n", "\n").strip() for name, cell in wanted.items()
        }
        assert record.raw in text


@settings(deadline=None)
@given(st.binary(max_size=300) | hostile.map(str.encode))
def test_any_bytes_are_rows_accounted_for_or_no_verdict_file(content):
    try:
        found = list(read_records(",".join(COLUMNS).encode() + b"\n" + content, "v.csv"))
    except InputError:
        pytest.fail("the header is there")
    assert all(record.refusal or set(record.cells) == set(COLUMNS) for record in found)
    lines = [record.line for record in found]
    assert lines == sorted(set(lines))
