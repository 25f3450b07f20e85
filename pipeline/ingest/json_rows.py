"""JSON lines into columns of text: one object per line, numbers as they are written."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from pipeline.errors import InputError
from pipeline.ingest.blocks import Blocks
from pipeline.ingest.csv_rows import odd_bytes, readable, too_long
from pipeline.ingest.refusals import Chunk, Refusal

LINES_LOOKED_AT = 1000  # to learn which keys there are

# Numbers stay text, so that an id 00123.50 or an amount beyond a float's precision is what the file says.
TEXT = {str, type(None)}
DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


class JsonRows:
    """A file of JSON lines. `columns` are the keys of its first objects."""

    is_sparse = True

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        name = blocks.path.name
        beginning = blocks.peek()
        if not beginning.strip():
            raise InputError(f"{name} is empty", fix="deliver the file again")
        if beginning.lstrip()[:1] == b"[":
            raise InputError(f"{name} is a JSON array, wanted one object per line", fix=f"jq -c '.[]' {name}")
        lines = beginning.decode(errors="surrogateescape").split("\n")[:LINES_LOOKED_AT]
        objects = [found for line in lines if isinstance(found := parse(line), dict)]
        self.columns = list(dict.fromkeys(key for found in objects for key in found))
        if not objects:
            raise InputError(f"{name} has no JSON object in its first lines", fix="wanted one object per line")

    @property
    def done(self) -> float:
        return self.blocks.done

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """The rows of the `wanted` columns, all as text."""
        for first, block in self.blocks:
            lines = block.decode(errors="surrogateescape").removesuffix("\n").split("\n")
            yield _chunk(lines, first, wanted, not block.isascii())


def parse(line: str) -> Any:
    """The line's value; an exception where it is not JSON."""
    try:
        return DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        return error


def _chunk(lines: list[str], first: int, wanted: Sequence[str], is_odd: bool) -> Chunk:
    refused: list[Refusal] = []
    numbers: list[int] = []
    rows: list[list[str | None]] = []
    for at, line in enumerate(lines):
        if not line or line.isspace():
            continue
        value = OverflowError() if too_long(line) else parse(line)
        if type(value) is not dict:
            reason = odd_bytes([line]) or _why_no_object(value)
            refused.append(Refusal(first + at, reason, None, _raw(line)))
            continue
        cells = [value.get(key) for key in wanted]
        if not TEXT.issuperset(map(type, cells)):
            nested = [key for key, cell in zip(wanted, cells, strict=True) if isinstance(cell, dict | list)]
            if nested:
                refused.append(Refusal(first + at, "not_text", nested[0], _raw(line)))
                continue
            cells = [str(cell).lower() if isinstance(cell, bool) else cell for cell in cells]
        # \\ud800 and \\u0000 need no odd byte in the file
        if (is_odd or "\\u" in line) and (odd := odd_bytes([*filter(None, cells), line])):
            refused.append(Refusal(first + at, odd, None, _raw(line)))
            continue
        numbers.append(first + at)
        rows.append(cells)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(wanted)
    arrays = [pa.array(numbers, pa.int64()), *(pa.array(column, pa.string()) for column in columns)]
    table = pa.table(arrays, names=["_line", *wanted])
    return Chunk(table, lambda asked: [_raw(lines[line - first]) for line in asked], refused)


def _why_no_object(value: Any) -> str:
    if isinstance(value, OverflowError):
        return "line_too_long"
    return "not_json" if isinstance(value, Exception) else "not_an_object"


def _raw(line: str) -> str:
    return readable(line).removesuffix("\r")
