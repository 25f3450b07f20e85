"""SQL that several readers of event tokens share."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import InputError
from pipeline.sql import parquet

HUGE = 1.7e308  # infinity, for a logarithm


def signed_log(expression: str) -> str:
    """SQL: sign(x) ln(1 + |x|) as a double. Infinities become finite, NaN becomes null, zero stays zero."""
    x = f"cast({expression} as double)"
    return f"case when not isnan({x}) then sign({x}) * ln(1 + least(abs({x}), {HUGE})) end"


def read_tokens_sql(paths: Sequence[Path]) -> str:
    """SQL: the files as one relation with `file_row_number`. Raises InputError without files."""
    if not paths:
        raise InputError("no days of event tokens to read", fix="dawnlist features --from D --to D")
    return parquet(paths, "file_row_number = true")
