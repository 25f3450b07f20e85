"""Chunks of a delivered file become contract rows, held in DuckDB until the whole file has been read."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from pipeline.domain import EVENT_COLUMNS, LABEL_COLUMNS, REQUIRED_EVENT_COLUMNS, REQUIRED_LABEL_COLUMNS, Domain
from pipeline.ingest.mapping import Fitted, columns_of
from pipeline.ingest.pseudonyms import hidden
from pipeline.ingest.refusals import MAX_NUMBER, Chunk, Refusal
from pipeline.ingest.values import literal, quoted

EARLIEST = "timestamp '1990-01-01'"
AHEAD = timedelta(minutes=5)  # clocks differ
FAR_AHEAD = timedelta(days=366)  # of a label that becomes known later


class Rows:
    """The good rows of one file, in the table `staged`; `add` returns the refused ones."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, domain: Domain, fitted: Fitted, now: datetime, events: Sequence[str]
    ) -> None:
        """`events` are the lake's event files, to complete labels from."""
        self.con, self.domain, self.fitted, self.events = con, domain, fitted, list(events)
        self.now = now.replace(tzinfo=None)
        self.is_empty = True

    def add(self, chunk: Chunk) -> list[Refusal]:
        names = ["_line", *(f"_raw{i}" for i in range(len(self.fitted.wanted)))]
        table = chunk.rows.rename_columns(names)
        self.con.register("chunk", table)
        self.con.execute(f"create or replace temp table made as {self.fitted.select(table.schema)}")
        self._judge()
        found = self.con.execute(
            "select _line, _reason from judged where _reason is not null order by _line"
        ).fetchall()
        self.con.execute(
            f"{'create or replace temp table staged as' if self.is_empty else 'insert into staged'} "
            "select * exclude (_reason) from judged where _reason is null"
        )
        self.is_empty = False
        return sorted([*chunk.refused, *_refusals(chunk, found)])

    def add_nothing(self) -> None:
        """Make the table of good rows although the file had no chunk at all."""
        text = pa.schema([("_line", pa.int64()), *((name, pa.string()) for name in self.fitted.wanted)])
        self.add(Chunk(text.empty_table(), lambda lines: []))

    def _judge(self) -> None:
        columns = list(columns_of(self.fitted.kind))
        changed = hidden(self.con, self.domain, columns, "made")
        kept = [f"{changed.get(name, f'made.{quoted(name)}')} as {quoted(name)}" for name in columns]
        if self.fitted.kind == "events":
            self.con.execute(
                f"create or replace temp table hidden as select _line, {', '.join(kept)}, "
                f"{changed['network_id']} as network_id, _reason from made left join ip_networks using (ip)"
            )
            self._judge_events()
        else:
            self.con.execute(
                f"create or replace temp table hidden as select _line, {', '.join(kept)}, _reason from made"
            )
            self._complete_labels()
            self._judge_labels()

    def _judge_events(self) -> None:
        numbers = [name for name, kind in EVENT_COLUMNS.items() if kind == "number"]
        roles = " ".join(
            f"when {literal(word)} then {literal(role)}" for word, role in self.domain.event_types.items()
        )
        checks = [
            "_reason",
            *(missing(name) for name in REQUIRED_EVENT_COLUMNS),
            *time_checks("event_at", f"{_time(self.now + AHEAD)}"),
            "case when role is null then 'unknown_event_type event_type' end",
            *(number_check(name) for name in numbers),
        ]
        content = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in (*EVENT_COLUMNS, "network_id"))
        money = ", ".join(f"try_cast({name} as decimal(18, 4)) as {name}" for name in numbers)
        kept = ", ".join(quoted(name) for name in EVENT_COLUMNS if name != "event_id")
        # Without an id of its own, an event is named by its content.
        self.con.execute(
            f"""
            create or replace temp table judged as
            select
                _line,
                coalesce(event_id, left(sha256(cast(to_json(struct_pack({content})) as varchar)), 32)) as event_id,
                event_id is null as _is_derived,
                {kept}, role, network_id, _reason
            from (
                select * replace ({money}), coalesce({", ".join(checks)}) as _judgement
                from (select *, case event_type {roles} end as role from hidden)
            )
            """.replace("role, network_id, _reason", "role, network_id, _judgement as _reason")
        )

    def _complete_labels(self) -> None:
        """Fill user_id and happened_at from the event that event_id names; the earliest, should it name several."""
        gaps = "(user_id is null or happened_at is null) and event_id is not null and _reason is null"
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
            join read_parquet({self.events!r}, union_by_name = true) as known
                on hidden.event_id = known.event_id
                and (hidden.user_id is null or hidden.user_id = known.user_id)
                and (hidden.happened_at is null or hidden.happened_at = known.event_at)
            where {gaps.replace("user_id is", "hidden.user_id is").replace("event_id is", "hidden.event_id is")}
            group by hidden._line
            """
        )
        self.con.execute(
            "update hidden set user_id = coalesce(hidden.user_id, completed.user_id), "
            "happened_at = coalesce(hidden.happened_at, completed.happened_at) "
            "from completed where hidden._line = completed._line"
        )

    def _judge_labels(self) -> None:
        unknown = [
            f"case when {name} is null and event_id is not null then 'unknown_event {name}' end"
            for name in ("user_id", "happened_at")
        ]
        checks = [
            "_reason",
            *unknown,
            *(missing(name) for name in REQUIRED_LABEL_COLUMNS),
            *time_checks("happened_at", _time(self.now + AHEAD)),
            "case when known_at < happened_at then 'known_before_happened known_at' end",
            *time_checks("known_at", _time(self.now + FAR_AHEAD)),
        ]
        columns = ", ".join(LABEL_COLUMNS)
        self.con.execute(
            "create or replace temp table judged as "
            f"select _line, {columns}, coalesce({', '.join(checks)}) as _reason from hidden"
        )


def missing(name: str) -> str:
    return f"case when {name} is null then 'missing {name}' end"


def time_checks(name: str, latest: str) -> list[str]:
    return [
        f"case when {name} < {EARLIEST} or not isfinite({name}) then 'impossible_time {name}' end",
        f"case when {name} > {latest} then 'future_time {name}' end",
    ]


def number_check(name: str) -> str:
    return (
        f"case when not isfinite({name}) then 'not_finite {name}' "
        f"when abs({name}) > {MAX_NUMBER!r} then 'too_large {name}' end"
    )


def _time(moment: datetime) -> str:
    return f"timestamp '{moment.isoformat(sep=' ')}'"


def _refusals(chunk: Chunk, found: Sequence[tuple[int, str]]) -> list[Refusal]:
    raws = chunk.raw([line for line, _ in found]) if found else []
    return [
        Refusal(line, *_split(reason), raw) for (line, reason), raw in zip(found, raws, strict=True)
    ]


def _split(reason: str) -> tuple[str, str | None]:
    code, _, column = reason.partition(" ")
    return code, column or None
