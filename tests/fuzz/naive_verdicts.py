"""Verdict files into verdicts and labels."""

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from naive_cells import of_zone
from naive_lake import Outcome
from naive_rows import DELIMITERS, Judged, Row, UnreadableError, odd_marks, split_record

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
    names = [name.strip().lower() for name in split_record(header_text, delimiter) or []]
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
    faults, cells = odd_marks(text), rows[0]
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
            local = of_zone(decided, self.timezone) if decided.tzinfo is None else decided.astimezone(UTC)
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
                utc = (
                    of_zone(since, "UTC" if len(cells["since"]) == 10 else self.timezone)
                    if since.tzinfo is None
                    else since.astimezone(UTC)
                )
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
