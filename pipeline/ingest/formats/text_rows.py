"""Split the bytes of a text file into rows, within bounded memory: lines of JSON, records of CSV.

CSV is read per RFC 4180, as Python's csv module does. A quote opens a field only as the field's first character.
A record ends at the first line end outside quotes, whatever else is wrong. Text inside quotes is never a row.
"""

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.ingest.refusals import MAX_ROW

EMPTY_LINES = re.compile(rb"\n*+")
DELIMITERS = (",", ";", "\t")


class Row(NamedTuple):
    """`content` is the row as it came, without its line end. `fault` says why it cannot be read."""

    line: int
    content: bytes
    fault: str | None = None


class Syntax:
    """Where a row ends."""

    row = re.compile(rb"[^\n]*+\n")

    def gist(self, begun: bytes) -> bytes:
        """The shortest text that leaves the parser in the same state as this unfinished row."""
        return begun[:1]


class CsvSyntax(Syntax):
    """A row ends outside quotes. A lone CR ends no row, but a quote may open after it: some readers end a row there."""

    def __init__(self, delimiter: str) -> None:
        apart = re.escape(delimiter.encode()) + rb"\r"
        self.open = re.compile(rb'"(?:[^"]++|"")*+')
        field = rb'(?:"(?:[^"]++|"")*+"|(?!"))[^%s\n]*+' % apart
        self.row = re.compile(rb"%s(?:[%s]%s)*+\n" % (field, apart, field))
        self.fields = re.compile(rb"(?:%s[%s])*+" % (field, apart))  # the finished ones

    def gist(self, begun: bytes) -> bytes:
        field = _after(self.fields, begun)
        if field[:1] != b'"':
            return field[:1]
        rest = _after(self.open, field)  # nothing, or from the closing quote on
        return b"x" if len(rest) > 1 else b'"' + rest


def _after(pattern: re.Pattern[bytes], text: bytes) -> bytes:
    found = pattern.match(text)
    return text[found.end() :] if found else text


class RowSplitter:
    """Splits the blocks of a file into rows. A block may end anywhere, even within a character."""

    def __init__(self, syntax: Syntax, max_row: int = MAX_ROW) -> None:
        self.syntax, self.max_row = syntax, max_row
        self.line = 1  # where the unfinished row begins
        self.begun = b""  # the unfinished row; once it is too long, its gist
        self.kept: bytes | None = None  # the first bytes of an unfinished row that is too long

    @property
    def is_between(self) -> bool:
        """Whether all rows so far are finished."""
        return not self.begun and self.kept is None

    def feed(self, line: int, block: bytes) -> Iterator[Row]:
        """The rows that end in this block. The block begins on `line`. Empty lines are no rows, and may be millions."""
        start = line if self.is_between else self.line
        text, at, new = self.begun + block, 0, len(self.begun)
        if self.is_between:
            at = new = _after_empty_lines(text, 0)
            start = line = line + at
        while found := self.syntax.row.match(text, at):
            end = found.end()
            yield self._finished(start, text[at : end - 1])
            line += text.count(b"\n", new, end)
            self.kept = None
            at = new = _after_empty_lines(text, end)
            start = line = line + at - end
        self.line, self.begun = start, text[at:]
        if self.kept is not None or len(self.begun) > self.max_row:
            self.kept = self.begun[: self.max_row] if self.kept is None else self.kept
            self.begun = self.syntax.gist(self.begun)

    def finish(self) -> Iterator[Row]:
        """The last row, if the file ends without a line end. If a quote is still open, the rest is one refused row."""
        if self.is_between:
            return
        yield from self.feed(self.line, b"\n")
        if not self.is_between:
            begun = self.begun.removesuffix(b"\n") if self.kept is None else self.kept
            self.begun, self.kept = b"", None
            yield Row(self.line, begun, "broken_quotes")

    def _finished(self, line: int, content: bytes) -> Row:
        if self.kept is not None:
            return Row(line, self.kept, "line_too_long")
        if len(content) > self.max_row:
            return Row(line, content[: self.max_row], "line_too_long")
        return Row(line, content)


def _after_empty_lines(text: bytes, at: int) -> int:
    found = EMPTY_LINES.match(text, at)
    return found.end() if found else at


def sniff(header: str) -> str:
    """The delimiter that occurs most often in the header, outside quotes."""
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def cells_of(row: str, delimiter: str) -> list[str] | None:
    """The cells of one row: empty for a blank row, None if quotes or line ends are broken."""
    csv.field_size_limit(MAX_ROW)
    try:
        return next(csv.reader([row], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def odd_bytes(text: str) -> str | None:
    """The reason to refuse a row for its bytes. Undecodable bytes arrive as lone surrogates."""
    if "\0" in text:
        return "nul"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "bad_utf8"
    return None


def readable(text: str) -> str:
    """The text with bytes that are not UTF-8 written as \\xNN, so that it can be stored and read."""
    return text if text.isascii() else text.encode(errors="surrogateescape").decode(errors="backslashreplace")
