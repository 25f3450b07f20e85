"""A domain pack's mapping, fitted to one file: which source columns it reads, and the SQL that makes contract rows."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.domain import (
    EVENT_COLUMNS,
    LABEL_COLUMNS,
    REQUIRED_EVENT_COLUMNS,
    REQUIRED_LABEL_COLUMNS,
    Domain,
    Mapping,
    SourceType,
)
from pipeline.errors import InputError, UsageError
from pipeline.ingest.refusals import MAX_VALUE
from pipeline.ingest.values import typed, whole_as_text
from pipeline.lake import Kind
from pipeline.sql import literal, quoted

SQL_TYPES: dict[SourceType, str] = {
    "string": "varchar",
    "number": "double",
    "timestamp": "timestamp",
    "boolean": "boolean",
}
# The clock, chance, settings and variables: with them the same file would not always give the same rows.
UNSTABLE = "select distinct function_name from duckdb_functions() where stability <> 'CONSISTENT'"
INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
NUMBERS = (*INTEGERS, *(f"U{name}" for name in INTEGERS), "FLOAT", "DOUBLE", "DECIMAL")
FITTING: dict[SourceType, tuple[str, ...]] = {
    "string": ("VARCHAR", *NUMBERS, "BOOLEAN", "DATE", "TIME", "UUID", "ENUM", "JSON"),
    "number": NUMBERS,
    "timestamp": ("TIMESTAMP", "DATE"),
    "boolean": ("BOOLEAN",),
}
EPOCH = "seconds since 1970 become one by make_timestamp(cast(NAME * 1000000 as bigint))"


FLOATING = ("DOUBLE", "FLOAT")
EXACT = 2**53  # from here on, two whole numbers may be the same double


@dataclass(frozen=True)
class FileMapping:
    """A pack's mapping as it applies to one file.

    `wanted` are the file's columns to read, `sources` the pack's name and type of each, in the same order.

    `absent` are the pack's columns that the file lacks and can do without: null in every row.
    `given` is the SQL type of each contract column before it is cast to the contract's own.
    """

    kind: Kind
    wanted: list[str]
    sources: dict[str, SourceType]
    absent: dict[str, SourceType]
    expressions: dict[str, str]  # contract column -> SQL over the typed source columns, where the pack maps it
    given: dict[str, str]
    timezone: str

    def select(self, chunk: pa.Schema) -> str:
        """SQL that reads the table `chunk` and yields `_line`, contract columns in their types, and `_reason`.

        `_reason` is null for good rows, else 'reason column' of the first thing found wrong.
        """
        cells, reasons = [], []
        for i, (name, wanted) in enumerate(self.sources.items()):
            cell = typed(f"_raw{i}", chunk.field(i + 1).type, wanted, quoted(name), self.timezone)
            cells.append(f"{cell.value} as {quoted(name)}")
            reasons.append(f"({cell.reason}) || {literal(f' {name}')}")
        cells += [f"cast(null as {SQL_TYPES[wanted]}) as {quoted(name)}" for name, wanted in self.absent.items()]
        made, finished = [], []
        for name, wanted in columns_of(self.kind).items():
            aside, value = quoted(f"_made_{name}"), quoted(name)
            if name in self.expressions:
                made.append(f"try({{'v': (\n{self.expressions[name]}\n)}}) as {aside}")
                reasons.append(f"case when {aside} is null then {literal(f'mapping_failed {name}')} end")
                value = f"{aside}.v"
            if wanted == "string" and self.given.get(name) in FLOATING:
                reasons.append(f"case when abs({value}) >= {EXACT} then {literal(f'mapping_failed {name}')} end")
                value = whole_as_text(value)
            if wanted == "string" and name in self.expressions:
                size = f"strlen(cast({value} as varchar))"
                reasons.append(f"case when {size} > {MAX_VALUE} then {literal(f'too_long {name}')} end")
            finished.append(f"try_cast({value} as {SQL_TYPES[wanted]}) as {quoted(name)}")
        typed_cells = f"select *, {', '.join(cells)} from chunk"
        rows = f"select *, {', '.join(made) or '0 as _made'} from ({typed_cells})"
        return (
            f"select _line, {', '.join(finished)}, coalesce({', '.join([*reasons, 'null'])}) as _reason from ({rows})"
        )


def _as_text(value: str) -> str:
    """Text of any scalar: an id that was read as a number is 17850, not 17850.0."""
    text = f"cast({value} as varchar)"
    is_float = f"typeof({value}) in ('DOUBLE', 'FLOAT')"
    return f"case when {is_float} then regexp_replace({text}, '[.]0$', '') else {text} end"


def columns_of(kind: Kind) -> dict[str, SourceType]:
    return EVENT_COLUMNS if kind == "events" else LABEL_COLUMNS


def fit(
    con: duckdb.DuckDBPyConnection,
    domain: Domain,
    kind: Kind,
    file: str,
    found: Iterable[str],
    is_sparse: bool = False,
) -> FileMapping:
    """Fit the pack's mapping to a file's columns; names are compared without case.

    `is_sparse`: the file may have columns that were not `found`, in rows further down.
    Raises UsageError naming the pack's column whose SQL is wrong, InputError naming columns the file lacks.
    """
    mapping = mapping_of(domain, kind)
    contract = columns_of(kind)
    uses = {name: _uses(con, domain, kind, name, sql) for name, sql in mapping.columns.items()}
    if unknown := sorted(set(mapping.columns) - set(contract)):
        raise UsageError(
            f"pack {domain.name}: {kind}.columns has {', '.join(unknown)}", f"contract: {', '.join(contract)}"
        )
    unmapped = [name for name in contract if name not in mapping.columns]
    used = {name.lower() for names in uses.values() for name in names} | set(unmapped)
    types = {name: kind_ for name, kind_ in contract.items() if name in used and name not in mapping.source}
    types = {**mapping.source, **types}
    given = _check(con, domain, kind, mapping, types)

    found = list(found)
    places = _places(file, found, types)
    absent = {name: kind_ for name, kind_ in types.items() if name not in places}
    _require(domain, kind, file, found, uses, absent)
    if is_sparse:
        places, absent = {**{name: name for name in absent}, **places}, {}
    sources = {name: kind_ for name, kind_ in types.items() if name in places}
    wanted = [places[name] for name in sources]
    return FileMapping(kind, wanted, sources, absent, dict(mapping.columns), given, domain.timezone)


def mapping_of(domain: Domain, kind: Kind) -> Mapping:
    if kind == "events":
        return domain.events
    if domain.labels is None:
        raise UsageError(f"pack {domain.name} has no labels, but label files were given", fix="add labels: to the pack")
    return domain.labels


def _places(file: str, found: Iterable[str], types: Iterable[str]) -> dict[str, str]:
    """The file's own name for each of the pack's columns it has."""
    places = {}
    for name in types:
        same = [column for column in found if column == name] or [c for c in found if c.lower() == name.lower()]
        if len(same) > 1:
            raise InputError(f"{file} has the column {name} {len(same)} times", fix="deliver it with one of them")
        if same:
            places[name] = same[0]
    return places


def _require(
    domain: Domain, kind: Kind, file: str, found: Iterable[str], uses: dict[str, set[str]], absent: Iterable[str]
) -> None:
    gone = {name.lower() for name in absent}

    def lacks(column: str) -> set[str]:
        return {name for name in uses.get(column, {column}) if name.lower() in gone}

    required: tuple[str, ...] = REQUIRED_EVENT_COLUMNS if kind == "events" else REQUIRED_LABEL_COLUMNS
    if kind == "labels" and not lacks("event_id"):
        required = tuple(column for column in required if column not in ("user_id", "happened_at"))
    missing = [f"{name} (for {column})" for column in required for name in sorted(lacks(column))]
    if missing:
        raise InputError(
            f"{file} lacks columns that {kind} of {domain.name} need",
            f"wanted: {', '.join(missing)}",
            f"found:  {len(list(found))} columns",  # not their names: without a header they are somebody's data
            fix="deliver them, or map them in the domain pack; the first line of a CSV file is its header",
        )


def _uses(con: duckdb.DuckDBPyConnection, domain: Domain, kind: Kind, column: str, sql: str) -> set[str]:
    """Names of the columns an expression refers to."""
    [(text,)] = con.execute("select json_serialize_sql(?)", [f"select (\n{sql}\n)"]).fetchall()
    tree = json.loads(text)
    if tree["error"] or len(tree["statements"]) != 1 or len(tree["statements"][0]["node"]["select_list"]) != 1:
        raise wrong_sql(domain, kind, column, tree.get("error_message", "wanted one SQL expression"))
    nodes = list(_nodes(tree))
    calls = {node["function_name"].lower() for node in nodes if node.get("class") == "FUNCTION"}
    if unstable := sorted(calls & {name for (name,) in con.execute(UNSTABLE).fetchall()}):
        raise wrong_sql(domain, kind, column, f"{unstable[0]}() depends on more than the row")
    return {node["column_names"][-1] for node in nodes if node.get("class") == "COLUMN_REF"}


def _nodes(tree: Any) -> Iterable[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for item in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(item)


def _check(
    con: duckdb.DuckDBPyConnection, domain: Domain, kind: Kind, mapping: Mapping, types: dict[str, SourceType]
) -> dict[str, str]:
    """Let DuckDB judge each expression before any row is read. Gives the SQL type of each."""
    given = {}
    nulls = ", ".join(f"cast(null as {SQL_TYPES[wanted]}) as {quoted(name)}" for name, wanted in types.items())
    source = f"(select {nulls or '1 as _'})"
    contract = columns_of(kind)
    for column in contract:
        if column in mapping.columns:
            sql = mapping.columns[column]
        elif column in types and types[column] != contract[column]:
            sql = quoted(column)
        else:
            continue
        try:
            # where, because it takes neither aggregates nor windows: a row's cells come from that row alone
            con.execute(f"select 1 from {source} where try({{'v': (\n{sql}\n)}}) is null").fetchall()
            [(_, found, *_)] = con.execute(f"describe select (\n{sql}\n) as value from {source}").fetchall()
        except duckdb.Error as error:
            raise wrong_sql(domain, kind, column, str(error)) from None
        is_fitting = found.startswith(FITTING[contract[column]] or ("",)) and not found.endswith("]")
        if found != '"NULL"' and not is_fitting:
            problem = f"gives {found}, wanted a {contract[column]}"
            is_epoch = contract[column] == "timestamp" and found.startswith(FITTING["number"])
            raise wrong_sql(domain, kind, column, f"{problem}\n{EPOCH}" if is_epoch else problem)
        given[column] = found
    return given


def wrong_sql(domain: Domain, kind: Kind, column: str, message: str) -> UsageError:
    return UsageError(
        f"pack {domain.name}: {kind}.columns.{column} cannot be used",
        *message.strip().splitlines()[:2],
        fix="correct the expression in the domain pack",
    )
