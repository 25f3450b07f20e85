"""CSV into columns: regular blocks go through Arrow, all others through the csv module, with equal results."""

import csv
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from pipeline.errors import InputError
from pipeline.ingest.blocks import Blocks
from pipeline.ingest.refusals import MAX_LINE, Chunk, Refusal

DELIMITERS = (",", ";", "\t")
MAX_LINES_IN_RECORD = 50  # a quoted field that runs on for longer was never closed


class CsvRows:
    """A CSV file. `columns` are the names in its header."""

    is_sparse = False

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        name = blocks.path.name
        header = blocks.first_line().rstrip(b"\r")
        if not header:
            raise InputError(f"{name} is empty, wanted at least a header", fix="deliver the file again")
        try:
            text = header.decode()
        except UnicodeDecodeError:
            raise InputError(f"{name} has a header that is not UTF-8", fix="export it as UTF-8") from None
        if "\0" in text or "\r" in text or len(header) > MAX_LINE:
            raise InputError(f"{name} does not begin with a CSV header", fix="wanted lines that end in LF or CRLF")
        self.delimiter = sniff(text)
        try:
            self.header = [column.strip() for column in next(csv.reader([text], delimiter=self.delimiter, strict=True))]
        except csv.Error:
            raise InputError(f"{name} has a header with broken quotes", fix="correct its first line") from None
        self.columns = self.header

    @property
    def done(self) -> float:
        return self.blocks.done

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """The rows of the `wanted` columns, all as text."""
        positions = [self.header.index(column) for column in wanted]
        pending, pending_line = b"", 0
        for line, block in self.blocks:
            if not pending and (table := fast_rows(block, line, len(self.header), positions, wanted, self.delimiter)):
                yield Chunk(table, partial(_lines_of, block, line))
                continue
            first = pending_line if pending else line
            slow = SlowRows(pending + block, first, len(self.header), self.delimiter, self.blocks.is_at_end)
            pending, pending_line = slow.unfinished, slow.unfinished_line
            yield slow.chunk(positions, wanted)
        if pending:
            yield SlowRows(pending, pending_line, len(self.header), self.delimiter, True).chunk(positions, wanted)


def sniff(header: str) -> str:
    """The delimiter that occurs most often in the header, outside quotes."""
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def fast_rows(
    block: bytes, line: int, width: int, positions: Sequence[int], wanted: Sequence[str], delimiter: str
) -> pa.Table | None:
    """The block's rows, if every line is one well-formed row; None where that is not certain."""
    if not is_regular(block, delimiter):
        return None
    names = [str(position) for position in range(width)]
    chosen = list(dict.fromkeys(names[position] for position in positions)) or names[:1]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=len(block) + 1),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), include_columns=chosen, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None  # a row with too few or too many fields
    lines = pa.array(np.arange(line, line + table.num_rows))
    return pa.table([lines, *(table[names[p]] for p in positions)], names=["_line", *wanted])


def is_regular(block: bytes, delimiter: str) -> bool:
    """Whether all lines are UTF-8 without NUL, not blank, not too long, and all quotes enclose whole fields."""
    if b"\0" in block or block.count(b"\r") != block.count(b"\r\n") or not _is_utf8(block):
        return False
    if block[:1] in (b"\n", b"\r") or b"\n\n" in block or b"\n\r\n" in block:
        return False
    cells = np.frombuffer(b"\n" + block.removesuffix(b"\n") + b"\n", np.uint8)
    ends = np.flatnonzero(cells == ord("\n"))
    if np.diff(ends).max() > MAX_LINE:
        return False
    quotes = np.flatnonzero(cells == ord('"'))
    if not len(quotes):
        return True
    if (np.searchsorted(quotes, ends) % 2).any():
        return False  # a quoted field that goes on in the next line, or a stray quote
    # Every second quote opens a field and every other closes it; a closing one right before an opening one
    # is a doubled quote within a field.
    before, after = cells[quotes[::2] - 1], cells[quotes[1::2] + 1]
    opens = (before == ord(delimiter)) | (before == ord("\n")) | (before == ord('"'))
    closes = (after == ord(delimiter)) | (after == ord("\n")) | (after == ord("\r")) | (after == ord('"'))
    return bool(opens.all() and closes.all())


def _is_utf8(block: bytes) -> bool:
    try:
        return block.isascii() or bool(block.decode())
    except UnicodeDecodeError:
        return False


def _lines_of(block: bytes, first: int, lines: Sequence[int]) -> list[str]:
    split = block.split(b"\n")
    return [split[line - first].removesuffix(b"\r").decode() for line in lines]


