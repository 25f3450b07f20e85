"""Learn the fields of event tokens from the training days: vocabularies and scales."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.errors import InputError
from pipeline.models.tokens.fields import GAP, CategoricalField, Fields, NumericField
from pipeline.models.tokens.sql import read_tokens_sql, signed_log

MAX_VALUES = 62  # of a vocabulary; all rarer values share one code
MIN_COUNT = 3  # events a value needs to enter a vocabulary


def fit_fields(
    con: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    categorical: Sequence[str],
    numeric: Sequence[str],
    users: pa.Array | None = None,
) -> Fields:
    """Vocabularies and scales from the training days' tokens, optionally of `users` only.

    A category without a vocabulary is left out. Its first known value, such as novelty after its warm-up, would else
    be a great surprise in every window.

    The thread count changes nothing: only counts and order statistics are used, no sums of floats.
    """
    rows = read_tokens_sql(paths)
    if users is not None:
        con.register("chosen_users", pa.table({"user_id": users}))
        rows = f"(select * from {rows} semi join chosen_users using (user_id))"
    vocabularies = tuple(field for name in categorical if (field := _vocabulary(con, rows, name)).values)
    scales = tuple(_scale(con, rows, name) for name in numeric)
    if users is not None:
        con.unregister("chosen_users")
    if not vocabularies and not scales:
        raise InputError(
            "no field of the event tokens is known on the training days",
            ", ".join(categorical),
            fix="train until a later day, or name other fields under token in the pack",
        )
    return Fields(categorical=vocabularies, numeric=scales)


def _vocabulary(con: duckdb.DuckDBPyConnection, rows: str, name: str) -> CategoricalField:
    values = con.execute(
        f"""select cast({name} as varchar) as value from {rows} where {name} is not null
            group by value having count(*) >= {MIN_COUNT} order by count(*) desc, value limit {MAX_VALUES}"""
    ).fetchall()
    return CategoricalField(name=name, values=tuple(value for (value,) in values))


def _scale(con: duckdb.DuckDBPyConnection, rows: str, name: str) -> NumericField:
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
    # half of all values are equal, as under a fixed price.
    spread = max((third - first) / 1.349, (high - low) / 3.290)
    return NumericField(name=name, median=median, scale=spread if spread > 1e-6 else 1.0)
