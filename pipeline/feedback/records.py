"""A verdict file into rows: a small CSV, often saved by a spreadsheet, often the risk list with columns added."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InputError

REQUIRED = ("day", "user_id", "verdict", "decided_at")
OPTIONAL = ("typology", "note", "analyst")
DELIMITERS = ",;\t"
MAX_LINES_IN_RECORD = 50  # a quoted note that runs on for longer was never closed
MAX_VALUE = 4096


@dataclass(frozen=True)
class Record:
    """One row as it came. `refusal` is set where its cells could not be told apart."""

    line: int
    raw: str
    cells: dict[str, str]
    refusal: str | None = None


def read_records(path: Path, max_bytes: int) -> list[Record]:
    """All rows of a verdict file. Raises InputError if it is no such file at all."""
    fix = f"wanted a CSV with the columns {', '.join(REQUIRED)} and perhaps {', '.join(OPTIONAL)}"
    try:
        if path.stat().st_size > max_bytes:
            raise InputError(
                f"{path.name} is larger than {max_bytes:,} bytes", fix="split it, or raise RISK_MAX_FILE_BYTES"
            )
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path.name}: {error.strerror}", fix="check the path and its permissions"
        ) from None
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{path.name} is UTF-16, wanted UTF-8", fix="save it as 'CSV UTF-8'")
    text = content.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start = next((n for n, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise InputError(f"{path.name} is empty", fix=fix)
    delimiter = max(DELIMITERS, key=lines[start].count)
    header = _parse(lines[start], delimiter)
    names = [name.strip().lower() for name in header[0]] if header else []
    missing = [name for name in REQUIRED if name not in names]
    twice = sorted({name for name in (*REQUIRED, *OPTIONAL) if names.count(name) > 1})
    if missing or twice:
        found = [f"missing: {', '.join(missing)}"] if missing else [f"more than once: {', '.join(twice)}"]
        raise InputError(f"{path.name} does not begin with the header of a verdict file", *found, fix=fix)
    return list(_records(lines, start + 1, names, delimiter))


def _records(lines: list[str], start: int, names: list[str], delimiter: str) -> Iterator[Record]:
    while start < len(lines):
        if not lines[start].strip():
            start += 1
            continue
        end, row = _one(lines, start, delimiter)
        raw = "\n".join(lines[start:end])
        yield _record(start + 1, raw, names, row)
        start = end


def _one(lines: list[str], start: int, delimiter: str) -> tuple[int, list[str] | None]:
    """The record that begins on line `start`, and the line after it; None if its quotes are broken."""
    for end in range(start + 1, min(start + MAX_LINES_IN_RECORD, len(lines)) + 1):
        text = "\n".join(lines[start:end])
        if rows := _parse(text, delimiter):
            return end, rows[0]
        if text.count('"') % 2 == 0:
            break
    return start + 1, None


def _parse(text: str, delimiter: str) -> list[list[str]] | None:
    try:
        return list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _record(line: int, raw: str, names: list[str], row: list[str] | None) -> Record:
    readable = raw.encode(errors="surrogateescape").decode(errors="replace")
    if row is None:
        return Record(line, readable, {}, "broken_quotes")
    if any("\udc80" <= character <= "\udcff" for character in raw):
        return Record(line, readable, {}, "bad_utf8")
    if "\0" in raw:
        return Record(line, readable, {}, "nul")
    if len(row) != len(names):
        return Record(line, readable, {}, "too_few_fields" if len(row) < len(names) else "too_many_fields")
    wanted = (*REQUIRED, *OPTIONAL)
    cells = {name: cell.strip() for name, cell in zip(names, row, strict=True) if name in wanted}
    long = next((name for name, cell in cells.items() if len(cell.encode()) > MAX_VALUE), None)
    return Record(line, readable, cells, f"too_long {long}" if long else None)
