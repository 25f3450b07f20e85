"""The day's features as small tables: keys, totals beside the lake's, and one row per feature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from expectations.usual import Usual, swing_of_share
from pipeline.sql import parquet
from pipeline.validate.profile import FEW

if TYPE_CHECKING:
    import pandas as pd

MANY = 150  # with fewer values, a feature of rare events such as refunds is often constant by chance
KEYS = ("user_day_id", "user_id", "event_day")


@dataclass(frozen=True)
class FeatureStats:
    null_share: float
    is_constant: bool


def footer_stats(path: Path) -> dict[str, FeatureStats]:
    """Null share and constancy of each numeric feature, from the Parquet footer: no row is read."""
    import pyarrow.parquet as pq

    meta = pq.ParquetFile(path).metadata
    if meta.num_rows == 0:
        return {}
    found: dict[str, FeatureStats] = {}
    for index, name in enumerate(meta.schema.names):
        if name in KEYS:
            continue
        stats = [meta.row_group(group).column(index).statistics for group in range(meta.num_row_groups)]
        if any(s is None or not s.has_null_count for s in stats):
            continue
        bounds = {value for s in stats if s.has_min_max for value in (s.min, s.max)}
        nulls = sum(s.null_count for s in stats)
        found[name] = FeatureStats(nulls / meta.num_rows, len(bounds) == 1)
    return found


def key_table(con: duckdb.DuckDBPyConnection, path: Path) -> "pd.DataFrame":
    table: pd.DataFrame = con.sql(f"from {parquet([path])}").project("user_id, event_day::varchar as event_day").df()
    return table


def feature_table(
    con: duckdb.DuckDBPyConnection, path: Path, references: Sequence[Mapping[str, FeatureStats]]
) -> "pd.DataFrame":
    """One row per feature: rise of nulls, count of non-finite values, whether it became constant."""
    import pandas as pd

    relation = con.sql(f"from {parquet([path])}")
    floats = [n for n, kind in zip(relation.columns, relation.types, strict=True) if str(kind) in ("DOUBLE", "FLOAT")]
    counts = ", ".join(f'count(*) filter (where not isfinite("{name}"))' for name in floats) or "0"
    ((users, *non_finite_counts),) = relation.aggregate(f"count(*), {counts}").fetchall()
    non_finite = dict(zip(floats, non_finite_counts, strict=False))
    rows = []
    for name, now in footer_stats(path).items():
        then = [stats[name] for stats in references if name in stats]
        usual = Usual.of([stats.null_share for stats in then])
        known = [stats for stats in then if stats.null_share < 1]  # novelty is known nowhere in its warm-up
        can_rise = usual is not None and users >= FEW
        can_vary = usual is not None and known and users * (1 - now.null_share) >= MANY
        rows.append(
            {
                "feature": name,
                "null_share": now.null_share,
                "usual_null_share": usual.median if usual else None,
                "rise": now.null_share - usual.at_most_risen(swing_of_share(users)) if usual and can_rise else None,
                "non_finite_count": non_finite.get(name, 0),
                "became_constant": float(now.is_constant and not any(s.is_constant for s in known))
                if can_vary
                else None,
            }
        )
    table = pd.DataFrame(rows or [{"feature": "none", "rise": None, "non_finite_count": 0, "became_constant": None}])
    numbers = [column for column in table.columns if column != "feature"]
    table[numbers] = table[numbers].astype("float64")
    return table


def totals(
    con: duckdb.DuckDBPyConnection, path: Path, event_paths: Sequence[str], as_of: datetime, compared_days: int
) -> dict[str, Any]:
    """The day as a whole, beside what the lake held of it when the snapshot was made."""
    relation = con.sql(f"from {parquet([path])}")
    counts_events = "event_count" in relation.columns
    (found,) = relation.aggregate(f"count(*), {'sum(event_count)' if counts_events else 'null'}").fetchall()
    users = events = 0
    if event_paths:
        con.execute("set variable as_of = ?::timestamptz::timestamp", [as_of])
        lake = con.sql(f"from {parquet(event_paths)}")
        lake = lake.filter("arrived_at <= getvariable('as_of')")
        ((users, events),) = lake.aggregate("count(distinct user_id), count(*)").fetchall()
    return {
        "table": "user_days",
        "user_count": found[0],
        "users_lost": users - found[0],
        "events_lost": events - int(found[1] or 0) if counts_events else None,
        "reference_days": compared_days,
    }
