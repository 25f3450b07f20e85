"""Compute from page headers how much memory a Parquet file needs: a few bytes may stand for gigabytes of cells.

The footer is not used: the reader allocates by what the page headers say.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

DICTIONARY_PAGE = 2
DELTA_BYTE_ARRAY = 7  # an encoding that repeats the beginning of the previous value
HEADER = 4096  # most headers are shorter
LONGEST_HEADER = 2**20
HELD = 128 * 2**20  # bytes of pages, packed and unpacked, in the reader at a time
SENSELESS = "a page header makes no sense"


class Page(NamedTuple):
    kind: int
    unpacked: int
    packed: int
    values: int
    encoding: int


@dataclass
class Leaf:
    """A leaf column over all row groups. `pages` are (values, bytes) in file order.

    `held` bounds the bytes of pages that the reader keeps at a time.
    `widest` bounds the bytes of a value that pages do not spell out.
    """

    held: int = 0
    widest: int = 8
    pages: list[tuple[int, int]] = field(default_factory=list)
    fullest: tuple[int, int] = (0, 0)  # values and bytes of one row group, at most
    has_dictionary: bool = False

    @property
    def group(self) -> int:
        """Upper bound of the bytes of a row group's values."""
        values, size = self.fullest
        return size + values * (4 + self.widest)

    def most_in(self, rows: int) -> int:
        """Upper bound of the bytes of this many consecutive values."""
        most = inside = values = first = 0
        for count, size in self.pages:
            inside, values = inside + size, values + count
            # Rows may begin with the last value of one page and end with the first value of another.
            while values - self.pages[first][0] - count >= rows:
                values, inside, first = values - self.pages[first][0], inside - self.pages[first][1], first + 1
            most = max(most, inside)
        return most + rows * self.widest


def measure(path: Path, file: pq.ParquetFile) -> list[Leaf]:
    """Each leaf column, in the file's order. Raises ValueError if a page header makes no sense."""
    meta = file.metadata
    leaves = [Leaf() for _ in range(meta.num_columns)]
    with path.open("rb") as raw:
        for group in range(meta.num_row_groups):
            for i, leaf in enumerate(leaves):
                _add(leaf, raw, meta.row_group(group).column(i), meta.schema.column(i).length or 8)
    for i, leaf in enumerate(leaves):
        if leaf.has_dictionary and leaf.held <= HELD and meta.schema.column(i).physical_type == "BYTE_ARRAY":
            leaf.widest = max(leaf.widest, _longest_in_dictionaries(path, i, meta))
    return leaves


def _add(leaf: Leaf, raw: IO[bytes], chunk: pq.ColumnChunkMetaData, width: int) -> None:
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
        start = chunk.dictionary_page_offset
    values = unpacked = dictionary = page_size = 0
    leaf.widest = max(leaf.widest, width)
    for page in _pages(raw, start, chunk.total_compressed_size, chunk.num_values):
        unpacked += page.unpacked
        if page.kind == DICTIONARY_PAGE:
            dictionary, leaf.has_dictionary = page.unpacked, True
        else:
            values += page.values
            page_size = max(page_size, page.unpacked + page.packed)
            leaf.pages.append((page.values, page.unpacked))
            if page.encoding == DELTA_BYTE_ARRAY:
                leaf.widest = max(leaf.widest, page.unpacked)
    leaf.held = max(leaf.held, page_size + 2 * dictionary)
    leaf.fullest = (max(leaf.fullest[0], values), max(leaf.fullest[1], unpacked))


def _pages(raw: IO[bytes], start: int, length: int, values: int) -> Iterator[Page]:
    at, seen = start, 0
    while at < start + length and seen < values:
        raw.seek(at)
        page, size = _page(raw)
        yield page
        seen += 0 if page.kind == DICTIONARY_PAGE else page.values
        at += size + page.packed


def _page(raw: IO[bytes]) -> tuple[Page, int]:
    """The page header at the file's position, and its length."""
    data = raw.read(HEADER)
    while True:
        thrift = Thrift(data)
        try:
            header = thrift.struct()
        except IndexError:
            more = raw.read(LONGEST_HEADER)
            if not more or len(data) > LONGEST_HEADER:
                raise ValueError("a page header has no end") from None
            data += more
            continue
        kind, unpacked, packed = (header.get(i) for i in (1, 2, 3))
        about = header.get(5) or header.get(7) or header.get(8) or {}
        values, encoding = about.get(1, 0), about.get(4 if 8 in header else 2, 0)
        numbers = [kind, unpacked, packed, values, encoding]
        if not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise ValueError(SENSELESS)
        return Page(*numbers), thrift.at


class Thrift:
    """The compact protocol of Apache Thrift, as far as page headers go: structs become dictionaries by field id."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > 8:
            raise ValueError("a page header is nested too deep")
        found: dict[int, Any] = {}
        name = 0
        while (head := self._byte()) != 0:
            name = name + (head >> 4) if head >> 4 else self._zigzag()
            found[name] = self._value(head & 0x0F, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 7:
            return self._take(8)
        if kind == 8:
            return self._take(self._varint())
        if kind == 12:
            return self.struct(depth + 1)
        raise ValueError(SENSELESS)

    def _take(self, length: int) -> bytes:
        self.at += length
        if self.at > len(self.data):
            raise IndexError
        return self.data[self.at - length : self.at]

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise ValueError(SENSELESS)
        return value | byte << shift

    def _zigzag(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)


def _longest_in_dictionaries(path: Path, leaf: int, meta: pq.FileMetaData) -> int:
    """Bytes of the longest value in the dictionaries of a column of text."""
    longest = 0
    options = {"read_dictionary": [meta.schema.column(leaf).path], "arrow_extensions_enabled": False}
    with pq.ParquetFile(path, buffer_size=HEADER, **options) as file:
        for group in range(meta.num_row_groups):
            batches = file.reader.iter_batches(1, [group], [leaf], use_threads=False)
            if (batch := next(batches, None)) is not None and batch.num_rows:
                lengths = pc.binary_length(_innermost(batch.column(0)).dictionary.cast(pa.large_binary()))
                longest = max(longest, pc.max(lengths).as_py() or 0)
    return longest


def _innermost(column: pa.Array) -> pa.Array:
    """The only leaf of a column."""
    while pa.types.is_nested(column.type):
        if pa.types.is_map(column.type):
            column = column.keys
        else:
            column = column.field(0) if pa.types.is_struct(column.type) else column.values
    return column
