"""Text is cut into rows as Python's csv module reads them, wherever its blocks end and however long its rows are."""

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.ingest.formats.text_rows import CsvSyntax, Row, RowSplitter, Syntax, cells_of

PIECES = st.sampled_from(['"', '""', ",", "\n", "\r\n", "a", "b ", "ü", '"x"', '","', ',"y",', '"a\nb"', ' "', "\0"])
TEXTS = st.lists(PIECES, max_size=30).map("".join)


def rows_of(content: bytes, block: int, syntax: Syntax, max_row: int = 10**6) -> list[Row]:
    rows, found, line = RowSplitter(syntax, max_row), [], 1
    for start in range(0, len(content), block):
        piece = content[start : start + block]
        found += rows.feed(line, piece)
        line += piece.count(b"\n")
    return [*found, *rows.finish()]


def python_rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@settings(max_examples=500, deadline=None)
@given(TEXTS)
@example('"a\n')
@example('a,"b"c,"d\n"\n')
def test_every_row_is_a_row_of_pythons_csv_module(text: str) -> None:
    theirs = [cells for cells in python_rows(text) if cells]
    rows = rows_of(text.encode(), 10**6, CsvSyntax(","))
    ours = [row for row in rows if row.fault or cells_of(row.content.decode(), ",") != []]  # blank lines are no rows
    assert len(ours) == len(theirs)
    if ours and ours[-1].fault:  # never closed: Python reads the end of the file as the end of the quote
        ours, theirs = ours[:-1], theirs[:-1]
    for row, cells in zip(ours, theirs, strict=True):
        assert cells_of(row.content.decode(), ",") in (cells, None)


@settings(max_examples=300, deadline=None)
@given(TEXTS | st.text('a",\r\n', max_size=30), st.integers(1, 5))
def test_rows_do_not_depend_on_where_blocks_end(text: str, block: int) -> None:
    for syntax in (CsvSyntax(","), Syntax()):
        assert rows_of(text.encode(), block, syntax) == rows_of(text.encode(), 10**6, syntax)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(1, 5), st.integers(1, 9))
def test_a_row_that_is_too_long_ends_where_it_would_have_ended(text: str, block: int, max_row: int) -> None:
    whole = rows_of(text.encode(), 10**6, CsvSyntax(","))
    for row, short in zip(whole, rows_of(text.encode(), block, CsvSyntax(","), max_row), strict=True):
        is_long = len(row.content) > max_row
        assert short.line == row.line
        assert short.content == row.content[:max_row]
        assert short.fault == (row.fault or ("line_too_long" if is_long else None))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.text(max_size=5), min_size=2, max_size=3), max_size=5), st.sampled_from([",", ";", "\t"]))
def test_what_csv_writers_write_comes_back(written: list[list[str]], delimiter: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(written)
    content = text.getvalue().encode(errors="surrogatepass")
    rows = rows_of(content, 3, CsvSyntax(delimiter))
    assert [cells_of(row.content.decode(errors="surrogatepass"), delimiter) for row in rows] == written


@pytest.mark.parametrize("after", ["\r", "\r\r", "a\r", '"a"\r'])
def test_a_quote_after_a_lone_carriage_return_opens_a_field_too(after: str) -> None:
    [row] = rows_of(f'{after}"x\nforged,row\n"\n'.encode(), 2, CsvSyntax(","))
    assert cells_of(row.content.decode(), ",") is None
