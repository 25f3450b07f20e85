"""Names come from strangers; an analyst opens them in a spreadsheet."""

import csv
import io
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publish.outputs import to_csv
from pipeline.safe_text import TRIGGERS, one_line, safe_cell

hostile = st.text(
    st.sampled_from([*TRIGGERS, " ", "\t", "\r", "\n", "\u2028", '"', ";", ",", "'", "a", "1", "\u00a0", "\x1b"])
)
anything = st.text() | hostile


def would_run(cell):
    return cell.lstrip()[:1] in {*TRIGGERS} and bool(cell.lstrip())


FORMULAS = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\x0b=1", '=cmd|" /C calc"!A0']
IN_DISGUISE = ["\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "\u22121", "\u200b=1", "\ufeff=1", "\u200d=1"]


@pytest.mark.parametrize("name", [*FORMULAS, *IN_DISGUISE])
def test_formulas_are_shown_instead_of_run(name):
    assert safe_cell(name).startswith("'")


@pytest.mark.parametrize("name", ["ann", "17850", "a=b", "anna-maria", "x@y.org", "", "'quoted'", "آن\u200cها"])
def test_ordinary_names_stay_as_they_are(name):
    assert safe_cell(name) == name


@given(anything)
def test_no_text_ever_starts_a_formula(text):
    assert not would_run(safe_cell(text))


@given(anything)
def test_no_text_starts_a_formula_where_semicolons_separate(text):
    assert not any(would_run(part.strip('"')) for part in safe_cell(text).split(";")[1:])


@given(anything)
def test_cells_stay_on_one_line_without_control_characters(text):
    kinds = {unicodedata.category(character) for character in safe_cell(text)}
    assert not kinds & {"Cc", "Cs", "Zl", "Zp"}
    assert len(safe_cell(text).splitlines()) <= 1


@given(anything)
def test_making_a_cell_safe_twice_changes_nothing_more(text):
    assert safe_cell(safe_cell(text)) == safe_cell(text)


@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"])) | hostile, st.none() | st.floats(-9, 9)), max_size=8
    )
)
def test_a_csv_is_read_back_row_by_row_with_numbers_as_numbers(rows):
    table = pa.table(
        {"user_id": pa.array([r[0] for r in rows], pa.string()), "risk": pa.array([r[1] for r in rows], pa.float64())}
    )
    text = to_csv(table)
    assert text.count("\r\n") == text.count("\n") == len(rows) + 1
    header, *read = list(csv.reader(io.StringIO(text), strict=True))
    assert header == ["user_id", "risk"]
    assert [row[0] for row in read] == [safe_cell(r[0]) for r in rows]
    assert [float(row[1]) if row[1] else None for row in read] == [r[1] for r in rows]


def test_terminal_codes_are_taken_out():
    assert "\x1b" not in one_line("\x1b[31mred") and "\u202e" not in one_line("\u202egnp.exe")
