"""What the sequence model knows about each field of an event token: a vocabulary or a scale.

A categorical value becomes a small whole number: 0 is missing, 1 is anything rare or never seen in training,
2 and up are the vocabulary, most frequent first. A number becomes its signed logarithm in robust units of the
training days; exactly zero is kept apart as minus infinity, its logarithm, and missing is NaN. Nothing here is
ever computed from the days being scored.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import InputError
from pipeline.files import write_atomically
from pipeline.sql import parquet

MISSING, UNSEEN, FIRST_KNOWN = 0, 1, 2
GAP = "gap_seconds"  # not stored: the time since the user's previous event in the same window
COLUMN = r"^[a-z][a-z0-9_]*$"  # names go into SQL
HUGE = 1.7e308  # infinity, for a logarithm


class CategoricalField(BaseModel):
    """A field with a vocabulary; value i of `values` has code i + 2."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=COLUMN)
    values: tuple[str, ...] = Field(max_length=254)  # codes fit a byte

    @property
    def size(self) -> int:
        return len(self.values) + FIRST_KNOWN


class NumericField(BaseModel):
    """A number x other than zero is seen as (sign(x) ln(1 + |x|) - median) / scale.

    Zeros stand apart because they are a kind of their own (a free item, events of the same instant): a bell curve
    drawn over them and the rest would fit neither.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=COLUMN)
    median: float
    scale: float = Field(gt=0)


class Fields(BaseModel):
    """All fields of a token, categorical first: the order of surprise per field everywhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    categorical: tuple[CategoricalField, ...]
    numeric: tuple[NumericField, ...]

    @model_validator(mode="after")
    def distinct_names(self) -> Self:
        if len(set(self.names)) != len(self.names) or not self.names:
            raise ValueError("a token needs fields, each with a name of its own")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return (*(field.name for field in self.categorical), *(field.name for field in self.numeric))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Codes per categorical field."""
        return tuple(field.size for field in self.categorical)

    @property
    def gap_column(self) -> int | None:
        """Where the gap stands among the numeric fields, if the domain uses it."""
        return next((i for i, field in enumerate(self.numeric) if field.name == GAP), None)

    def save(self, path: Path) -> None:
        write_atomically(path, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Fields":
        """Raises InputError if the file is missing or is not ours."""
        try:
            return cls.model_validate_json(path.read_text())
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise InputError(
                f"cannot read the sequence model's fields from {path.name}",
                str(error).splitlines()[0],
                fix="roll back to another bundle, or train again",
            ) from None


def signed_log(expression: str) -> str:
    """SQL: sign(x) ln(1 + |x|) as a double; infinities become finite, NaN null, zero stays zero."""
    x = f"cast({expression} as double)"
    return f"case when not isnan({x}) then sign({x}) * ln(1 + least(abs({x}), {HUGE})) end"


def read_tokens_sql(paths: Sequence[Path]) -> str:
    """SQL: the files as one relation with `file_row_number`. Raises InputError if there are none."""
    if not paths:
        raise InputError("no days of event tokens to read", fix="dawnlist features --from D --to D")
    return parquet(paths, "file_row_number = true")


def fit_fields(
    con: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    categorical: Sequence[str],
    numeric: Sequence[str],
    users: pa.Array | None = None,
    max_values: int = 62,
    min_count: int = 3,
) -> Fields:
    """Vocabularies and scales from the training days' tokens, of `users` only where given.

    Exact whatever the thread count: only counts and order statistics, no sums of floats.
    """
    rows = read_tokens_sql(paths)
    if users is not None:
        con.register("chosen_users", pa.table({"user_id": users}))
        rows = f"(select * from {rows} semi join chosen_users using (user_id))"
    fields = Fields(
        categorical=tuple(_vocabulary(con, rows, name, max_values, min_count) for name in categorical),
        numeric=tuple(_scaler(con, rows, name) for name in numeric),
    )
    if users is not None:
        con.unregister("chosen_users")
    return fields


def _vocabulary(
    con: duckdb.DuckDBPyConnection, rows: str, name: str, max_values: int, min_count: int
) -> CategoricalField:
    found = con.execute(
        f"""select cast({name} as varchar) as value from {rows} where {name} is not null
            group by value having count(*) >= {min_count} order by count(*) desc, value limit {max_values}"""
    ).fetchall()
    return CategoricalField(name=name, values=tuple(value for (value,) in found))


def _scaler(con: duckdb.DuckDBPyConnection, rows: str, name: str) -> NumericField:
    if name == GAP:  # between a user's consecutive events, over the training days
        ordered = "over (partition by user_id order by event_at, event_id)"
        rows = f"(select epoch(event_at - lag(event_at) {ordered}) as {GAP} from {rows})"
    [(quantiles,)] = con.execute(
        f"select quantile_cont({signed_log(name)}, [0.05, 0.25, 0.5, 0.75, 0.95]) from {rows} where {name} <> 0"
    ).fetchall()
    if quantiles is None or quantiles[0] is None:
        return NumericField(name=name, median=0.0, scale=1.0)
    low, first, median, third, high = quantiles
    # Both spreads are one standard deviation of a bell curve. The wider one keeps sensible units where more than
    # half of all values are the same, as under a fixed price.
    spread = max((third - first) / 1.349, (high - low) / 3.290)
    return NumericField(name=name, median=median, scale=spread if spread > 1e-6 else 1.0)
