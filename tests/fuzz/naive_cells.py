"""Rows into events and labels, cell by cell."""

import hmac
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from naive_rows import BLANKS, EVENT, LARGEST, LONGEST_TEXT, PREFIXES, Pack, Row, UnreadableError, odd_marks


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
    faults = odd_marks(cell)
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
            return of_zone(time, timezone), ()
        if offset not in ("Z", " UTC"):
            hours, minutes = int(offset[1:3]), int(offset[3:].removeprefix(":") or 0)
            if minutes > 59 or hours * 60 + minutes > 14 * 60:
                return None, NO_TIME
            ahead = timedelta(hours=hours, minutes=minutes)
            time = time - ahead if offset[0] == "+" else time + ahead
    except (ValueError, OverflowError):
        return None, NO_TIME
    return time, ()


def of_zone(time: datetime, timezone: str) -> datetime:
    """A time that occurs twice is the later one; one that does not exist moves on by the missing hour."""
    later, earlier = (time.replace(tzinfo=ZoneInfo(timezone), fold=fold) for fold in (1, 0))
    exists = later.astimezone(UTC).astimezone(ZoneInfo(timezone)).replace(tzinfo=None) == time
    return (later if exists else earlier).astimezone(UTC).replace(tzinfo=None)


def event_of(row: Row, where: Mapping[str, str], pack: Pack, now: datetime, read: Callable[..., Any] = typed) -> Any:
    """The event in a row as the lake keeps it, or the faults of the row."""
    cells, faults = typed_cells(row, where, pack, EVENT, read)
    for name in ("user_id", "event_at", "event_type"):
        if cells[name] is None:
            faults.add(("missing", name))
    faults |= time_faults(cells, "event_at", now + timedelta(minutes=5))
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
        cells["ip"], network = hidden(pack, "ip", ip), hidden(pack, "network_id", network)
    for name in pack.sensitive:
        if name != "ip":
            cells[name] = hidden(pack, name, cells[name])
    return {**cells, "role": role, "network_id": network}


def to_the_fourth(number: float) -> int:
    """In ten-thousandths."""
    return int(abs(number) * 1e4 + 0.5) * (1 if number >= 0 else -1)


def typed_cells(
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


def time_faults(cells: Mapping[str, Any], name: str, latest: datetime) -> set[tuple[str, str | None]]:
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


def hidden(pack: Pack, column: str, value: str | None) -> str | None:
    if value is None:
        return None
    return PREFIXES[column] + hmac.digest(pack.key, f"{column}\0{value}".encode(), "sha256").hex()[:32]
