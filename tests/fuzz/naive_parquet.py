"""Parquet files by pyarrow alone."""

import io
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from naive_cells import NO_TIME, of_zone, typed
from naive_rows import Row, Rows, UnreadableError


class Beyond:
    """A time that Python's calendar does not have."""


def parquet_rows(content: bytes) -> Rows:
    """Columns and rows of a Parquet file by pyarrow alone; cells are Python's. Raises UnreadableError."""
    try:
        table = pq.ParquetFile(io.BytesIO(content)).read()
    except Exception as error:
        raise UnreadableError("no Parquet") from error
    names = list(table.schema.names)
    columns = [[_python(cell) for cell in column] for column in table.columns]
    return (
        names,
        False,
        [
            Row(line, "", dict(zip(names, cells, strict=True)))
            for line, cells in enumerate(zip(*columns, strict=True), 1)
        ],
    )


def _python(cell: Any) -> Any:
    if pa.types.is_timestamp(cell.type) and cell.type.tz:
        cell = pa.scalar(cell.value, pa.timestamp(cell.type.unit, "UTC"))  # the zone is only how a moment is shown
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        return bytes(memoryview(cell.as_buffer()))
    except (ValueError, OverflowError):
        return Beyond()


def typed_parquet(cell: Any, kind: str, timezone: str) -> tuple[Any, set[str]]:
    """A Parquet cell's value, and what is wrong with it."""
    if isinstance(cell, Beyond):
        return None, {"not_a_time"}
    if isinstance(cell, bytes):
        try:
            cell = cell.decode()
        except UnicodeDecodeError:
            return None, {"bad_utf8"}
    if cell is None or isinstance(cell, str):
        value, faults = typed(cell, kind, timezone)
        return value, faults | ({"not_a_number", "not_a_boolean", *NO_TIME} if "nul" in faults else set())
    if isinstance(cell, list | dict):
        return None, {"not_text", "not_a_number", "not_a_time", "not_a_boolean"}
    if kind == "timestamp":
        if isinstance(cell, date) and not isinstance(cell, datetime):
            cell = datetime.combine(cell, time())
        if not isinstance(cell, datetime):
            return None, {"not_a_time"}
        is_last = cell.year >= 2262  # the largest number of nanoseconds stands for the end of time, not for a moment
        value = cell.astimezone(UTC).replace(tzinfo=None) if cell.tzinfo else of_zone(cell, timezone)
        return value, {"not_a_time"} if is_last else set()
    if kind == "string":
        return _written(cell), set()
    is_number = isinstance(cell, int | float | Decimal) and not isinstance(cell, bool)
    if kind == "number":
        if not is_number:
            return None, {"not_a_number"}
        return (float(cell), set()) if math.isfinite(cell) else (None, {"not_finite"})
    if isinstance(cell, bool) or (is_number and cell in (0, 1)):
        return bool(cell), set()
    return None, {"not_a_boolean"}


def _written(cell: Any) -> str | None:
    """A typed cell as text."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        if math.isnan(cell):
            return None
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, datetime):
        text = cell.replace(tzinfo=None).isoformat(sep=" ")
        return (text.rstrip("0") if "." in text else text) + ("+00" if cell.tzinfo else "")
    return str(cell)
