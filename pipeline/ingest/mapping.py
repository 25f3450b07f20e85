"""Fit a domain pack's mapping to one file: which source columns to read, and the SQL that makes contract rows."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

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
from pipeline.sql import literal, quoted
from pipeline.storage.lake import Kind

SQL_TYPES: dict[SourceType, str] = {
    "string": "varchar",
    "number": "double",
    "timestamp": "timestamp",
    "boolean": "boolean",
}
# The clock, chance, settings and variables: with them, equal files would not always give equal rows.
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


class FileColumns(NamedTuple):
    """The columns of the file called `file`. `is_sparse`: later rows may have columns that `names` does not list."""

    file: str
    names: list[str]
    is_sparse: bool


@dataclass(frozen=True)
class FileMapping:
    """A pack's mapping as it applies to one file.

    `wanted` are the file's columns to read; `sources` are the pack's name and type of each, in the same order.
    `absent` are optional columns of the pack that the file lacks: null in every row.
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
        """SQL that reads the table `chunk` and gives `_line`, the contract columns in their types, and `_reason`.

        `_reason` is null for good rows, else 'reason column' of the first fault.
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


def columns_of(kind: Kind) -> dict[str, SourceType]:
    return EVENT_COLUMNS if kind == "events" else LABEL_COLUMNS


def fit(con: duckdb.DuckDBPyConnection, domain: Domain, kind: Kind, columns: FileColumns) -> FileMapping:
    """Fit the pack's mapping to a file's columns. Names are compared without case.

    Raises UsageError naming the pack's column whose SQL is wrong, or InputError naming columns the file lacks.
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

    names = _names_in_file(columns, types)
    absent = {name: kind_ for name, kind_ in types.items() if name not in names}
    _require(domain, kind, columns, uses, absent)
    if columns.is_sparse:
        names, absent = {**{name: name for name in absent}, **names}, {}
    sources = {name: kind_ for name, kind_ in types.items() if name in names}
    wanted = [names[name] for name in sources]
    return FileMapping(kind, wanted, sources, absent, dict(mapping.columns), given, domain.timezone)


def mapping_of(domain: Domain, kind: Kind) -> Mapping:
    if kind == "events":
        return domain.events
    if domain.labels is None:
        raise UsageError(f"pack {domain.name} has no labels, but label files were given", fix="add labels: to the pack")
    return domain.labels


def _names_in_file(columns: FileColumns, types: Iterable[str]) -> dict[str, str]:
    """The file's own name for each of the pack's columns it has."""
    names = {}
    for name in types:
        same = [c for c in columns.names if c == name] or [c for c in columns.names if c.lower() == name.lower()]
        if len(same) > 1:
            raise InputError(
                f"{columns.file} has the column {name} {len(same)} times", fix="deliver it with one of them"
            )
        if same:
            names[name] = same[0]
    return names


def _require(
    domain: Domain, kind: Kind, columns: FileColumns, uses: dict[str, set[str]], absent: Iterable[str]
) -> None:
    """Raises InputError if the file lacks columns that required contract columns are made of."""
    gone = {name.lower() for name in absent}

    def lacks(column: str) -> set[str]:
        return {name for name in uses.get(column, {column}) if name.lower() in gone}

    required: tuple[str, ...] = REQUIRED_EVENT_COLUMNS if kind == "events" else REQUIRED_LABEL_COLUMNS
    if kind == "labels" and not lacks("event_id"):
        required = tuple(column for column in required if column not in ("user_id", "happened_at"))
    missing = [f"{name} (for {column})" for column in required for name in sorted(lacks(column))]
    if missing:
        raise InputError(
            f"{columns.file} lacks columns that {kind} of {domain.name} need",
            f"wanted: {', '.join(missing)}",
            f"found:  {len(columns.names)} columns",  # not their names: without a header they are somebody's data
            fix="deliver them, or map them in the domain pack; the first line of a CSV file is its header",
        )


def _uses(con: duckdb.DuckDBPyConnection, domain: Domain, kind: Kind, column: str, sql: str) -> set[str]:
    """Names of the columns an expression refers to."""
    [(text,)] = con.execute("select json_serialize_sql(?)", [f"select (\n{sql}\n)"]).fetchall()
    try:
        tree = json.loads(text)
        nodes = list(_nodes(tree))
    except RecursionError:
        raise wrong_sql(domain, kind, column, "it is nested too deeply") from None
    if tree["error"] or len(tree["statements"]) != 1 or len(tree["statements"][0]["node"]["select_list"]) != 1:
        raise wrong_sql(domain, kind, column, tree.get("error_message", "wanted one SQL expression"))
    if any(node.get("class") == "STAR" for node in nodes):
        raise wrong_sql(domain, kind, column, "wanted the names of columns, found * or columns()")
    calls = {node["function_name"].lower() for node in nodes if node.get("class") == "FUNCTION"}
    if unstable := sorted(calls & {name for (name,) in con.execute(UNSTABLE).fetchall()}):
        raise wrong_sql(domain, kind, column, f"{unstable[0]}() depends on more than the row")
    names = {node["column_names"][-1] for node in nodes if node.get("class") == "COLUMN_REF"}
    columns = {name.lower() for name in (*mapping_of(domain, kind).source, *columns_of(kind))}
    if keywords := sorted(name for name in names if name.lower() not in columns and _is_keyword(con, name)):
        raise wrong_sql(domain, kind, column, f"{keywords[0]} depends on more than the row")
    return names


def _is_keyword(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the name has a value without any table, as current_date and current_user have."""
    try:
        con.execute(f"describe select {quoted(name)}")
    except duckdb.Error:
        return False
    return True


def _nodes(tree: Any) -> Iterable[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for item in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(item)


def _check(
    con: duckdb.DuckDBPyConnection, domain: Domain, kind: Kind, mapping: Mapping, types: dict[str, SourceType]
) -> dict[str, str]:
    """Let DuckDB check each expression before any row is read. Returns the SQL type of each."""
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
            # A where clause takes neither aggregates nor windows: a row's cells come from that row alone.
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
