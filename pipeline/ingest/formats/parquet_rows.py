"""Read Parquet into columns, as typed in the file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.ingest.formats.blocks import BOMB_BYTES, BOMB_RATIO
from pipeline.ingest.formats.parquet_cells import as_json, as_short_json, plain, sizes
from pipeline.ingest.formats.parquet_pages import HELD, Leaf, measure
from pipeline.ingest.refusals import MAX_ROW, Chunk, Refusal

ROWS = 131_072
CHUNK = 32 * 2**20  # bytes of a chunk
BATCH = 64 * 2**20  # bytes the reader may hand over at a time
FOOTER = 16 * 2**20
BUFFER = 65_536


class ParquetRows:
    """A Parquet file. `columns` are its top-level columns and their types."""

    is_sparse = False

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path, self.max_bytes = path, max_bytes
        self.size = path.stat().st_size
        try:
            if _footer_length(path) > FOOTER:
                raise ValueError(f"its footer is larger than {FOOTER:,} bytes")
            self.file = pq.ParquetFile(path, coerce_int96_timestamp_unit="us", buffer_size=BUFFER)
            schema, meta = self.file.schema_arrow, self.file.metadata
            self.columns: list[str] = list(schema.names)
            self.leaves = _leaves_of(schema)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise unreadable(path, error) from None
        self.done = 0.0
        self.total: int = meta.num_rows
        self.unpacked = 0
        self._limit(max(self.size, sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups))))

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """The rows of the `wanted` columns, as typed in the file."""
        try:
            read, rows = self._plan(wanted)
            batches = self._batches(read, rows)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise unreadable(self.path, error) from None
        names = [self.columns[i] for i in read]
        line = 1
        while True:
            try:
                columns = next(batches, None)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise unreadable(self.path, error) from None
            if columns is None:
                break
            for part in self._parts(columns):
                yield _chunk(names, part, line, wanted)
                line += len(part[0])
            self.done = (line - 1) / max(self.total, 1)
        if line - 1 != self.total:
            raise unreadable(self.path, ValueError(f"its footer says {self.total:,} rows, found {line - 1:,}"))

    def _plan(self, wanted: Sequence[str]) -> tuple[list[int], int]:
        """The columns to read, and how many rows at a time. Unwanted columns are read for quarantine, if they fit."""
        leaves = measure(self.path, self.file)
        need = [self.columns.index(name) for name in wanted]
        others = [i for i in range(len(self.columns)) if i not in need]
        read: list[int] = []
        held = 0
        for i in [*need, *others]:
            more = sum(_held(leaves[leaf], self._is_nested(leaf)) for leaf in self.leaves[i])
            if held + more <= HELD:
                read, held = [*read, i], held + more
            elif i in need:
                raise InputError(
                    f"{self.path.name} has a page of {more:,} bytes in the column {self.columns[i]}",
                    fix="write it with smaller pages: most writers make them of 1 MB",
                )
        read.sort()
        flat = [leaves[leaf] for i in read for leaf in self.leaves[i] if not self._is_nested(leaf)]
        rows = ROWS
        while rows > 1 and sum(leaf.most_in(rows) for leaf in flat) > BATCH:
            rows //= 2
        return read, rows

    def _is_nested(self, leaf: int) -> bool:
        return bool(self.file.metadata.schema.column(leaf).max_repetition_level)

    def _batches(self, read: Sequence[int], rows: int) -> Iterator[list[pa.Array]]:
        """Batches of the columns `read`, each about a chunk."""
        groups = list(range(self.file.metadata.num_row_groups))
        leaves = [leaf for i in read for leaf in self.leaves[i]]
        waiting: list[pa.RecordBatch] = []
        for batch in self.file.reader.iter_batches(rows, groups, leaves):
            waiting.append(batch)
            if sum(each.num_rows for each in waiting) > ROWS - rows or sum(each.nbytes for each in waiting) > CHUNK:
                yield _joined(waiting)
                waiting = []
        if waiting:
            yield _joined(waiting)

    def _parts(self, columns: list[pa.Array]) -> Iterator[list[pa.Array]]:
        """Split decoded rows into parts of about a chunk's bytes. Raises InputError past the limits."""
        total = np.cumsum(sum(sizes(column) for column in columns))
        self.unpacked += int(total[-1]) if len(total) else 0
        self._limit(self.unpacked)
        first = 0
        while first < len(total):
            before = total[first - 1] if first else 0
            after = max(int(np.searchsorted(total, before + CHUNK, side="right")), first + 1)
            yield [column.slice(first, after - first) for column in columns]
            first = after

    def _limit(self, unpacked: int) -> None:
        if unpacked > self.max_bytes:
            raise InputError(
                f"{self.path.name} is larger than the limit of {self.max_bytes:,} bytes",
                fix="split the file, or raise RISK_MAX_FILE_BYTES",
            )
        if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * self.size:
            raise InputError(
                f"{self.path.name} unpacks to more than {BOMB_RATIO} times its size",
                fix="split the file, or pack it less",
            )


