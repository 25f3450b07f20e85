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
DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


class JsonRows:
    """A file of JSON lines. `columns` are the keys of its first objects."""

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
        self.columns: dict[str, pa.DataType | None] = {key: None for found in objects for key in found}
        if not objects:
            raise InputError(f"{name} has no JSON object in its first lines", fix="wanted one object per line")

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """The rows of the `wanted` columns, all as text."""
        for first, block in self.blocks:
            lines = block.decode(errors="surrogateescape").removesuffix("\n").split("\n")
            yield _chunk(lines, first, wanted, not block.isascii(), self.blocks.done)


def parse(line: str) -> Any:
    """The line's value; an exception where it is not JSON."""
    try:
        return DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        return error


def _chunk(lines: list[str], first: int, wanted: Sequence[str], is_odd: bool, done: float) -> Chunk:
    refused: list[Refusal] = []
    numbers: list[int] = []
    columns: list[list[str | None]] = [[] for _ in wanted]
    for at, line in enumerate(lines):
        if not line or line.isspace():
            continue
        value = None if too_long(line) else parse(line)
        reason, column = "", None
        if isinstance(value, dict):
            values = [value.get(key) for key in wanted]
            for i, item in enumerate(values):
                if item is not None and type(item) is not str:
                    values[i] = str(item).lower()  # true and false
                    if type(item) is not bool:
                        reason, column = "not_text", wanted[i]
            # \ud800 and \u0000 need no odd byte in the file
            if not reason and (is_odd or "\\u" in line):
                reason = odd_bytes([item for item in values if item]) or odd_bytes([line]) or ""
        elif too_long(line):
            reason = "line_too_long"
        else:
            reason = odd_bytes([line]) or ("not_json" if isinstance(value, Exception) else "not_an_object")
        if reason:
            refused.append(Refusal(first + at, reason, column, _raw(line)))
            continue
        numbers.append(first + at)
        for cells, item in zip(columns, values, strict=True):
            cells.append(item)
    table = pa.table(
        [pa.array(numbers, pa.int64()), *(pa.array(cells, pa.string()) for cells in columns)],
        names=["_line", *wanted],
    )
    return Chunk(table, lambda asked: [_raw(lines[line - first]) for line in asked], refused, done)


def _raw(line: str) -> str:
    return readable(line).removesuffix("\r")
