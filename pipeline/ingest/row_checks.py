"""Check each row of a delivered file against the contract. Good rows wait in DuckDB until the file has been read."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from pipeline.domain import EVENT_COLUMNS, LABEL_COLUMNS, REQUIRED_EVENT_COLUMNS, REQUIRED_LABEL_COLUMNS, Domain
from pipeline.ingest.mapping import FileMapping, columns_of
from pipeline.ingest.notations import notation_of
from pipeline.ingest.pseudonyms import Pseudonyms
from pipeline.ingest.refusals import MAX_NUMBER, Chunk, Refusal
from pipeline.ingest.values import trimmed
from pipeline.sql import literal, parquet
from pipeline.storage.lake import AHEAD

SAMPLED = 20  # refused rows of a chunk whose notation is named
EARLIEST = "timestamp '1990-01-01'"
LATEST = "9999-01-01"
FAR_AHEAD = timedelta(days=366)  # a label may become known later
TIMES = {"events": {"event_at": AHEAD}, "labels": {"happened_at": AHEAD, "known_at": FAR_AHEAD}}


@dataclass(frozen=True)
class Contract:
    """What the rows of one file are checked against. `events` are the lake's event files: they complete labels."""

    domain: Domain
    mapping: FileMapping
    now: datetime
    key: bytes | None
    events: Sequence[str] = ()