class Runaway(Exception):
    """A record asked for more lines than it may have."""


class NeedsMore(Exception):
    """A record asked for more lines than there are in this block."""


class Feeder:
    """Gives the csv module its lines, and stops a quoted field from swallowing the file."""

    def __init__(self, lines: Sequence[str], start: int) -> None:
        self.lines, self.next, self.start = lines, start, start

    def __iter__(self) -> "Feeder":
        return self

    def __next__(self) -> str:
        at = self.next
        if at - self.start >= MAX_LINES_IN_RECORD:
            raise Runaway
        if at >= len(self.lines):
            raise NeedsMore if at > self.start else StopIteration
        if at > self.start and too_long(self.lines[at]):
            raise Runaway
        self.next += 1
        return self.lines[at] + "\n"


def too_long(line: str) -> bool:
    return len(line) > MAX_LINE // 4 and len(line.encode(errors="surrogateescape")) > MAX_LINE


class SlowRows:
    """One block read record by record. After a broken record, reading goes on at the next physical line.

    `unfinished` is what a record at the block's end still needs more lines for.
    """

    def __init__(self, block: bytes, line: int, width: int, delimiter: str, is_last: bool) -> None:
        text = block.decode(errors="surrogateescape")
        self.lines = text.removesuffix("\n").split("\n")
        self.line, self.width, self.delimiter = line, width, delimiter
        self.is_odd = not block.isascii() or b"\0" in block  # only then rows are looked at for odd bytes
        self.ends: dict[int, int] = {}  # records of several lines: first line -> the line after the last
        self.starts: list[int] = []
        self.records: list[list[str]] = []
        self.refused: list[Refusal] = []
        stop = self._read(is_last)
        rest = self.lines[stop:]
        self.unfinished_line = line + stop
        tail = "\n" if block.endswith(b"\n") else ""
        self.unfinished = ("\n".join(rest) + tail).encode(errors="surrogateescape") if rest else b""

    def _read(self, is_last: bool) -> int:
        start = 0
        csv.field_size_limit(MAX_LINES_IN_RECORD * MAX_LINE)
        while start < len(self.lines):
            if too_long(self.lines[start]):
                self._refuse(start, start + 1, "line_too_long")
                start += 1
                continue
            feeder = Feeder(self.lines, start)
            try:
                for record in csv.reader(feeder, delimiter=self.delimiter, strict=True):
                    self._take(feeder.start, feeder.next, record)
                    start = feeder.start = feeder.next
                    if start < len(self.lines) and too_long(self.lines[start]):
                        break
            except (Runaway, NeedsMore, csv.Error) as error:
                if isinstance(error, NeedsMore) and not is_last:
                    return start
                self._refuse(start, start + 1, "broken_quotes")
                start += 1
        return start

    def _take(self, start: int, end: int, record: list[str]) -> None:
        if len(record) == self.width and not self.is_odd:
            self.starts.append(start)
            self.records.append(record)
        elif not record:
            return  # a blank line is not a row
        elif self.is_odd and (odd := odd_bytes(record)):
            self._refuse(start, end, odd)
        elif len(record) != self.width:
            self._refuse(start, end, "too_few_fields" if len(record) < self.width else "too_many_fields")
        else:
            self.starts.append(start)
            self.records.append(record)
        if end - start > 1:
            self.ends[start] = end

    def _refuse(self, start: int, end: int, reason: str) -> None:
        self.refused.append(Refusal(self.line + start, reason, None, self._raw(start, end)))

    def _raw(self, start: int, end: int) -> str:
        return readable("\n".join(self.lines[start:end])).removesuffix("\r")

    def raw(self, lines: Sequence[int]) -> list[str]:
        starts = [line - self.line for line in lines]
        return [self._raw(start, self.ends.get(start, start + 1)) for start in starts]

    def chunk(self, positions: Sequence[int], wanted: Sequence[str]) -> Chunk:
        columns = [pa.array([record[p] for record in self.records], pa.string()) for p in positions]
        lines = pa.array([self.line + start for start in self.starts], pa.int64())
        return Chunk(pa.table([lines, *columns], names=["_line", *wanted]), self.raw, self.refused)


def odd_bytes(values: Sequence[str]) -> str | None:
    """The reason to refuse a row for its bytes; undecodable ones arrive as lone surrogates."""
    for value in values:
        if "\0" in value:
            return "nul"
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return "bad_utf8"
    return None


def readable(text: str) -> str:
    """The text with bytes that are not UTF-8 written as \\xNN, so that it can be stored and looked at."""
    return text if text.isascii() else text.encode(errors="surrogateescape").decode(errors="backslashreplace")
