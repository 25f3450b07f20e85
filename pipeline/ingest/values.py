"""SQL that turns cells of a delivered file into a pack's four types, or gives the reason to refuse them."""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain import SourceType
from pipeline.ingest.refusals import MAX_VALUE
from pipeline.sql import literal

BLANKS = " \t\r\n"

# What try_cast takes is wider: 1_000, infinity, dates in several notations.
NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
NOT_FINITE = r"[+-]?(nan|inf|infinity)"
DAY_AND_TIME = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.]\d{1,9})?)?)?"
OFFSET = r"(Z| UTC|[+-]((0\d|1[0-3])(:?[0-5]\d)?|14(:?00)?))"  # no place on Earth is further from UTC than 14 hours


class Typed(NamedTuple):
    """SQL of a source column: its typed value, and the reason to refuse it.

    `value` may name the raw column; `reason` may name the raw column and the value.
    """

    value: str
    reason: str


def trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.ascii_trim(column, characters=BLANKS) if _is_text(column.type) else column


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def typed(raw: str, kind: pa.DataType, wanted: SourceType, value: str, timezone: str) -> Typed:
    """SQL for column `raw`, of Arrow type `kind`, read as `wanted`. The typed column will be called `value`.

    Text is already trimmed; empty text is no value. Times without an offset are local in `timezone`. When clocks go
    back, a time that occurs twice is the later one. When they go forward, a skipped time moves on by the missing hour.
    """
    is_text = _is_text(kind)
    cell = f"nullif({raw}, '')" if is_text else raw
    wrong = f"{value} is null and {cell} is not null"
    if wanted == "string":
        text = cell if is_text else _as_text(raw, kind)
        # A list or an object is no text. Some writers spell null as NaN.
        if text is None:
            return Typed("cast(null as varchar)", f"case when {raw} is not null then 'not_text' end")
        checks = f"when strlen({value}) > {MAX_VALUE} then 'too_long' when contains({value}, chr(0)) then 'nul'"
        return Typed(text, f"case {checks} end")
    if wanted == "number":
        if is_text:
            number = f"case when regexp_full_match({cell}, '{NUMBER}') then try_cast({cell} as double) end"
            odd = f"when {wrong} and regexp_full_match({cell}, '{NOT_FINITE}', 'i') then 'not_finite'"
        elif _is_number(kind):
            number, odd = f"try_cast({raw} as double)", ""
        else:
            number, odd = "cast(null as double)", ""
        return Typed(
            number, f"case {odd} when not isfinite({value}) then 'not_finite' when {wrong} then 'not_a_number' end"
        )
    if wanted == "timestamp":
        return Typed(_as_time(raw, cell, kind, is_text, timezone), f"case when {wrong} then 'not_a_time' end")
    if is_text:
        truth = f"case when lower({cell}) in ('true', 't', 'yes', 'y', '1') then true "
        truth += f"when lower({cell}) in ('false', 'f', 'no', 'n', '0') then false end"
    elif pa.types.is_boolean(kind):
        truth = raw
    elif _is_number(kind):
        truth = f"case {raw} when 1 then true when 0 then false end"
    else:
        truth = "cast(null as boolean)"
    return Typed(truth, f"case when {wrong} then 'not_a_boolean' end")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def whole_as_text(number: str) -> str:
    """SQL of a floating number as text: an id that a tool turned into 17850.0 is 17850."""
    is_whole = f"{number} = trunc({number}) and abs({number}) < 1e15"
    return f"case when {is_whole} then cast(cast({number} as bigint) as varchar) else cast({number} as varchar) end"


def _as_text(raw: str, kind: pa.DataType) -> str | None:
    if pa.types.is_floating(kind):
        return f"case when not isnan({raw}) then {whole_as_text(raw)} end"
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return None
    return f"cast({raw} as varchar)"


def _as_time(raw: str, cell: str, kind: pa.DataType, is_text: bool, timezone: str) -> str:
    def as_utc(local: str) -> str:
        return local if timezone == "UTC" else f"({local} at time zone {literal(timezone)} at time zone 'UTC')"

    if is_text:
        return (
            f"case when regexp_full_match({cell}, '{DAY_AND_TIME}') then {as_utc(f'try_cast({cell} as timestamp)')} "
            f"when regexp_full_match({cell}, '{DAY_AND_TIME}{OFFSET}') "
            f"then try_cast({cell} as timestamptz) at time zone 'UTC' end"
        )
    if pa.types.is_timestamp(kind) and kind.tz:
        return f"try_cast({raw} as timestamptz) at time zone 'UTC'"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return as_utc(f"try_cast({raw} as timestamp)")
    return "cast(null as timestamp)"
