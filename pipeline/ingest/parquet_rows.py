"""Parquet into columns as they are typed in the file."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import InputError
from pipeline.ingest.refusals import Chunk, Refusal

ROWS = 131_072


class ParquetRows:
    """A Parquet file. `columns` are its top-level columns and their types."""

    is_sparse = False

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        try:
            self.file = pq.ParquetFile(path, coerce_int96_timestamp_unit="us")
            schema, meta = self.file.schema_arrow, self.file.metadata
        except (pa.ArrowException, OSError, ValueError) as error:
            raise unreadable(path, error) from None
        self.columns: list[str] = list(schema.names)
        self.done = 0.0
        self.total: int = meta.num_rows
        unpacked = sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups))
        if max(unpacked, path.stat().st_size) > max_bytes:
            raise InputError(
                f"{path.name} is larger than the limit of {max_bytes:,} bytes",
                fix="split the file, or raise RISK_MAX_FILE_BYTES",
            )

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """The rows of the `wanted` columns, as typed in the file."""
        line = 1
        batches = self.file.iter_batches(batch_size=ROWS)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise unreadable(self.path, error) from None
            if batch is None:
                break
            yield self._chunk(batch, line, wanted)
            line += batch.num_rows
            self.done = (line - 1) / max(self.total, 1)
        if line - 1 != self.total:
            raise unreadable(self.path, ValueError(f"it promises {self.total:,} rows and has {line - 1:,}"))

    def _chunk(self, batch: pa.RecordBatch, first: int, wanted: Sequence[str]) -> Chunk:
        def raw(lines: Sequence[int]) -> list[str]:
            return as_json(batch.take(pa.array([line - first for line in lines], pa.int64())))

        numbers = pa.array(range(first, first + batch.num_rows), pa.int64())
        columns = [plain(batch.column(self.columns.index(name))) for name in wanted]
        bad = [i for i, column in enumerate(columns) if not _is_utf8(column)]
        if not bad:
            return Chunk(pa.table([numbers, *columns], names=["_line", *wanted]), raw)
        # Arrow does not look into strings, so bytes that are no text come this far
        odd = sorted({at for i in bad for at, cell in enumerate(_bytes(columns[i])) if not _decodes(cell)})
        good = pa.array(sorted(set(range(batch.num_rows)) - set(odd)), pa.int64())
        table = pa.table([numbers, *columns], names=["_line", *wanted]).take(good)
        for i in bad:
            table = table.set_column(i + 1, wanted[i], table.column(i + 1).combine_chunks().cast(pa.string()))
        lines = [first + at for at in odd]
        refused = [Refusal(line, "bad_utf8", None, text) for line, text in zip(lines, raw(lines), strict=True)]
        return Chunk(table, raw, refused)


def plain(column: pa.Array) -> pa.Array:
    """The column in a type DuckDB takes, with the same values."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if isinstance(column.type, pa.ExtensionType):
        column = column.storage
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    if pa.types.is_decimal256(column.type):
        column = column.cast(pa.string())
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())
    if _is_binary(column.type) and _is_utf8(column):
        column = pc.cast(column, pa.string())
    return column


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _is_utf8(column: pa.Array) -> bool:
    try:
        if _is_binary(column.type):
            pc.cast(column, pa.string())
        else:
            column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _bytes(column: pa.Array) -> list[bytes | None]:
    return pc.cast(column, pa.binary()).to_pylist()  # type: ignore[no-any-return]


def _decodes(cell: bytes | None) -> bool:
    try:
        return cell is None or bool(cell.decode() or True)
    except UnicodeDecodeError:
        return False


def as_json(batch: pa.RecordBatch) -> list[str]:
    """Each row as a JSON object, times and decimals as text."""
    columns = {name: _python(batch.column(i)) for i, name in enumerate(batch.schema.names)}
    rows = zip(*columns.values(), strict=True)
    return [json.dumps(dict(zip(columns, row, strict=True)), default=str, ensure_ascii=False) for row in rows]


def _python(column: pa.Array) -> list[object]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return [cell if cell is None else cell.decode(errors="backslashreplace") for cell in _bytes(column)]
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except (pa.ArrowException, ValueError, OverflowError):
        return [str(cell) for cell in column]  # times beyond Python's calendar


def unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path.name} is not a readable Parquet file", str(error)[:200], fix="deliver the file again, whole"
    )
