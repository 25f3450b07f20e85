"""Convert Arrow cells for DuckDB and for people. No value in a file raises an exception."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

DAY = 86_400
YEARS_1_TO_9999 = (-62_135_596_800, 253_402_300_800)  # in seconds; the end is not included
TICKS = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}  # in a second
EVERYTHING = 2**62
FITS = 2**63 - 2  # DuckDB reads the largest 64-bit numbers as infinity

Sizes = NDArray[np.int64]


class Plain(NamedTuple):
    """A column in a type DuckDB reads, with the same values. `bad` cells became null, for this `reason`."""

    cells: pa.Array
    bad: NDArray[np.bool_] | None = None
    reason: str = ""


def plain(column: pa.Array) -> Plain:
    column = dense(column)
    kind = column.type
    if _is_text(kind) or _is_bytes(kind):
        return _text(column)
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return _time(column)
    if pa.types.is_float16(kind):
        return Plain(column.cast(pa.float32()))
    if pa.types.is_decimal256(kind):
        return Plain(column.cast(pa.string()))
    if pa.types.is_decimal(kind):
        return Plain(column.cast(pa.decimal128(kind.precision, kind.scale)))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return Plain(column)
    if pa.types.is_null(kind):
        return Plain(pa.nulls(len(column), pa.string()))
    # Of a list or an object only its presence matters.
    return Plain(pc.if_else(column.is_valid(), pa.scalar(b""), pa.scalar(None, pa.binary())))


def dense(column: pa.Array) -> pa.Array:
    """The column without dictionaries, views and extension types."""
    if isinstance(column.type, pa.BaseExtensionType):
        return dense(column.storage)
    if pa.types.is_dictionary(column.type):
        return dense(column.cast(column.type.value_type))
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_binary()).view(pa.large_string())
    if pa.types.is_binary_view(column.type):
        return column.cast(pa.large_binary())
    return column


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _text(column: pa.Array) -> Plain:
    """Text as large strings. Arrow does not check strings, so bytes that are no UTF-8 get this far."""
    try:
        if _is_bytes(column.type):
            return Plain(pc.cast(column, pa.large_string()))
        column.validate(full=True)
        return Plain(column)
    except pa.ArrowInvalid:
        cells = pc.cast(column, pa.large_binary()).to_pylist()
        bad = np.array([not _decodes(cell) for cell in cells], bool)
        good = [None if odd else cell for cell, odd in zip(cells, bad, strict=True)]
        return Plain(pa.array(good, pa.large_binary()).cast(pa.large_string()), bad, "bad_utf8")


def _decodes(cell: bytes | None) -> bool:
    try:
        return cell is None or bool(cell.decode() or True)
    except UnicodeDecodeError:
        return False


def _time(column: pa.Array) -> Plain:
    """Times within years 1 to 9999. Zones are dropped: they change how a moment is shown, not which moment it is."""
    kind = column.type
    ticks = column.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).cast(pa.int64())
    start, end = (0, DAY) if pa.types.is_time(kind) else YEARS_1_TO_9999
    if pa.types.is_date32(kind):
        first, after = start // DAY, end // DAY
    else:
        in_a_second = TICKS["ms" if pa.types.is_date64(kind) else kind.unit]
        first, after = max(start * in_a_second, -FITS), min(end * in_a_second, FITS)
    bad = pc.or_(pc.less(ticks, first), pc.greater_equal(ticks, after)).fill_null(False)
    if pa.types.is_timestamp(kind) and kind.tz:
        column = ticks.view(pa.timestamp(kind.unit, "UTC"))
    if not pc.any(bad).as_py():
        return Plain(column)
    cells = pc.if_else(bad, pa.scalar(None, column.type), column)
    return Plain(cells, bad.to_numpy(zero_copy_only=False), "not_a_time")


def sizes(column: pa.Array) -> Sizes:
    """Bytes of each cell when written out."""
    result: Sizes = _sizes(column)
    return result


def _sizes(column: pa.Array) -> Any:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return sizes(column.storage)
    if pa.types.is_dictionary(kind):
        of_values = np.append(sizes(column.dictionary), 0)
        return of_values[column.indices.fill_null(len(of_values) - 1).to_numpy()]
    if _is_text(kind) or _is_bytes(kind):
        lengths = pc.binary_length(dense(column)).fill_null(0)
        return lengths.to_numpy(zero_copy_only=False).astype(np.int64)
    if pa.types.is_struct(kind):
        return sum((sizes(column.field(i)) for i in range(kind.num_fields)), np.zeros(len(column), np.int64))
    if pa.types.is_fixed_size_list(kind):
        inside = column.values.slice(column.offset * kind.list_size, len(column) * kind.list_size)
        return sizes(inside).reshape(len(column), kind.list_size).sum(axis=1)
    if pa.types.is_nested(kind):
        inside = sizes(column.keys) + sizes(column.items) if pa.types.is_map(kind) else sizes(column.values)
        total = np.concatenate([[0], np.cumsum(inside + 1)])
        offsets = column.offsets.to_numpy()
        if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
            return total[offsets + column.sizes.to_numpy()] - total[offsets]
        return total[offsets[1:]] - total[offsets[:-1]]
    width = 1 if pa.types.is_null(kind) else max(kind.bit_width // 8, 1)
    return column.is_valid().to_numpy(zero_copy_only=False) * np.int64(width)


def as_json(names: Sequence[str], columns: Sequence[pa.Array], rows: Sequence[int]) -> list[str]:
    """Each of the `rows` as a JSON object, times and decimals as text."""
    cells = [_python(column, rows) for column in columns]
    return [_object(names, row) for row in zip(*cells, strict=True)]


def as_short_json(names: Sequence[str], columns: Sequence[pa.Array], row: int, limit: int) -> str:
    """A row that is too long to keep. Cells are cut once all together exceed `limit` characters."""
    cells: list[object] = []
    for column in columns:
        cells.append(shown(column[row], limit))
        limit = max(limit - len(json.dumps(cells[-1], default=str)), 0)
    return _object(names, cells)


def _object(names: Sequence[str], cells: Iterable[object]) -> str:
    texts = (json.dumps(cell, default=str, ensure_ascii=False) for cell in cells)
    keys = (json.dumps(name, ensure_ascii=False) for name in names)  # a name may occur twice
    return "{" + ", ".join(f"{key}: {text}" for key, text in zip(keys, texts, strict=True)) + "}"


# What Arrow raises where a cell has no Python value.
ODD = (pa.ArrowException, ValueError, OverflowError, KeyError, TypeError)


def _python(column: pa.Array, rows: Sequence[int]) -> list[object]:
    """The cells as Python values. One odd cell fails the whole column in Arrow: then each is shown by itself."""
    try:
        if not pa.types.is_nested(column.type) and not isinstance(column.type, pa.BaseExtensionType):
            taken = dense(column.take(pa.array(rows, pa.int64())))
            if not _is_text(taken.type) and not _is_bytes(taken.type):
                return taken.to_pylist()  # type: ignore[no-any-return]
            taken = pc.cast(taken, pa.large_binary()).to_pylist()
            return [cell if cell is None else cell.decode(errors="backslashreplace") for cell in taken]
    except ODD:
        return _one_by_one(column, rows)
    return _one_by_one(column, rows)


def _one_by_one(column: pa.Array, rows: Sequence[int]) -> list[object]:
    return [shown(column[row], EVERYTHING) for row in rows]


def shown(cell: pa.Scalar, limit: int) -> object:
    """The cell for JSON: times and decimals as text, bytes that are no text escaped."""
    kind = cell.type
    if not cell.is_valid:
        return None
    if isinstance(kind, pa.BaseExtensionType) or pa.types.is_dictionary(kind):
        return shown(cell.value, limit)
    if _is_text(kind) or _is_bytes(kind):
        return bytes(memoryview(cell.as_buffer())[:limit]).decode(errors="backslashreplace")
    if pa.types.is_struct(kind):
        return {kind.field(i).name: shown(cell[i], limit) for i in range(kind.num_fields)}
    if pa.types.is_map(kind):
        return [[shown(pair[0], limit), shown(pair[1], limit)] for pair in _first(cell, limit)]
    if pa.types.is_nested(kind):
        return [shown(item, limit) for item in _first(cell, limit)]
    try:
        return cell.as_py()
    except Exception:  # beyond Python's calendar, or in an unknown zone: libraries raise different exceptions
        return f"{cell.value} {kind}"


def _first(cell: pa.Scalar, limit: int) -> list[pa.Scalar]:
    """The items of a list, or as many as fit."""
    items = cell.values
    if limit < EVERYTHING:
        items = items.slice(0, int(np.searchsorted(np.cumsum(sizes(items) + 1), limit, side="right")))
    return list(items)