class RowChecker:
    """Checks one file chunk by chunk. Good rows go to the table `staged`; refused rows are returned.

    Several checkers may share a database. Each needs its own connection.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, contract: Contract) -> None:
        self.con, self.domain, self.mapping = con, contract.domain, contract.mapping
        self.events = list(contract.events)
        self.now = contract.now.replace(tzinfo=None)
        self.columns = list(columns_of(self.mapping.kind))
        self.pseudonyms = Pseudonyms(con, self.domain, self.columns, contract.key)
        self.again_from: datetime | None = None  # when the first row refused as future_time will have happened

    def stage(self) -> None:
        """Create the table of good rows."""
        text = pa.schema([("_line", pa.int64()), *((name, pa.string()) for name in self.mapping.wanted)])
        self._check(text.empty_table())
        self.con.execute("create table staged as select * exclude (_reason) from checked")

    def add(self, chunk: Chunk) -> list[Refusal]:
        """Check a chunk. Returns its refused rows, in the file's order."""
        self._check(chunk.rows)
        bad = self.con.execute("select _line, _reason from checked where _reason is not null order by _line").fetchall()
        self.con.execute("insert into staged select * exclude (_reason) from checked where _reason is null")
        if any(reason.startswith("future_time") for _, reason in bad):
            self._remember_the_future()
        return sorted([*chunk.refused, *self._refusals(chunk, bad)], key=lambda refusal: refusal.line)

    def _refusals(self, chunk: Chunk, bad: Sequence[tuple[int, str]]) -> list[Refusal]:
        raws = chunk.raw([line for line, _ in bad]) if bad else []
        refusals = [Refusal(line, *_split(reason), raw) for (line, reason), raw in zip(bad, raws, strict=True)]
        return [self._with_notation(chunk, refusal) for refusal in refusals[:SAMPLED]] + refusals[SAMPLED:]

    def _with_notation(self, chunk: Chunk, refusal: Refusal) -> Refusal:
        if refusal.column not in self.mapping.sources:
            return refusal
        at = bisect_left(chunk.rows.column(0), refusal.line, key=lambda line: line.as_py())
        cell = chunk.rows.column(1 + list(self.mapping.sources).index(refusal.column))[at]
        return refusal._replace(notation=notation_of(refusal.reason, cell))

    def _remember_the_future(self) -> None:
        cases = " ".join(
            f"when 'future_time {name}' then least({name}, timestamp '{LATEST}') - interval '{ahead.total_seconds()} s'"
            for name, ahead in TIMES[self.mapping.kind].items()
        )
        [(first,)] = self.con.execute(f"select min(case _reason {cases} end) from checked").fetchall()
        self.again_from = min(filter(None, (self.again_from, first.replace(tzinfo=UTC))))

    def _check(self, rows: pa.Table) -> None:
        names = [f"_raw{i}" for i in range(len(self.mapping.wanted))]
        table = pa.table([rows.column(0), *map(trimmed, rows.columns[1:])], names=["_line", *names])
        self.con.register("chunk", table)
        self.con.execute(f"create or replace temp table mapped as {self.mapping.select(table.schema)}")
        self.con.unregister("chunk")
        self.pseudonyms.learn("mapped")
        pseudonymised = self.pseudonyms.select(self.columns, "_line, _reason", "mapped")
        if self.mapping.kind == "events":
            self.con.execute(f"create or replace temp table checked as {self._checked_events(pseudonymised)}")
        else:
            self.con.execute(f"create or replace temp table labels as {pseudonymised}")
            self._complete_labels()
            self.con.execute(f"create or replace temp table checked as {self._checked_labels()}")

    def _checked_events(self, rows: str) -> str:
        numbers = [name for name, kind in EVENT_COLUMNS.items() if kind == "number"]
        roles = " ".join(f"when {literal(word)} then {literal(role)}" for word, role in self.domain.event_types.items())
        checks = [
            "_reason",
            *map(missing, REQUIRED_EVENT_COLUMNS),
            *time_checks("event_at", self.now),
            "case when role is null then 'unknown_event_type event_type' end",
            *map(number_check, numbers),
        ]
        # An event without an id is named by its cells. Each cell carries its length, so that no two rows read alike.
        kept = [name for name in (*EVENT_COLUMNS, "network_id") if name != "event_id"]
        texts = [f"cast({name} as varchar)" for name in kept]
        content = ", ".join(f"coalesce(strlen({text}) || ':' || {text}, '-')" for text in texts)
        return f"""
            select
                _line,
                coalesce(event_id, left(sha256(concat_ws('|', {content})), 32)) as event_id,
                event_id is null as _is_derived,
                {", ".join(kept)},
                role,
                _first_fault as _reason
            from (
                select
                    * replace ({", ".join(f"try_cast({name} as decimal(18, 4)) as {name}" for name in numbers)}),
                    coalesce({", ".join(checks)}) as _first_fault
                from (select *, case event_type {roles} end as role from ({rows}))
            )
        """

    def _complete_labels(self) -> None:
        """Fill user_id and happened_at from the event that event_id names. Of several, the earliest counts."""
        gaps = "(labels.user_id is null or happened_at is null) and labels.event_id is not null and _reason is null"
        if not self.events or not self.con.execute(f"select 1 from labels where {gaps} limit 1").fetchall():
            return
        self.con.execute(
            f"""
            create or replace temp table completed as
            select
                labels._line,
                arg_min(event.user_id, (event.event_at, event.user_id)) as user_id,
                min(event.event_at) as happened_at
            from labels
            join {parquet(self.events, "union_by_name = true")} as event
                on labels.event_id = event.event_id
                and (labels.user_id is null or labels.user_id = event.user_id)
                and (labels.happened_at is null or labels.happened_at = event.event_at)
            where {gaps}
            group by labels._line
            """
        )
        self.con.execute(
            "update labels set user_id = coalesce(labels.user_id, completed.user_id), "
            "happened_at = coalesce(labels.happened_at, completed.happened_at) "
            "from completed where labels._line = completed._line"
        )

    def _checked_labels(self) -> str:
        unknown = [
            f"case when {name} is null and event_id is not null then 'unknown_event {name}' end"
            for name in ("user_id", "happened_at")
        ]
        checks = [
            "_reason",
            *unknown,
            *map(missing, REQUIRED_LABEL_COLUMNS),
            *time_checks("happened_at", self.now),
            "case when known_at < happened_at then 'known_before_happened known_at' end",
            *time_checks("known_at", self.now, FAR_AHEAD),
            time_checks("ends_at", self.now)[0],  # one in the future is after known_at
            "case when ends_at is not null and event_id is not null then 'event_with_end ends_at' end",
            "case when ends_at <= happened_at then 'ends_before_it_begins ends_at' end",
            "case when ends_at > known_at or not isfinite(ends_at) then 'ends_after_known ends_at' end",
        ]
        return f"select _line, {', '.join(LABEL_COLUMNS)}, coalesce({', '.join(checks)}) as _reason from labels"


def missing(name: str) -> str:
    return f"case when {name} is null then 'missing {name}' end"


def time_checks(name: str, now: datetime, ahead: timedelta = AHEAD) -> list[str]:
    latest = now + ahead
    return [
        f"case when {name} < {EARLIEST} or not isfinite({name}) then 'impossible_time {name}' end",
        f"case when {name} > timestamp '{latest.isoformat(sep=' ')}' then 'future_time {name}' end",
    ]


def number_check(name: str) -> str:
    return (
        f"case when not isfinite({name}) then 'not_finite {name}' "
        f"when abs({name}) > {MAX_NUMBER!r} then 'too_large {name}' end"
    )


def _split(reason: str) -> tuple[str, str | None]:
    code, _, column = reason.partition(" ")
    return code, column or None
