"""Small event streams for tests of the sequence model, written as the features step writes them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.models.tokens.fields import CategoricalField, Fields, NumericField
from pipeline.models.tokens.windows import Tokens

FIRST = date(2026, 1, 1)
CATEGORICAL, NUMERIC = ("event_type", "category"), ("amount", "gap_seconds")
SCHEMA = pa.schema(
    {
        "user_id": pa.string(),
        "event_id": pa.string(),
        "event_at": pa.timestamp("us"),
        "event_type": pa.string(),
        "category": pa.string(),
        "amount": pa.float64(),
    }
)
FIELDS = Fields(
    categorical=(
        CategoricalField(name="event_type", values=("browse", "purchase")),
        CategoricalField(name="category", values=("books", "toys", "food")),
    ),
    numeric=(NumericField(name="amount", median=2.0, scale=1.0), NumericField(name="gap_seconds", median=5.0, scale=2)),
)

Row = dict[str, Any]


def event(user_id: str, day: int, second: float = 0, **values: Any) -> Row:
    """One event on the `day`-th day; `values` replace the ordinary ones."""
    at = datetime(2026, 1, 1, 9) + timedelta(days=day, seconds=second)  # noqa: DTZ001  # naive UTC, as stored
    event_id = f"{user_id}-{day}-{second:09.3f}"
    ordinary = {"event_type": "browse", "category": "books", "amount": 10.0}
    return {"user_id": user_id, "event_id": event_id, "event_at": at, **ordinary, **values}


def write_days(folder: Path, rows: list[Row]) -> list[Path]:
    """One sorted file per day, in order."""
    by_day: dict[date, list[Row]] = {}
    for row in rows:
        by_day.setdefault(row["event_at"].replace(tzinfo=UTC).date(), []).append(row)
    paths = []
    for day, of_day in sorted(by_day.items()):
        path = folder / f"day={day}" / "abc.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        of_day.sort(key=lambda row: (row["user_id"], row["event_at"], row["event_id"]))
        pq.write_table(pa.Table.from_pylist(of_day, SCHEMA), path)
        paths.append(path)
    return paths


def ordinary_shop(n_users: int = 60, n_days: int = 20, seed: int = 1) -> list[Row]:
    """Users who each love one category and one price, and come back every few days."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        category = ("books", "toys", "food")[user % 3]
        price = 5.0 * (1 + user % 4)
        for day in range(n_days):
            if random.random() < 0.5:
                continue
            second = 0.0
            for _ in range(random.integers(1, 6)):
                second += float(random.integers(5, 300))
                kind = "purchase" if random.random() < 0.3 else "browse"
                amount = round(price * float(random.lognormal(0, 0.1)), 2)
                rows.append(event(f"u{user:03d}", day, second, event_type=kind, category=category, amount=amount))
    return rows


def random_tokens(length_per_user: list[int], seed: int = 0, a_day: int = 4) -> Tokens:
    """Tokens of `FIELDS` without any pattern, so many `a_day`, some numbers missing or zero."""
    random = np.random.default_rng(seed)
    n = sum(length_per_user)
    numbers = random.normal(size=(n, 2)).astype(np.float32)
    numbers[random.random((n, 2)) < 0.1] = np.nan
    numbers[random.random((n, 2)) < 0.1] = -np.inf
    steps = np.concatenate([np.arange(length) for length in length_per_user]) if n else np.zeros(0, int)
    return Tokens(
        users=pa.array([f"u{i:04d}" for i in range(len(length_per_user))]),
        user=np.repeat(np.arange(len(length_per_user), dtype=np.int32), length_per_user),
        at=(20_454 + steps // a_day).astype(np.int64) * 86_400_000_000 + steps % a_day * 1_000_000,
        codes=np.stack([random.integers(0, size, n) for size in FIELDS.sizes], axis=1).astype(np.uint8),
        numbers=numbers,
    )


def in_memory() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 2})
    con.execute("set TimeZone = 'UTC'")
    return con
