"""The contract read a second time, naively: what a delivered file must come to, by Python's csv, json and ipaddress.

Written from docs/bring-your-own-data.md. Nothing here calls the product. Where several things are wrong with a row,
all of them are found: the product names one.
"""

import csv
import gzip
import hmac
import io
import ipaddress
import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

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


# ---- files into rows


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
    columns = _cells(header_text, delimiter)
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
    cells = _cells(text, delimiter)
    if cells == []:
        return None
    faults = _odd(text)
    if cells is None:
        faults |= {"broken_quotes"}
    elif len(cells) != len(columns):
        faults |= {"too_few_fields" if len(cells) < len(columns) else "too_many_fields"}
    # of columns that share a name the first counts, should the pack read none of them by that name
    return Row(line, raw, dict(zip(reversed(columns), reversed(cells or []), strict=False)), frozenset(faults))


def _cells(record: str, delimiter: str) -> list[str] | None:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_ROW))
    try:
        rows = list(csv.reader([record], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if rows else []


def _odd(text: str) -> set[str]:
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
    faults = _odd(content.decode(errors="surrogateescape"))
    if value is None:
        return Row(line, raw, faults=frozenset(faults | {"not_json", "not_an_object"}))
    return Row(line, raw, value, frozenset(faults))


# ---- rows into events and labels


def places(columns: list[str], is_sparse: bool, wanted: list[str], required: list[str]) -> dict[str, str]:
    """The file's own name for each wanted column. Raises UnreadableError if a required one is missing, or one twice."""
    found = {}
    for name in wanted:
        same = [column for column in columns if column == name] or [c for c in columns if c.lower() == name.lower()]
        if len(same) > 1:
            raise UnreadableError(f"{name} twice")
        if same:
            found[name] = same[0]
        elif name in required:
            raise UnreadableError(f"no {name}")
        elif is_sparse:
            found[name] = name
    return found


def typed(cell: Any, kind: str, timezone: str) -> tuple[Any, set[str]]:
    """A text cell's value, and what is wrong with it."""
    if isinstance(cell, dict | list):
        return None, {"not_text"}
    if isinstance(cell, bool):
        cell = str(cell).lower()
    if cell is None:
        return None, set()
    faults = _odd(cell)
    text = cell.strip(BLANKS)
    if faults or not text:
        return None, faults
    value, fault = {"string": _text, "number": _number, "timestamp": _time, "boolean": _truth}[kind](text, timezone)
    return value, set(fault)


def _text(text: str, _: str) -> tuple[str, tuple[str, ...]]:
    return text, ("too_long",) if len(text.encode()) > LONGEST_TEXT else ()


def _number(text: str, _: str) -> tuple[float | None, tuple[str, ...]]:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return None, ("not_a_number", "not_finite")
    value = float(text)
    return (value, ()) if abs(value) < float("inf") else (None, ("not_a_number", "not_finite", "too_large"))


def _truth(text: str, _: str) -> tuple[bool | None, tuple[str, ...]]:
    word = text.lower()
    if word in ("true", "t", "yes", "y", "1"):
        return True, ()
    return (False, ()) if word in ("false", "f", "no", "n", "0") else (None, ("not_a_boolean",))


NO_TIME = ("not_a_time", "impossible_time", "future_time")


def _time(text: str, timezone: str) -> tuple[datetime | None, tuple[str, ...]]:
    """In UTC, to the microsecond."""
    parts = re.fullmatch(
        r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
        r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?)?"
        r"(Z| UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?",
        text,
    )
    if not parts:
        return None, NO_TIME
    *numbers, fraction, offset = parts.groups()
    try:
        is_midnight = numbers[3:] in (["24", "00", None], ["24", "00", "00"]) and not (fraction or "").strip("0")
        numbers[3] = "00" if is_midnight else numbers[3]  # 24:00 is the end of the day
        time = datetime(*(int(number or 0) for number in numbers))  # noqa: DTZ001 - the zone comes next
        time += timedelta(days=is_midnight)
        time += timedelta(microseconds=int((fraction or "0").ljust(9, "0")[:6]))
        if offset is None:
            return _of_zone(time, timezone), ()
        if offset not in ("Z", " UTC"):
            hours, minutes = int(offset[1:3]), int(offset[3:].removeprefix(":") or 0)
            if minutes > 59 or hours * 60 + minutes > 14 * 60:
                return None, NO_TIME
            ahead = timedelta(hours=hours, minutes=minutes)
            time = time - ahead if offset[0] == "+" else time + ahead
    except (ValueError, OverflowError):
        return None, NO_TIME
    return time, ()


def _of_zone(time: datetime, timezone: str) -> datetime:
    """A time that occurs twice is the later one; one that does not exist moves on by the missing hour."""
    later, earlier = (time.replace(tzinfo=ZoneInfo(timezone), fold=fold) for fold in (1, 0))
    exists = later.astimezone(UTC).astimezone(ZoneInfo(timezone)).replace(tzinfo=None) == time
    return (later if exists else earlier).astimezone(UTC).replace(tzinfo=None)


def event_of(row: Row, where: Mapping[str, str], pack: Pack, now: datetime, read: Callable[..., Any] = typed) -> Any:
    """The event in a row as the lake keeps it, or the faults of the row."""
    cells, faults = _typed_cells(row, where, pack, EVENT, read)
    for name in ("user_id", "event_at", "event_type"):
        if cells[name] is None:
            faults.add(("missing", name))
    faults |= _time_faults(cells, "event_at", now + timedelta(minutes=5))
    role = pack.event_types.get(cells["event_type"] or "")
    if role is None:
        faults.add(("unknown_event_type", "event_type"))
    for name in ("amount", "quantity"):
        if cells[name] is not None and abs(cells[name]) > LARGEST:
            faults |= {("too_large", name), ("not_finite", name)}
        elif cells[name] is not None:
            cells[name] = to_the_fourth(cells[name])
    if faults:
        return frozenset(faults)
    ip, network = _network(cells["ip"])
    if "ip" in pack.sensitive:
        cells["ip"], network = _hidden(pack, "ip", ip), _hidden(pack, "network_id", network)
    for name in pack.sensitive:
        if name != "ip":
            cells[name] = _hidden(pack, name, cells[name])
    return {**cells, "role": role, "network_id": network}


def to_the_fourth(number: float) -> int:
    """In ten-thousandths."""
    return int(abs(number) * 1e4 + 0.5) * (1 if number >= 0 else -1)


def _typed_cells(
    row: Row, where: Mapping[str, str], pack: Pack, contract: Mapping[str, str], read: Callable[..., Any]
) -> tuple[dict[str, Any], set[tuple[str, str | None]]]:
    faults: set[tuple[str, str | None]] = {(fault, None) for fault in row.faults}
    cells: dict[str, Any] = {}
    for name, kind in contract.items():
        source = pack.renamed.get(name, name)
        cell = row.cells.get(where[source]) if source in where else None
        cells[name], wrong = read(cell, kind, pack.timezone)
        faults |= {(fault, None if fault in ("nul", "bad_utf8") else source) for fault in wrong}
        faults |= {("nul", source)} if "nul" in wrong else set()
        faults |= {(fault, name) for fault in wrong if fault in NO_TIME}  # the time may be read, and then be impossible
        if cells[name] is not None and name in pack.made:
            cells[name] = pack.made[name](cells[name])
    return cells, faults


def _time_faults(cells: Mapping[str, Any], name: str, latest: datetime) -> set[tuple[str, str | None]]:
    time = cells[name]
    if time is None:
        return set()
    if time < datetime(1990, 1, 1):  # noqa: DTZ001 - the lake's times are UTC without saying so
        return {("impossible_time", name)}
    return {("future_time", name)} if time > latest else set()


def _network(ip: str | None) -> tuple[str | None, str | None]:
    """The address in one notation, and its network."""
    if ip is None:
        return None, None
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return ip, None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    width = 24 if address.version == 4 else 48
    return str(address), str(ipaddress.ip_network((address, width), strict=False))


def _hidden(pack: Pack, column: str, value: str | None) -> str | None:
    if value is None:
        return None
    return PREFIXES[column] + hmac.digest(pack.key, f"{column}\0{value}".encode(), "sha256").hex()[:32]


# ---- a file into what the lake and the quarantine must hold


@dataclass
class Outcome:
    """What one file must come to. `refused`: the rows, and all that is wrong with each."""

    read: int = 0
    accepted: list[Judged] = field(default_factory=list)
    refused: list[tuple[Row, Faults]] = field(default_factory=list)
    duplicates: int = 0


class Lake:
    """The events and labels of a home so far."""

    def __init__(self, pack: Pack, now: datetime) -> None:
        self.pack, self.now = pack, now
        self.events: dict[Any, Judged] = {}
        self.labels: dict[Any, Judged] = {}

    def take_events(self, file: Rows, read: Callable[..., Any] = typed) -> Outcome:
        """Judge a file of events. Raises UnreadableError if it must be refused as a whole."""
        where = self._places(file, EVENT, ("user_id", "event_at", "event_type"))
        outcome, alike = Outcome(read=len(file[2])), dict[Any, int]()
        for row in file[2]:
            event = event_of(row, where, self.pack, self.now, read)
            if isinstance(event, frozenset):
                outcome.refused.append((row, event))
                continue
            if event["event_id"] is None:
                content = tuple(sorted((name, value) for name, value in event.items() if value is not None))
                alike[content] = alike.get(content, 0) + 1
                identity = ("derived", content, alike[content])
            else:
                identity = ("given", event["event_id"], event["event_at"].date())
            self._keep(outcome, self.events, identity, event)
        return outcome

    def take_labels(self, file: Rows, read: Callable[..., Any] = typed) -> Outcome:
        """Judge a file of labels; events come first."""
        is_named = any(column.lower() == "event_id" for column in file[0])
        where = self._places(file, LABEL, ("known_at", "is_bad") if is_named else REQUIRED_OF_LABELS)
        outcome = Outcome(read=len(file[2]))
        for row in file[2]:
            label = self._label_of(row, where, read)
            if isinstance(label, frozenset):
                outcome.refused.append((row, label))
                continue
            identity = tuple(label[name] for name in ("user_id", "event_id", "happened_at", "known_at", "is_bad"))
            self._keep(outcome, self.labels, identity, label)
        return outcome

    def _places(self, file: Rows, contract: Mapping[str, str], required: Sequence[str]) -> dict[str, str]:
        columns, is_sparse, _ = file
        renamed = self.pack.renamed
        return places(
            columns, is_sparse, [renamed.get(name, name) for name in contract], [renamed.get(n, n) for n in required]
        )

    def _keep(self, outcome: Outcome, known: dict[Any, Judged], identity: Any, row: Judged) -> None:
        if identity in known:
            outcome.duplicates += 1
        else:
            known[identity] = row
            outcome.accepted.append(row)

    def _label_of(self, row: Row, where: Mapping[str, str], read: Callable[..., Any]) -> Any:
        cells, faults = _typed_cells(row, where, self.pack, LABEL, read)
        if "user_id" in self.pack.sensitive:
            cells["user_id"] = _hidden(self.pack, "user_id", cells["user_id"])
        if not faults and cells["event_id"] is not None and None in (cells["user_id"], cells["happened_at"]):
            meant = [
                (event["event_at"], event["user_id"])
                for event in self.events.values()
                if event["event_id"] == cells["event_id"]
                and cells["user_id"] in (None, event["user_id"])
                and cells["happened_at"] in (None, event["event_at"])
            ]
            if meant:
                cells["happened_at"], cells["user_id"] = min(meant)
        for name in REQUIRED_OF_LABELS:
            if cells[name] is None:
                faults |= {("missing", name), ("unknown_event", name)}
        faults |= _time_faults(cells, "happened_at", self.now + timedelta(minutes=5))
        faults |= _time_faults(cells, "known_at", self.now + timedelta(days=366))
        if not faults and cells["known_at"] < cells["happened_at"]:
            faults = {("known_before_happened", "known_at")}
        if not faults and (end := cells["ends_at"]) is not None:
            is_wrong = {
                "event_with_end": cells["event_id"] is not None,
                "ends_before_it_begins": end <= cells["happened_at"],
                "ends_after_known": end > cells["known_at"],
            }
            faults = {(reason, "ends_at") for reason, holds in is_wrong.items() if holds}
        return frozenset(faults) if faults else cells


# ---- Parquet


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
        value = cell.astimezone(UTC).replace(tzinfo=None) if cell.tzinfo else _of_zone(cell, timezone)
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


# ---- verdicts

VERDICT = ("day", "user_id", "verdict", "typology", "note", "analyst", "decided_at", "scope", "event_id", "since")
REQUIRED_OF_VERDICTS = ("day", "user_id", "verdict", "decided_at")
LONGEST_CELL = 4096


def verdict_rows(content: bytes) -> list[Row]:
    """Rows of a verdict file, with lower case names. A line ends with LF, CRLF or CR. Raises UnreadableError."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableError("UTF-16")
    text = content.removeprefix(b"\xef\xbb\xbf")
    line = 1
    while True:
        header, end, rest = min(
            (text.partition(end) for end in (b"\r\n", b"\n", b"\r")), key=lambda parts: len(parts[0])
        )
        if header.decode(errors="surrogateescape").strip() or not end:
            break
        line, text = line + 1, rest
    header_text = header.decode(errors="surrogateescape")
    delimiter = max(DELIMITERS, key=header_text.count)
    names = [name.strip().lower() for name in _cells(header_text, delimiter) or []]
    if set(REQUIRED_OF_VERDICTS) - set(names) or any(names.count(name) > 1 for name in VERDICT):
        raise UnreadableError("header")
    records = _verdict_records(rest, line + 1, delimiter)
    return [_verdict_row(at, record, names, delimiter) for at, record in records]


def _verdict_records(text: bytes, line: int, delimiter: str) -> Iterator[tuple[int, bytes]]:
    """Records that are not blank, as they came; CR, LF and CRLF each end a line."""
    state, begun, first, at = "begin", bytearray(), line, 0
    while at < len(text):
        end = next((end for end in (b"\r\n", b"\n", b"\r") if text.startswith(end, at)), b"")
        letter = end or text[at : at + 1]
        at += len(letter)
        line += bool(end)
        if end and state != "quoted":
            if begun.decode(errors="surrogateescape").strip():
                yield first, bytes(begun)
            begun, first, state = bytearray(), line, "begin"
            continue
        begun += letter
        if state == "quoted":
            state = "closed" if letter == b'"' else "quoted"
        elif state == "closed" and letter == b'"':
            state = "quoted"
        elif letter == delimiter.encode():
            state = "begin"
        else:
            state = "quoted" if state == "begin" and letter == b'"' else "plain"
    if begun.decode(errors="surrogateescape").strip():
        yield first, bytes(begun).removesuffix(b"\n").removesuffix(b"\r")


def _verdict_row(line: int, record: bytes, names: list[str], delimiter: str) -> Row:
    raw, text = record.decode(errors="backslashreplace"), record.decode(errors="surrogateescape")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return Row(line, raw, faults=frozenset({"broken_quotes"}))
    faults, cells = _odd(text), rows[0]
    if len(rows) > 1:
        faults.add("broken_quotes")
    if len(cells) != len(names):
        faults.add("too_few_fields" if len(cells) < len(names) else "too_many_fields")
    return Row(line, raw, dict(zip(names, cells, strict=False)), frozenset(faults))


class Verdicts:
    """The verdicts of a home.

    `lists`: the accounts of each day, and what the list's CSV shows for each. `done`: events by day and account.
    """

    def __init__(
        self,
        lists: Mapping[str, Mapping[str, str]],
        done: Mapping[str, Mapping[str, Collection[str]]],
        now: datetime,
        timezone: str,
    ) -> None:
        self.lists, self.done, self.now, self.timezone = lists, done, now, timezone
        self.known: dict[Any, Judged] = {}

    def take(self, content: bytes) -> Outcome:
        rows = verdict_rows(content)
        outcome = Outcome(read=len(rows))
        for row in rows:
            verdict = self._verdict_of(row)
            if isinstance(verdict, frozenset):
                outcome.refused.append((row, verdict))
            elif (identity := tuple(verdict.items())) in self.known:
                outcome.duplicates += 1
            else:
                self.known[identity] = verdict
                outcome.accepted.append(verdict)
        return outcome

    def _verdict_of(self, row: Row) -> Any:
        faults = set(row.faults)
        cells = {name: row.cells.get(name, "").replace("\r\n", "\n") for name in VERDICT}
        cells = {name: cell if name == "user_id" else cell.strip() for name, cell in cells.items()}
        faults |= {"missing" for name in REQUIRED_OF_VERDICTS if not cells[name].strip()}
        faults |= {"too_long" for cell in cells.values() if len(cell.encode(errors="replace")) > LONGEST_CELL}
        verdict: Judged = {name: cell or None for name, cell in cells.items()}
        verdict["verdict"] = cells["verdict"].lower()
        if verdict["verdict"] not in ("confirmed", "dismissed", "unsure"):
            faults.add("unknown_verdict")
        try:
            day = verdict["day"] = datetime.strptime(cells["day"], "%Y-%m-%d").date()  # noqa: DTZ007
        except ValueError:
            return frozenset((fault, None) for fault in faults | {"not_a_day"})
        if not 1990 <= day.year < 2200:
            faults.add("not_a_day")
        try:
            decided = datetime.fromisoformat(cells["decided_at"])
            local = _of_zone(decided, self.timezone) if decided.tzinfo is None else decided.astimezone(UTC)
            verdict["decided_at"] = local.replace(tzinfo=None)
        except (ValueError, OverflowError):
            faults.add("not_a_time")
        else:
            if verdict["decided_at"] < datetime.combine(day, time()) + timedelta(days=1):
                faults.add("before_the_day_ended")
            if verdict["decided_at"] > self.now + timedelta(minutes=5):
                faults.add("future_time")
        listed, done = self.lists.get(str(day), {}), self.done.get(str(day), {})
        meant = {name for name, shown in listed.items() if cells["user_id"] in (name, shown)}
        meant |= {name for name in done if name == cells["user_id"]}
        if len(meant) != 1:
            faults.add("ambiguous" if meant else "unknown_account")
        verdict["user_id"] = min(meant, default=None)
        faults |= self._scope_faults(verdict, cells, day)
        if verdict["event_id"] and verdict["event_id"] not in done.get(verdict["user_id"], ()):
            faults.add("unknown_event")
        return frozenset((fault, None) for fault in faults) if faults else verdict

    def _scope_faults(self, verdict: Judged, cells: Mapping[str, str], day: date) -> set[str]:
        faults = set()
        implied = "event" if cells["event_id"] else "account" if cells["since"] else "day"
        scope = verdict["scope"] = cells["scope"].lower() or implied
        if scope not in ("event", "day", "account"):
            faults.add("unknown_scope")
        if (cells["event_id"] and scope != "event") or (cells["since"] and scope != "account"):
            faults.add("beside_the_scope")
        if (scope == "event" and not cells["event_id"]) or (scope == "account" and not cells["since"]):
            faults.add("missing")
        if cells["since"]:
            try:
                since = datetime.fromisoformat(cells["since"])
                utc = _of_zone(since, self.timezone) if since.tzinfo is None else since.astimezone(UTC)
                verdict["since"] = utc.replace(tzinfo=None)
            except (ValueError, OverflowError):
                faults.add("not_a_time")
            else:
                if not 1990 <= utc.year < 2200:
                    faults.add("not_a_time")
                if verdict["since"] >= datetime.combine(day, time()) + timedelta(days=1):
                    faults.add("after_the_day")
        return faults


def label_of(verdict: Judged) -> Judged:
    """A verdict is a label of an event, of the whole user-day, or of all days since a moment."""
    next_day = datetime.combine(verdict["day"], time()) + timedelta(days=1)
    return {
        "user_id": verdict["user_id"],
        "event_id": verdict["event_id"],
        "happened_at": verdict["since"] or datetime.combine(verdict["day"], time.max),
        "ends_at": next_day if verdict["since"] else None,
        "known_at": verdict["decided_at"],
        "is_bad": verdict["verdict"] == "confirmed",
        "typology": verdict["typology"],
        "source": "verdict",
    }
