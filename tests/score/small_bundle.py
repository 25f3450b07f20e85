"""A day of a small stream with its features, and bundles that were never trained: the score step needs no more."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from event_streams import FIELDS, FIRST, SCHEMA, ordinary_shop, write_days

from pipeline.catalogue import features
from pipeline.models import stacker
from pipeline.models.base.novelty import NoveltyScorer
from pipeline.models.base.tabular import Scale
from pipeline.models.bundle import Bundle, Manifest, Spread
from pipeline.models.calibration import Calibration, RiskCalibration
from pipeline.models.nn.autoencoder import BehaviourAutoencoder
from pipeline.models.reference import Ordinary
from pipeline.models.unlabelled import Unlabelled

DAYS = 6
DAY = FIRST + timedelta(days=DAYS - 1)
CALIBRATION = Calibration(kind="platt", score_odds=(-16.0, 16.0), risk_odds=(-12.0, 12.0))
OF_KNOWN = Calibration(kind="platt", score_odds=(-16.0, 16.0), risk_odds=(-14.0, 10.0))
SEEN = ("event_count", "new_device_count", "refund_count")  # features that are known; all others are not


def stream(folder: Path, n_users: int = 30) -> tuple[list[Path], Path, list[str]]:
    """Token files of all days, the user-days of DAY, and who was active on it."""
    wider = SCHEMA.append(pa.field("channel", pa.string())).append(pa.field("quantity", pa.float64()))
    rows = ordinary_shop(n_users, DAYS)
    paths = write_days(folder / "tokens", rows)
    for path in paths:
        table = pq.read_table(path, partitioning=None)
        nothing = [pa.nulls(len(table), field.type) for field in list(wider)[len(SCHEMA) :]]
        pq.write_table(pa.table([*table.columns, *nothing], schema=wider), path)
    active = sorted({row["user_id"] for row in rows if row["event_at"].date() == DAY})
    return paths, user_days(folder / "user_days.parquet", active), active


def user_days(path: Path, active: list[str], day: date = DAY) -> Path:
    """Features that say something of each account, whoever else is active."""
    columns: dict[str, pa.Array] = {
        "user_id": pa.array(active, pa.string()),
        "event_day": pa.array([day] * len(active), pa.date32()),
    }
    for name in features():
        columns[name] = pa.array(seen(name, active) if name in SEEN else [None] * len(active), pa.float64())
    pq.write_table(pa.table(columns), path)
    return path


def seen(name: str, active: list[str]) -> list[float]:
    """A feature of SEEN, of each account."""
    return [float((3 * int(user[1:]) + list(features()).index(name)) % 5) for user in active]


def bundle(*, has_stacker: bool = False, base_model: str | None = None, name: str = "2026-01-01-abc") -> Bundle:
    """The sequence model is as it was before it learned; the stacker has learned from labels drawn by lot."""
    torch.manual_seed(1)
    random = np.random.default_rng(2)
    level = random.gamma(2, 2, 300)
    ordinary = Ordinary.of(level, random.integers(0, 4, 300).astype(float), np.zeros(300, np.int64))
    columns = [*SEEN, "surprise", *([f"score_{base_model}"] if base_model else [])] if has_stacker else []
    booster = None
    if has_stacker:
        rows = random.integers(0, 5, (400, len(columns))).astype(np.float32)
        booster = stacker.fit(columns, rows, rows[:, 1] + random.random(400) > 3, np.ones(400), 1, 1)
    manifest = Manifest(
        id=name,
        domain="shop",
        until=FIRST,
        features=list(features()),
        columns=columns,
        spreads={each: Spread(median=0.1, scale=0.1) for each in SEEN},
        made_from={},
        autoencoder={},
        stacker={"is_used": has_stacker, "why": "because"},
        files={},
    )
    return Bundle(
        manifest=manifest,
        unlabelled=Unlabelled((autoencoder(), autoencoder()), FIELDS, novelty(), ordinary),
        stacker=booster,
        calibration=RiskCalibration(new=CALIBRATION, known=OF_KNOWN) if booster else None,
        label_calibration=CALIBRATION if booster else None,
        base_models={base_model: novelty()} if base_model else {},
    )


def autoencoder() -> BehaviourAutoencoder:
    return BehaviourAutoencoder(FIELDS.sizes, len(FIELDS.numeric), hidden_size=8, code_size=16).eval()


def novelty() -> NoveltyScorer:
    return NoveltyScorer(Scale(columns=("new_device_count",), medians=(0.0,), spreads=(0.5,)))
