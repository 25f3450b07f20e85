"""Chunks of a delivered file become contract rows, held in DuckDB until the whole file has been read."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from pipeline.domain import EVENT_COLUMNS, LABEL_COLUMNS, REQUIRED_EVENT_COLUMNS, REQUIRED_LABEL_COLUMNS, Domain
from pipeline.ingest.looks import look_of
from pipeline.ingest.mapping import FileMapping, columns_of
from pipeline.ingest.pseudonyms import Pseudonyms
from pipeline.ingest.refusals import MAX_NUMBER, Chunk, Refusal
from pipeline.ingest.values import trimmed
from pipeline.lake import AHEAD
from pipeline.sql import literal, parquet

LOOKED_AT = 20  # refused rows of a chunk whose notation is looked at
EARLIEST = "timestamp '1990-01-01'"
LATEST = "9999-01-01"
FAR_AHEAD = timedelta(days=366)  # of a label that becomes known later
TIMES = {"events": {"event_at": AHEAD}, "labels": {"happened_at": AHEAD, "known_at": FAR_AHEAD}}


class Rows:
    """Judges chunks of one file: good rows go to the table `staged`, refused ones are returned.

    Several of these may share a database, each with a connection of its own.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        domain: Domain,
        fitted: FileMapping,
        now: datetime,
        key: bytes | None,
        events: Sequence[str] = (),
    ) -> None:
        """`events` are the lake's event files, to complete labels from."""
        self.con, self.domain, self.fitted, self.events = con, domain, fitted, list(events)
        self.now = now.replace(tzinfo=None)
        self.columns = list(columns_of(fitted.kind))
        self.pseudonyms = Pseudonyms(con, domain, self.columns, key)
        self.again_from: datetime | None = None  # when the first row refused as future_time will have happened

    def stage(self) -> None:
        """Make the table of good rows."""
        text = pa.schema([("_line", pa.int64()), *((name, pa.string()) for name in self.fitted.wanted)])
        self._judge(text.empty_table())
        self.con.execute("create table staged as select * exclude (_reason) from judged")

    def add(self, chunk: Chunk) -> list[Refusal]:
        self._judge(chunk.rows)
        bad = self.con.execute("select _line, _reason from judged where _reason is not null order by _line").fetchall()
        self.con.execute("insert into staged select * exclude (_reason) from judged where _reason is null")
        if any(reason.startswith("future_time") for _, reason in bad):
            self._remember_the_future()
        return sorted([*chunk.refused, *self._refusals(chunk, bad)], key=lambda refusal: refusal.line)

    def _refusals(self, chunk: Chunk, bad: Sequence[tuple[int, str]]) -> list[Refusal]:
        raws = chunk.raw([line for line, _ in bad]) if bad else []
        refusals = [Refusal(line, *_split(reason), raw) for (line, reason), raw in zip(bad, raws, strict=True)]
        looked_at = [self._with_look(chunk, refusal) for refusal in refusals[:LOOKED_AT]]
        return looked_at + refusals[LOOKED_AT:]

    def _with_look(self, chunk: Chunk, refusal: Refusal) -> Refusal:
        if refusal.column not in self.fitted.sources:
            return refusal
        at = bisect_left(chunk.rows.column(0), refusal.line, key=lambda line: line.as_py())
        cell = chunk.rows.column(1 + list(self.fitted.sources).index(refusal.column))[at]
        return refusal._replace(look=look_of(refusal.reason, cell))

    def _remember_the_future(self) -> None:
        cases = " ".join(
            f"when 'future_time {name}' then least({name}, timestamp '{LATEST}') - interval '{ahead.total_seconds()} s'"
            for name, ahead in TIMES[self.fitted.kind].items()
        )
        [(first,)] = self.con.execute(f"select min(case _reason {cases} end) from judged").fetchall()
        self.again_from = min(filter(None, (self.again_from, first.replace(tzinfo=UTC))))

    def _judge(self, rows: pa.Table) -> None:
        names = [f"_raw{i}" for i in range(len(self.fitted.wanted))]
        table = pa.table([rows.column(0), *map(trimmed, rows.columns[1:])], names=["_line", *names])
        self.con.register("chunk", table)
        self.con.execute(f"create or replace temp table made as {self.fitted.select(table.schema)}")
        self.con.unregister("chunk")
        self.pseudonyms.learn("made")
        hidden = self.pseudonyms.select(self.columns, "_line, _reason", "made")
        if self.fitted.kind == "events":
            self.con.execute(f"create or replace temp table judged as {self._judged_events(hidden)}")
        else:
            self.con.execute(f"create or replace temp table hidden as {hidden}")
            self._complete_labels()
            self.con.execute(f"create or replace temp table judged as {self._judged_labels('from hidden')}")

    def _judged_events(self, hidden: str) -> str:
        numbers = [name for name, kind in EVENT_COLUMNS.items() if kind == "number"]
        roles = " ".join(f"when {literal(word)} then {literal(role)}" for word, role in self.domain.event_types.items())
        checks = [
            "_reason",
            *map(missing, REQUIRED_EVENT_COLUMNS),
            *time_checks("event_at", self.now),
            "case when role is null then 'unknown_event_type event_type' end",
            *map(number_check, numbers),
        ]
        # Without an id of its own, an event is named by its cells, each with its length so that no two rows read alike.
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
                _judgement as _reason
            from (
                select
                    * replace ({", ".join(f"try_cast({name} as decimal(18, 4)) as {name}" for name in numbers)}),
                    coalesce({", ".join(checks)}) as _judgement
                from (select *, case event_type {roles} end as role from ({hidden}))
            )
        """

    def _complete_labels(self) -> None:
        """Fill user_id and happened_at from the event that event_id names; the earliest, should it name several."""
        gaps = "(hidden.user_id is null or happened_at is null) and hidden.event_id is not null and _reason is null"
        if not self.events or not self.con.execute(f"select 1 from hidden where {gaps} limit 1").fetchall():
            return
        self.con.execute(
            f"""
            create or replace temp table completed as
            select
                hidden._line,
                arg_min(known.user_id, (known.event_at, known.user_id)) as user_id,
                min(known.event_at) as happened_at
            from hidden
            join {parquet(self.events, "union_by_name = true")} as known
                on hidden.event_id = known.event_id
                and (hidden.user_id is null or hidden.user_id = known.user_id)
                and (hidden.happened_at is null or hidden.happened_at = known.event_at)
            where {gaps}
            group by hidden._line
            """
        )
        self.con.execute(
            "update hidden set user_id = coalesce(hidden.user_id, completed.user_id), "
            "happened_at = coalesce(hidden.happened_at, completed.happened_at) "
            "from completed where hidden._line = completed._line"
        )

    def _judged_labels(self, hidden: str) -> str:
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
        ]
        return f"select _line, {', '.join(LABEL_COLUMNS)}, coalesce({', '.join(checks)}) as _reason {hidden}"


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
