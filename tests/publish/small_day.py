"""A day with eight accounts, scored: everything publish reads, and nothing else."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from support import add_snapshot as add

from pipeline.domain import Domain
from pipeline.models.bundle import Manifest
from pipeline.models.registry import Entry, write
from pipeline.storage.files import digest
from pipeline.storage.snapshots import Snapshot

DAY = date(2026, 11, 19)
AS_OF = datetime(2026, 11, 20, 4, tzinfo=UTC)
SHOP = Domain(
    name="shop",
    currency="EUR",
    event_types={"purchase": "purchase"},
    list_size=4,
    min_precision=0.5,
    false_alarms=0.7,
)
RISKS = {"ann": 0.95, "bob": 0.6, "cat": 0.6, "dan": 0.3, "eve": 0.05, "fay": 0.01, "gus": 0.01, "hal": 0.0}

EVENT = {
    "event_id": "e1",
    "at": "2026-11-19T10:00:00+00:00",
    "event_type": "purchase",
    "amount": 12.5,
    "surprise": 9.1,
    "fields": {"amount": 7.0},
}


def words(
    row: Mapping[str, float | None], contributions: Sequence[Any], events: Sequence[Mapping[str, Any]], currency: str
) -> list[str]:
    """Plain sentences, so that tests of publishing do not depend on the wording of reasons."""
    sentences = [f"{feature} added {added:g}" for feature, _, added in contributions]
    return [*sentences, f"{len(events)} odd events", f"{row.get('event_count')} events, paid in {currency}"]


def add_bundle(home: Path, bundle: str = "2026-11-01-abc", is_used: bool = True, at: datetime | None = None) -> None:
    manifest = Manifest(
        id=bundle,
        domain="shop",
        until=date(2026, 11, 1),
        features=["event_count"],
        columns=[],
        spreads={},
        made_from={},
        autoencoder={},
        stacker={"is_used": is_used, "why": "60 matured bad labels" if is_used else "12 matured bad labels, 50 needed"},
        files={},
    )
    path = home / "models" / bundle / "bundle.json"
    path.parent.mkdir(parents=True)
    path.write_text(manifest.model_dump_json())
    at = at or datetime(2026, 11, 2, tzinfo=UTC)
    write(home, Entry(at=at, action="promoted", bundle=bundle, until=manifest.until, why="the first"))


def add_snapshot(
    home: Path, table: str, day: date, rows: pa.Table, made_from: dict[str, Any], as_of: datetime = AS_OF
) -> Snapshot:
    aside = home / "aside.parquet"
    pq.write_table(rows, aside)
    return add(home, table, day, aside, made_from, as_of)


def add_scores(
    home: Path,
    risks: Mapping[str, float | None] = RISKS,
    *,
    day: date = DAY,
    bundle: str = "2026-11-01-abc",
    as_of: datetime = AS_OF,
    salt: str = "",
    users: Sequence[str] | None = None,
    **made_from: Any,
) -> None:
    """Scores in no order at all; surprise falls from the first account to the last."""
    names = sorted(risks, key=lambda name: digest([name]))
    place = {name: n for n, name in enumerate(risks)}
    active = sorted(users or risks)
    features = pa.table(
        {
            "user_day_id": pa.array([f"{name}|{day}" for name in active], pa.string()),
            "user_id": pa.array(active, pa.string()),
            "event_day": pa.array([day] * len(active), pa.date32()),
            "event_count": pa.array([10.0 + n for n in range(len(active))], pa.float64()),
        }
    )
    user_days = add_snapshot(home, "user_days", day, features, {"day": str(day), "users": active, "salt": salt}, as_of)
    events = json.dumps([EVENT])
    scores = pa.table(
        {
            "user_id": pa.array(names, pa.string()),
            "risk": pa.array([risks[name] for name in names], pa.float64()),
            "surprise": pa.array([5.0 - place[name] / 8 for name in names], pa.float64()),
            "surprise_percentile": pa.array([max(0.0, 0.999 - place[name] * 0.04) for name in names], pa.float64()),
            "surprise_amount": pa.array([1.0] * len(names), pa.float64()),
            "score_surprise": pa.array([5.0 - place[name] / 8 for name in names], pa.float64()),
            "score_stacker": pa.array([risks[name] for name in names], pa.float64()),
            "top_events": pa.array([events] * len(names), pa.string()),
        }
    )
    made_from |= {"bundle": bundle, "user_days": user_days.id, "candidates": 200, "salt": salt}
    add_snapshot(home, "scores", day, scores, made_from, as_of)
    sentences = [(name, feature, 3.0, added) for name in names for feature, added in (("pace", 0.5), ("money", 1.5))]
    columns = ("user_id", "feature", "value", "contribution")
    kinds = (pa.string(), pa.string(), pa.float64(), pa.float64())
    cells = zip(*sentences, strict=True) if sentences else ([],) * 4
    table = pa.table({c: pa.array(list(v), k) for c, k, v in zip(columns, kinds, cells, strict=True)})
    add_snapshot(home, "contributions", day, table, made_from, as_of)
