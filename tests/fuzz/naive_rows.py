"""The contract read a second time, naively: delivered files into rows, by Python's csv and json.

Written from docs/bring-your-own-data.md. Nothing here calls the product. Where several things are wrong with a row,
all of them are found: the product names one.
"""

import csv
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST_ROW = 1_000_000


LONGEST_TEXT = 2048


LARGEST = 1e12


BLANKS = " \t\r\n"


DELIMITERS = (",", ";", "\t")


TEXTS = (
    *("session_id", "item_id", "category", "channel"),
    *("device_id", "ip", "payment_id", "address_id", "counterparty_id"),
)


EVENT = {
    **dict.fromkeys(("event_id", "user_id", "event_type", *TEXTS), "string"),
    **{"event_at": "timestamp", "amount": "number", "quantity": "number"},
}


LABEL = {
    **dict.fromkeys(("user_id", "event_id", "typology", "source"), "string"),
    **{"happened_at": "timestamp", "ends_at": "timestamp", "known_at": "timestamp", "is_bad": "boolean"},
}


REQUIRED_OF_LABELS = ("user_id", "happened_at", "known_at", "is_bad")


PREFIXES = {
    **{"user_id": "usr_", "session_id": "ses_", "device_id": "dev_", "ip": "ip_", "network_id": "net_"},
    **{"payment_id": "pay_", "address_id": "adr_", "counterparty_id": "cpt_"},
}


class UnreadableError(Exception):
    """The file as a whole must be refused."""


@dataclass(frozen=True)
class Pack:
    """What a domain pack says. `renamed`: contract column -> the file's own; `made`: what an expression does to it."""

    event_types: Mapping[str, str]
    timezone: str = "UTC"
    sensitive: tuple[str, ...] = ("device_id", "ip", "payment_id", "address_id")
    renamed: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    key: bytes = b""


@dataclass(frozen=True)
class Row:
    """A row as it came: its cells by the file's column names, or what is wrong with it as a whole."""

    line: int
    raw: str
    cells: Mapping[str, Any] = field(default_factory=dict)
    faults: frozenset[str] = frozenset()


Judged = dict[str, Any]  # a good row, by contract column


Rows = tuple[list[str], bool, list[Row]]  # a file: its columns, whether rows may lack some, its rows


Faults = frozenset[tuple[str, str | None]]


def rows_of(name: str, content: bytes) -> Rows:
    """Columns, whether rows may lack some, and rows. Raises UnreadableError."""
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except Exception as error:
            raise UnreadableError("gzip") from error
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableError("UTF-16")
    text = content.removeprefix(b"\xef\xbb\xbf")
    suffix = name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix in ("parquet", "pq"):
        raise UnreadableError("no Parquet")
    if suffix in ("jsonl", "ndjson", "json") or text.lstrip()[:1] == b"{":
        return _json_rows(text)
    if suffix in ("csv", "tsv", "txt"):
        return _csv_rows(text)
    raise UnreadableError("unknown format")


def _csv_rows(text: bytes) -> Rows:
    line, lines = 1, text.split(b"\n")
    while lines and not lines[0].strip(b" \t\r\v\f"):
        line, lines = line + 1, lines[1:]
    if not lines:
        raise UnreadableError("empty")
    header = lines[0].rstrip(b"\r")
    try:
        header_text = header.decode()
    except UnicodeDecodeError as error:
        raise UnreadableError("header") from error
    if "\0" in header_text or "\r" in header_text or len(header) > LONGEST_ROW:
        raise UnreadableError("header")
    outside = "".join(header_text.split('"')[::2])
    delimiter = max(DELIMITERS, key=outside.count)
    columns = split_record(header_text, delimiter)
    if columns is None:
        raise UnreadableError("header")
    columns = [column.strip() for column in columns]
    rows = []
    for at, record, is_open in _records(b"\n".join(lines[1:]), line + 1, delimiter):
        if (row := _csv_row(at, record, is_open, columns, delimiter)) is not None:
            rows.append(row)
    return columns, False, rows


def _records(text: bytes, line: int, delimiter: str, end: str = "\n") -> Iterator[tuple[int, bytes, bool]]:
    """Records, letter by letter: a quote opens where a field begins, a line end outside quotes ends the record."""
    begun, first, state = bytearray(), line, "begin"
    for letter in text.decode("latin-1"):
        if letter == end:
            line += 1
        if letter == end and state != "quoted":
            yield first, bytes(begun), False
            begun, first, state = bytearray(), line, "begin"
            continue
        begun += letter.encode("latin-1")
        if state == "quoted":
            state = "closed" if letter == '"' else "quoted"
        elif state == "closed" and letter == '"':
            state = "quoted"
        elif letter in (delimiter, "\r"):
            state = "begin"
        else:
            state = "quoted" if state == "begin" and letter == '"' else "plain"
    if begun:
        yield first, bytes(begun), state == "quoted"


def _csv_row(line: int, record: bytes, is_open: bool, columns: list[str], delimiter: str) -> Row | None:
    raw = _shown(record[:LONGEST_ROW])
    if is_open:
        return Row(line, raw, faults=frozenset({"broken_quotes"}))
    if len(record) > LONGEST_ROW:
        return Row(line, raw, faults=frozenset({"line_too_long"}))
    text = record.decode(errors="surrogateescape")
    cells = split_record(text, delimiter)
    if cells == []:
        return None
    faults = odd_marks(text)
    if cells is None:
        faults |= {"broken_quotes"}
    elif len(cells) != len(columns):
        faults |= {"too_few_fields" if len(cells) < len(columns) else "too_many_fields"}
    # of columns that share a name the first counts, should the pack read none of them by that name
    return Row(line, raw, dict(zip(reversed(columns), reversed(cells or []), strict=False)), frozenset(faults))


def split_record(record: str, delimiter: str) -> list[str] | None:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_ROW))
    try:
        rows = list(csv.reader([record], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if rows else []


def odd_marks(text: str) -> set[str]:
    faults = {"nul"} if "\0" in text else set()
    try:
        text.encode()
    except UnicodeEncodeError:
        faults.add("bad_utf8")
    return faults


def _shown(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace").removesuffix("\r")


def _json_rows(text: bytes) -> Rows:
    if not text.strip() or text.lstrip()[:1] == b"[":
        raise UnreadableError("no JSON lines")
    found: list[tuple[int, bytes, Any]] = []
    lines = text.split(b"\n")
    for line, content in enumerate(lines, start=1):
        if content and not content.isspace():
            found.append((line, content, _parsed(content)))
    columns = list(dict.fromkeys(key for line, _, value in found if line <= 1000 for key in value or ()))
    if not any(isinstance(value, dict) for line, _, value in found if line <= 1000):
        raise UnreadableError("no object")
    return columns, True, [_json_row(*each) for each in found]


def _parsed(content: bytes) -> Any:
    try:
        value = json.loads(content.decode(errors="surrogateescape"), parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _json_row(line: int, content: bytes, value: dict[str, Any] | None) -> Row:
    raw = _shown(content[:LONGEST_ROW])
    if len(content) > LONGEST_ROW:
        return Row(line, raw, faults=frozenset({"line_too_long"}))
    faults = odd_marks(content.decode(errors="surrogateescape"))
    if value is None:
        return Row(line, raw, faults=frozenset(faults | {"not_json", "not_an_object"}))
    return Row(line, raw, value, frozenset(faults))
