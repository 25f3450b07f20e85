"""Read JSON lines into columns of text: one object per line, numbers as they are written."""

import json
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote
from typing import Any

import pyarrow as pa

from pipeline.errors import InputError
from pipeline.ingest.formats.blocks import Blocks
from pipeline.ingest.formats.text_rows import Row, RowSplitter, Syntax, odd_bytes, readable
from pipeline.ingest.refusals import Chunk, Refusal

# How much of a file is read to learn its keys.
LINES_SAMPLED = 1000
BYTES_SAMPLED = 4 * 2**20

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
            raise InputError(f"{name} is a JSON array, wanted one object per line", fix=f"jq -c '.[]' {quote(name)}")
        text = beginning[:BYTES_SAMPLED].decode(errors="surrogateescape")
        values = map(parse, text.split("\n", LINES_SAMPLED)[:LINES_SAMPLED])
        objects = (value for value in values if isinstance(value, dict))
        first = next(objects, None)
        if first is None:
            raise InputError(f"{name} has no JSON object in its first lines", fix="wanted one object per line")
        self.columns = list(dict.fromkeys(key for each in (first, *objects) for key in each))

    @property
    def done(self) -> float:
        return self.blocks.done

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """The rows of the `wanted` columns, all as text."""
        rows = RowSplitter(Syntax())
        for line, block in self.blocks:
            if chunk := _chunk(rows.feed(line, block), wanted):
                yield chunk
        if chunk := _chunk(rows.finish(), wanted):
            yield chunk


def parse(line: str) -> Any:
    """The line's value, or the exception if it is not JSON."""
    try:
        return DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        return error


def _chunk(rows: Iterable[Row], wanted: Sequence[str]) -> Chunk:
    refused: list[Refusal] = []
    lines: dict[int, str] = {}
    good: list[list[str | None]] = []
    for row in rows:
        if not row.fault and not row.content.strip():
            continue  # nothing but ASCII blanks; other blanks are no JSON
        line = row.content.decode(errors="surrogateescape")
        cells, fault, column = _read(row, line, wanted)
        if fault:
            refused.append(Refusal(row.line, fault, column, _raw(line)))
        else:
            lines[row.line] = line
            good.append(cells)
    columns = list(zip(*good, strict=True)) if good else [()] * len(wanted)
    arrays = [pa.array(lines, pa.int64()), *(pa.array(column, pa.string()) for column in columns)]
    table = pa.table(arrays, names=["_line", *wanted])
    return Chunk(table, lambda asked: [_raw(lines[line]) for line in asked], refused)


def _read(row: Row, line: str, wanted: Sequence[str]) -> tuple[list[str | None], str | None, str | None]:
    """The row's cells, the reason to refuse it, and the column at fault."""
    value = None if row.fault else parse(line)
    if type(value) is not dict:
        return [], row.fault or odd_bytes(line) or _why_no_object(value), None
    cells = [value.get(key) for key in wanted]
    if not TEXT.issuperset(map(type, cells)):
        nested = next((key for key, cell in zip(wanted, cells, strict=True) if isinstance(cell, dict | list)), None)
        if nested is not None:
            return [], "not_text", nested
        cells = [str(cell).lower() if isinstance(cell, bool) else cell for cell in cells]
    # escapes such as \ud800 and \u0000 need no odd byte in the file
    odd = odd_bytes(line) or ("\\u" in line and odd_bytes("".join(filter(None, cells)))) or None
    return cells, odd, None


def _why_no_object(value: Any) -> str:
    return "not_json" if isinstance(value, Exception) else "not_an_object"


def _raw(line: str) -> str:
    return readable(line).removesuffix("\r")