def _footer_length(path: Path) -> int:
    with path.open("rb") as file:
        file.seek(-8, 2)
        return int.from_bytes(file.read(4), "little")


def _leaves_of(schema: pa.Schema) -> list[range]:
    """The positions of each top-level column's leaves in the file."""
    ranges: list[range] = []
    for field in schema:
        first = ranges[-1].stop if ranges else 0
        ranges.append(range(first, first + _leaves(field.type)))
    return ranges


def _leaves(kind: pa.DataType) -> int:
    if isinstance(kind, pa.BaseExtensionType):
        return _leaves(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _leaves(kind.value_type)
    if pa.types.is_nested(kind):
        return sum(_leaves(kind.field(i).type) for i in range(kind.num_fields))
    return 1


def _held(leaf: Leaf, is_nested: bool) -> int:
    """Bytes in memory at a time. A nested column counts a whole row group: one row may hold all of its items."""
    return leaf.held + (leaf.group if is_nested else 0)


def _joined(batches: Sequence[pa.RecordBatch]) -> list[pa.Array]:
    if len(batches) == 1:
        return list(batches[0].columns)
    return [pa.concat_arrays([batch.column(i) for batch in batches]) for i in range(batches[0].num_columns)]


def _chunk(names: Sequence[str], columns: Sequence[pa.Array], first: int, wanted: Sequence[str]) -> Chunk:
    def raw(lines: Sequence[int]) -> list[str]:
        return as_json(names, columns, [line - first for line in lines])

    count = len(columns[0])
    reasons: dict[int, tuple[str, str | None]] = {}
    lengths: NDArray[np.int64] = sum(sizes(column) for column in columns)  # type: ignore[assignment]
    long = {int(row): as_short_json(names, columns, int(row), MAX_ROW) for row in np.flatnonzero(lengths > MAX_ROW)}
    reasons.update((row, ("line_too_long", None)) for row in long)
    cells = []
    for name in wanted:
        made = plain(columns[list(names).index(name)])
        cells.append(made.cells)
        for row in np.flatnonzero(made.bad) if made.bad is not None else ():
            reasons.setdefault(int(row), (made.reason, None if made.reason == "bad_utf8" else name))
    table = pa.table([pa.array(range(first, first + count), pa.int64()), *cells], names=["_line", *wanted])
    if not reasons:
        return Chunk(table, raw)
    refused = sorted(reasons)
    table = table.take(pa.array(np.delete(np.arange(count), refused)))
    short = [row for row in refused if row not in long]
    raws = long | dict(zip(short, as_json(names, columns, short), strict=True))
    return Chunk(table, raw, [Refusal(first + row, *reasons[row], raws[row]) for row in refused])


def unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path.name} is not a readable Parquet file", str(error)[:200], fix="deliver the file again, whole"
    )
