"""Write the list to PostgreSQL: one transaction replaces the rows of a domain and of the list's days."""

import json
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from pipeline.errors import InputError
from pipeline.period import Period

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

TABLE = "dawnlist_risk_list"
CREATE = f"""
create table if not exists {TABLE} (
    domain text not null,
    day date not null,
    rank integer not null,
    user_id text not null,
    picked_by text not null,
    propensity double precision not null,
    risk double precision,
    surprise_percentile double precision,
    scores json not null,
    ring_id text,
    ring_size integer,
    reason_1 text,
    reason_2 text,
    reason_3 text,
    top_events json not null,
    bundle text not null,
    is_stale boolean not null,
    revision text not null,
    primary key (domain, day, user_id)
)
"""
COLUMNS = (
    *("domain", "day", "rank", "user_id", "picked_by", "propensity", "risk", "surprise_percentile", "scores"),
    *("ring_id", "ring_size", "reason_1", "reason_2", "reason_3", "top_events", "bundle", "is_stale", "revision"),
)
KEYS = ("domain", "day", "user_id")
UPSERT = f"""
insert into {TABLE} ({", ".join(COLUMNS)}) values ({", ".join(f"%({name})s" for name in COLUMNS)})
on conflict ({", ".join(KEYS)}) do update set
{", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in KEYS)}
"""
FIX = "check RISK_POSTGRES_DSN and the server, then publish the day again: the files are already in lists/"
SHORTEN = (
    "an account's id does not fit PostgreSQL's index: shorten user_id in the pack, or go without RISK_POSTGRES_DSN; "
    "the files are already in lists/"
)


def upsert(dsn: SecretStr, domain: str, period: Period, revision: str, table: "pa.Table") -> int:
    """Make the rows of the list's days in PostgreSQL equal to the list: all or nothing. Returns the rows there now.

    Raises InputError without ever repeating the connection string.
    """
    import psycopg

    rows = [_row(domain, revision, row) for row in table.to_pylist()]
    try:
        connection = psycopg.connect(dsn.get_secret_value(), connect_timeout=10, application_name="dawnlist")
    except (psycopg.Error, ValueError, OSError) as error:
        # Never show the client's own text: it may quote the connection string with its password.
        raise InputError("cannot connect to PostgreSQL", _server_message(error), fix=FIX) from None
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("set local lock_timeout = '30s'")
            cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", (TABLE,))
            cursor.execute(CREATE)
            listed = [row["day"] for row in rows], [row["user_id"] for row in rows]
            cursor.execute(
                f"delete from {TABLE} where domain = %s and day between %s and %s "
                "and (day, user_id) not in (select * from unnest(%s::date[], %s::text[]))",
                (domain, period.first, period.last, *listed),
            )
            cursor.executemany(UPSERT, rows)
    except psycopg.Error as error:
        fix = SHORTEN if isinstance(error, psycopg.errors.ProgramLimitExceeded) else FIX
        raise InputError(f"PostgreSQL refused the list of {period}", _server_message(error), fix=fix) from None
    return len(rows)


def _server_message(error: Exception) -> str:
    """The first line of the server's message, if the server answered. It names no password."""
    diagnostic: psycopg.errors.Diagnostic | None = getattr(error, "diag", None)
    message = diagnostic.message_primary if diagnostic else None
    return f"the server said: {message}" if message else f"no server answered at that address ({type(error).__name__})"


def _row(domain: str, revision: str, row: dict[str, Any]) -> dict[str, Any]:
    scores = {name: value for name, value in row.items() if name.startswith("score_")}
    plain = {name: _text(value) for name, value in row.items() if not name.startswith("score_")}
    return {**plain, "domain": domain, "revision": revision, "scores": json.dumps(scores)}


def _text(value: Any) -> Any:
    return value.replace("\x00", "") if isinstance(value, str) else value  # PostgreSQL's text has no NUL
