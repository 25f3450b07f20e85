"""Read CSV into columns. Arrow reads regular blocks, the csv module all others, with equal results."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from pipeline.errors import InputError
from pipeline.ingest.formats.blocks import BOM, Blocks
from pipeline.ingest.formats.text_rows import CsvSyntax, Row, RowSplitter, cells_of, odd_bytes, readable, sniff
from pipeline.ingest.refusals import MAX_ROW, Chunk, Refusal

MOST_COLUMNS = 1000  # that Arrow may read: it takes a kilobyte for each, in every block


class Layout(NamedTuple):
    """How a file's rows are laid out: `width` fields, of which those at `positions` are `wanted`."""

    delimiter: str
    width: int
    wanted: Sequence[str]
    positions: Sequence[int]


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
        if "\0" in text or "\r" in text or len(header) > MAX_ROW:
            raise InputError(f"{name} does not begin with a CSV header", fix="wanted lines that end in LF or CRLF")
        self.delimiter = sniff(text)
        cells = cells_of(text, self.delimiter)
        if cells is None:
            raise InputError(f"{name} has a header with broken quotes", fix="correct its first line")
        self.columns = [cell.strip() for cell in cells]

    @property
    def done(self) -> float:
        return self.blocks.done

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """The rows of the `wanted` columns, all as text."""
        layout = Layout(self.delimiter, len(self.columns), wanted, [self.columns.index(name) for name in wanted])
        rows = RowSplitter(CsvSyntax(self.delimiter))
        for line, block in self.blocks:
            is_whole = rows.is_between and (block.endswith(b"\n") or self.blocks.is_at_end)
            if is_whole and (table := fast_rows(block, line, layout)):
                yield Chunk(table, partial(_lines_of, block, line))
            elif chunk := slow_rows(rows.feed(line, block), layout):
                yield chunk
        if chunk := slow_rows(rows.finish(), layout):
            yield chunk


def fast_rows(block: bytes, line: int, layout: Layout) -> pa.Table | None:
    """The block's rows if every line is one well-formed row; None where that is not certain."""
    if layout.width > MOST_COLUMNS or not is_regular(block, layout.delimiter):
        return None
    names = [str(position) for position in range(layout.width)]
    chosen = list(dict.fromkeys(names[position] for position in layout.positions)) or names[:1]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=len(block) + 1),
            parse_options=arrow_csv.ParseOptions(delimiter=layout.delimiter, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), include_columns=chosen, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None  # a row with too few or too many fields
    lines = pa.array(np.arange(line, line + table.num_rows))
    return pa.table([lines, *(table[names[p]] for p in layout.positions)], names=["_line", *layout.wanted])


def is_regular(block: bytes, delimiter: str) -> bool:
    """Whether all lines are UTF-8 without NUL, not blank, not too long, and all quotes enclose whole fields."""
    if b"\0" in block or block.count(b"\r") != block.count(b"\r\n") or not _is_utf8(block):
        return False
    if block.startswith(BOM):
        return False  # Arrow would take it away, and with it a part of the first cell
    if block[:1] in (b"\n", b"\r") or b"\n\n" in block or b"\n\r\n" in block:
        return False
    cells = np.frombuffer(b"\n" + block.removesuffix(b"\n") + b"\n", np.uint8)
    ends = np.flatnonzero(cells == ord("\n"))
    if np.diff(ends).max() > MAX_ROW:
        return False
    quotes = np.flatnonzero(cells == ord('"'))
    if not len(quotes):
        return True
    if (np.searchsorted(quotes, ends) % 2).any():
        return False  # a quoted field that goes on in the next line, or a stray quote
    # Quotes open and close a field in turn. A closing quote right before an opening one is a doubled quote in a field.
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


def slow_rows(rows: Iterable[Row], layout: Layout) -> Chunk:
    """Rows read one by one. Broken rows are refused as they came."""
    contents: dict[int, bytes] = {}
    cells: list[list[str]] = []
    refused: list[Refusal] = []
    for row in rows:
        text = row.content.decode(errors="surrogateescape")
        record = None if row.fault else cells_of(text, layout.delimiter)
        if record == []:
            continue  # a blank line is not a row
        if fault := row.fault or _fault(text, record, layout.width):
            refused.append(Refusal(row.line, fault, None, readable(text).removesuffix("\r")))
        elif record:
            contents[row.line] = row.content
            cells.append([record[position] for position in layout.positions])
    columns = list(zip(*cells, strict=True)) if cells else [()] * len(layout.wanted)
    arrays = [pa.array(contents, pa.int64()), *(pa.array(column, pa.string()) for column in columns)]
    return Chunk(pa.table(arrays, names=["_line", *layout.wanted]), partial(_contents_of, contents), refused)


def _fault(text: str, record: list[str] | None, width: int) -> str | None:
    if record is None:
        return "broken_quotes"
    if odd := odd_bytes(text):
        return odd
    if len(record) != width:
        return "too_few_fields" if len(record) < width else "too_many_fields"
    return None


def _contents_of(contents: dict[int, bytes], lines: Sequence[int]) -> list[str]:
    return [contents[line].removesuffix(b"\r").decode() for line in lines]
