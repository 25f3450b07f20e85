"""What the simulated accounts really did. Only reviewers and measures see it, never the product."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

LOOKED_AT = 28  # days of an account that a reviewer looks at


@dataclass(frozen=True)
class ShopTruth:
    """The bad days of each bad account, in order, with their typology."""

    bad_days: dict[str, dict[date, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, shop: Path) -> Self:
        truth = cls()
        truth.add(pq.ParquetFile(shop / "truth" / "user_days.parquet").read())
        return truth

    def add(self, user_days: pa.Table) -> None:
        """Add the shop's next days."""
        rows = user_days.select(["event_day", "user_id", "is_bad", "typology"])
        for row in rows.sort_by([("event_day", "ascending"), ("user_id", "ascending")]).to_pylist():
            if row["is_bad"]:
                self.bad_days.setdefault(row["user_id"], {})[row["event_day"]] = row["typology"]

    def is_bad(self, account: str, day: date) -> bool:
        return day in self.bad_days.get(account, {})

    def reported_share(self, reported: Collection[str], before: date) -> float | None:
        """Share of the accounts with a bad day before `before` that were reported; None without any."""
        bad = [user for user, days in self.bad_days.items() if min(days) < before]
        return sum(user in reported for user in bad) / len(bad) if bad else None

    def seen(self, account: str, day: date) -> list[date]:
        """The account's bad days of those that a reviewer of `day` looks at, in order."""
        first = day - timedelta(days=LOOKED_AT - 1)
        return [bad for bad in self.bad_days.get(account, {}) if first <= bad <= day]
