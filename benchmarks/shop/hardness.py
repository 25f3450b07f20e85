"""How hard a simulated shop is: how well a single feature separates each typology from its look-alikes.

Pure functions on tables. A shop is too easy if one feature, or a leak in the files, reaches an AUC above `EASIEST`.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.simulate.look_alikes import RESEMBLES
from pipeline.simulate.world.codes import Array

EASIEST = 0.80
EASIEST_VARIANT = 0.85  # a variant has a third of the user-days, so its AUC is less certain
LEAST_CASES, HIGHEST_PRECISION = 8, 0.6  # of one rule: bad user-days that meet it, and its precision
KEYS = ("user_id", "event_day")
AUCS = pa.schema([("typology", pa.string()), ("against", pa.string()), ("feature", pa.string()), ("auc", pa.float64())])

By = Literal["typology", "variant"]


class Giveaway(NamedTuple):
    """A rule that is right too often: the bad user-days, and all user-days, that meet it."""

    rule: str
    bad: int
    named: int


def auc(bad: Array, others: Array) -> float:
    """AUC in the better direction; ties count half. A missing value (NaN) is tried as the lowest and as the highest."""
    if not len(bad) or not len(others):
        return 0.5
    has_gaps = bool(np.isnan(bad).any() or np.isnan(others).any())
    aucs = [0.5]
    for stand_in in (-np.inf, np.inf) if has_gaps else (0.0,):
        ranked = np.sort(np.where(np.isnan(others), stand_in, others))
        filled = np.where(np.isnan(bad), stand_in, bad)
        below, up_to = np.searchsorted(ranked, filled, side="left"), np.searchsorted(ranked, filled, side="right")
        above = float((below + up_to).mean()) / 2 / len(others)
        aucs.append(max(above, 1 - above))
    return max(aucs)


def leaks(events: pa.Table) -> pa.Table:
    """Per user-day, numbers that identifiers, file order, digits, missing cells and exact times could leak.

    `events` are delivered files, in their order, with a column `event_day`.
    """
    ids = ("event_id", "session_id", "user_id")
    cells = [name for name in events.column_names if name not in (*KEYS, "event_id", "event_at", "event_type")]
    texts = [f"avg(cast('0x' || right({name}, 4) as integer)) as {name}_digits" for name in ids]
    missing = [f"avg(({name} is null)::int) as {name}_missing_ratio" for name in cells]
    paid = "cast(round(amount * 100) as bigint)"
    parts = [
        *texts,
        *missing,
        "avg(place) as place_in_file",
        "min(place) as first_place_in_file",
        "avg(millisecond(event_at) % 1000) as milliseconds",
        "min(millisecond(event_at) % 1000) as least_milliseconds",
        "avg((millisecond(event_at) % 10 = 0)::int) as round_millisecond_ratio",
        "avg(second(event_at)) as seconds",
        "avg((second(event_at) = 0)::int) as whole_minute_ratio",
        "avg(minute(event_at)) as minutes",
        f"avg({paid} % 10) as last_digit_of_amount",
        f"avg({paid} % 100) as cents_of_amount",
        f"avg(({paid} % 500 = 0)::int) as fives_ratio",
        "avg(length(cast(amount as varchar))) as amount_length",
        "avg(length(ip)) as ip_length",
        *(
            f"avg(place_in_visit) filter (where event_type = '{step}') as {step}_place_in_visit"
            for step in ("browse", "purchase", "review", "refund", "login")
        ),
    ]
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        con.register("delivered", events)
        return con.sql(
            f"""
            with placed as (
                select
                    *,
                    row_number() over () / cast(count(*) over () as double) as place,
                    (row_number() over visits - 1) / cast(count(*) over visits_whole as double) as place_in_visit
                from delivered
                window
                    visits as (partition by session_id order by event_at, event_id),
                    visits_whole as (partition by session_id)
            )
            select user_id, event_day, {", ".join(parts)} from placed group by user_id, event_day
            order by user_id, event_day
            """
        ).to_arrow_table()


def orders(events: pa.Table) -> pa.Table:
    """Per user-day, counts of consecutive steps within a visit, and of the first and last steps of visits.

    `events` are delivered files with a column `event_day`.
    """
    with duckdb.connect() as con:
        con.register("delivered", events)
        con.execute(
            """
            create table pairs as
            select
                user_id, event_day,
                coalesce(lag(event_type) over visits, 'start') || '_' || event_type as before,
                case when lead(event_type) over visits is null then event_type || '_end' end as after
            from delivered
            window visits as (partition by session_id order by event_at, event_id)
            """
        )
        kinds = con.sql("select before from pairs union select after from pairs where after is not null order by 1")
        counts = [
            f"count(*) filter (where before = '{kind}' or after = '{kind}') as {kind}" for (kind,) in kinds.fetchall()
        ]
        return con.sql(
            f"select user_id, event_day, {', '.join(counts)} from pairs group by user_id, event_day order by all"
        ).to_arrow_table()


def hardness(user_days: pa.Table, truth: pa.Table, by: By = "typology") -> pa.Table:
    """AUC of every numeric column of `user_days`, per typology, against its look-alikes and against everybody.

    `user_days`: user_id, event_day and numbers. `truth`: a simulation's truth/user_days. With `by="variant"`, each
    variant is compared with the look-alikes of its typology only. Rows of AUCS, the highest first.
    """
    columns = _columns(user_days)
    typology, alike, variant = kinds_of(user_days, truth)
    kinds = typology if by == "typology" else variant
    rows = []
    for kind in sorted(set(kinds) - {""}):
        groups = {"look_alikes": alike == kind.split("/")[0]}
        groups |= {"everybody": typology == ""} if by == "typology" else {}
        for against, others in groups.items():
            rows += [
                {"typology": kind, "against": against, "feature": name, "auc": auc(cell[kinds == kind], cell[others])}
                for name, cell in columns.items()
            ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: (row["typology"], row["against"], -row["auc"])), AUCS)


def easiest(aucs: pa.Table, against: str = "look_alikes") -> dict[str, tuple[str, float]]:
    """Per typology, the best single feature and its AUC."""
    best: dict[str, tuple[str, float]] = {}
    for row in aucs.to_pylist():
        if row["against"] == against and row["auc"] > best.get(row["typology"], ("", 0.0))[1]:
            best[row["typology"]] = (row["feature"], row["auc"])
    return best


def too_easy(aucs: pa.Table, limit: float = EASIEST) -> dict[str, tuple[str, float]]:
    """Typologies with a feature above the limit, and that feature."""
    return {name: best for name, best in easiest(aucs).items() if best[1] > limit}


def giveaways(
    user_days: pa.Table, truth: pa.Table, least: int = LEAST_CASES, precision: float = HIGHEST_PRECISION
) -> list[Giveaway]:
    """Rules `column >= limit` or `column <= limit` that many bad user-days meet, and hardly any good ones.

    All typologies together. An AUC hides a rule that finds few and is always right. The rules that find most first.
    """
    is_bad = kinds_of(user_days, truth)[0] != ""
    rules = []
    for name, cell in _columns(user_days).items():
        for sign, side in ((1, ">="), (-1, "<=")):
            value = np.where(np.isnan(cell), -np.inf, sign * cell)
            order = np.argsort(-value, kind="stable")
            value, caught = value[order], np.cumsum(is_bad[order])
            is_last = np.append(value[1:] != value[:-1], True) & np.isfinite(value)
            is_right = is_last & (caught >= least) & (caught >= precision * np.arange(1, len(value) + 1))
            if is_right.any():
                at = int(np.flatnonzero(is_right)[-1])
                rules.append(Giveaway(f"{name} {side} {sign * value[at]:g}", int(caught[at]), at + 1))
    return sorted(rules, key=lambda rule: -rule.bad)


def kinds_of(user_days: pa.Table, truth: pa.Table) -> tuple[Array, Array, Array]:
    """Per row: the typology, the typology it resembles, and typology/variant. '' for none."""
    known: Mapping[tuple[str, object], dict[str, str | None]] = {
        (row["user_id"], row["event_day"]): row for row in truth.to_pylist()
    }
    keys: Sequence[tuple[str, object]] = list(
        zip(user_days["user_id"].to_pylist(), user_days["event_day"].to_pylist(), strict=True)
    )
    rows = [known.get(key, {}) for key in keys]
    typology = np.array([row.get("typology") or "" for row in rows])
    variant = np.array([f"{row['typology']}/{row['variant']}" if row.get("typology") else "" for row in rows])
    return typology, np.array([RESEMBLES.get(row.get("look_alike") or "", "") for row in rows]), variant


def _columns(user_days: pa.Table) -> dict[str, Array]:
    """The numeric columns of user-days."""
    names = [field.name for field in user_days.schema if field.name not in KEYS and _is_number(field.type)]
    return {name: _numbers(user_days[name]) for name in names}


def _numbers(column: pa.ChunkedArray) -> Array:
    numbers: Array = column.cast(pa.float64()).to_numpy()
    return numbers


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))
