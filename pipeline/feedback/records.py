"""Read a verdict file: a small CSV, often saved by a spreadsheet, often the risk list with columns added."""

import csv
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.errors import InputError
from pipeline.feedback.refusals import Refused

REQUIRED = ("day", "user_id", "verdict", "decided_at")
OPTIONAL = ("typology", "note", "analyst", "scope", "event_id", "since")
DELIMITERS = ",;\t"
MAX_FILE = 4 * 2**20  # enough for thousands of verdicts, which people write by hand
MAX_VALUE = 4096
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # only these end a line in a CSV
WANTED = f"wanted a CSV with the columns {', '.join(REQUIRED)} and perhaps {', '.join(OPTIONAL)}"


@dataclass(frozen=True)
class Record:
    """One row as it came. `refusal` is set where it could not be split into cells."""

    line: int
    raw: str
    cells: dict[str, str]
    refusal: Refused | None = None


def read_file(path: Path, max_bytes: int) -> bytes:
    """A verdict file's bytes at one moment. Raises InputError if it is no regular, whole, small file."""
    if not path.name.isprintable():  # a stray byte or a control character fits neither manifest nor message
        raise InputError(f"the name {path.name!a} cannot be written down", fix="rename the file")
    limit = min(MAX_FILE, max_bytes)
    try:
        before = path.stat()
        if not stat.S_ISREG(before.st_mode):
            raise InputError(f"{path.name} is not a regular file", fix="deliver a CSV file")
        with path.open("rb") as file:
            content = file.read(limit + 1)
            after = os.fstat(file.fileno())
    except OSError as error:
        raise InputError(
            f"cannot read {path.name}: {error.strerror}", fix="check the path and its permissions"
        ) from None
    if len(content) > limit:
        raise InputError(f"{path.name} is larger than {limit:,} bytes", fix="split it")
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(f"{path.name} changed while it was read", fix="take it in again once it is written")
    return content


def read_records(content: bytes, name: str) -> Iterator[Record]:
    """All rows of the verdict file called `name`. Raises InputError at once if it is no verdict file."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{name} is UTF-16, wanted UTF-8", fix="save it as 'CSV UTF-8'")
    text = content.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
    lines = _LINE.findall(text)
    start = next((n for n, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise InputError(f"{name} is empty", fix=WANTED)
    delimiter = max(DELIMITERS, key=lines[start].count)
    header = _strict(lines[start : start + 1], delimiter) or []
    names = [column.strip().lower() for column in header]
    missing = [column for column in REQUIRED if column not in names]
    twice = sorted({column for column in (*REQUIRED, *OPTIONAL) if names.count(column) > 1})
    if missing or twice:
        found = [f"missing: {', '.join(missing)}"] if missing else [f"more than once: {', '.join(twice)}"]
        raise InputError(f"{name} does not begin with the header of a verdict file", *found, fix=WANTED)
    return _records(lines, start + 1, names, delimiter)


def _records(lines: list[str], start: int, names: list[str], delimiter: str) -> Iterator[Record]:
    """A record ends where no quote is open. A quote that never closes takes the rest of the file."""
    csv.field_size_limit(max(MAX_FILE, csv.field_size_limit()))
    ends = csv.reader(islice(lines, start, None), delimiter=delimiter)
    first = start
    for cells in ends:
        end = start + ends.line_num
        raw = "".join(lines[first:end])
        if raw.strip():
            row = _strict(lines[first:end], delimiter) if '"' in raw else cells
            yield _record(first + 1, raw.removesuffix("\n").removesuffix("\r"), names, row)
        first = end


def _strict(lines: list[str], delimiter: str) -> list[str] | None:
    """The cells of one record; None if its quotes are broken."""
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _record(line: int, raw: str, names: list[str], row: list[str] | None) -> Record:
    readable = raw.encode(errors="surrogateescape").decode(errors="backslashreplace")
    if row is None:
        return Record(line, readable, {}, Refused("broken_quotes"))
    if any("\udc80" <= character <= "\udcff" for character in raw):
        return Record(line, readable, {}, Refused("bad_utf8"))
    if "\0" in raw:
        return Record(line, readable, {}, Refused("nul"))
    if len(row) != len(names):
        return Record(line, readable, {}, Refused("too_few_fields" if len(row) < len(names) else "too_many_fields"))
    wanted = (*REQUIRED, *OPTIONAL)
    cells = {name: _trimmed(name, cell) for name, cell in zip(names, row, strict=True) if name in wanted}
    long = next((name for name, cell in cells.items() if len(cell.encode()) > MAX_VALUE), None)
    return Record(line, readable, cells, Refused("too_long", long) if long else None)


def _trimmed(name: str, cell: str) -> str:
    """Cells without blanks around them, but for user_id: two accounts may differ by a blank at the end."""
    return cell if name == "user_id" else cell.replace("\r\n", "\n").strip()
