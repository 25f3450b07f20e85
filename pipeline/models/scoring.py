"""Apply a bundle to user-days: the one path that training, promotion and the daily score share."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline import snapshots
from pipeline.catalogue import features
from pipeline.models import stacker
from pipeline.models.bundle import Bundle
from pipeline.models.labels import known_bad_user_days
from pipeline.models.samples import Samples
from pipeline.models.surprise import Surprise, score_windows
from pipeline.models.table import UserDays, arm_columns, learned_columns, match, read_user_days, stacker_rows
from pipeline.models.windows import (
    DAY_US,
    Tokens,
    Windows,
    day_number,
    load_tokens,
    user_day_key,
    user_day_windows,
    window_days,
)
from pipeline.settings import Settings
from pipeline.warehouse import connect

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import xgboost as xgb

Doubles = NDArray[np.float64]
DECIMALS = 6


@dataclass(frozen=True)
class Scored:
    """User-days under a bundle, in the order of `windows`. `score` and `risk` are None without a stacker."""

    tokens: Tokens
    windows: Windows
    user_days: UserDays
    place: NDArray[np.int64]  # of each window in user_days
    surprise: Surprise
    arms: dict[str, Doubles]  # by column name
    matrix: Doubles | None  # (n, columns) what the stacker read
    score: Doubles | None
    risk: Doubles | None


def apply(
    con: "duckdb.DuckDBPyConnection",
    settings: Settings,
    bundle: Bundle,
    user_days: UserDays,
    token_paths: list[Path],
    first: date,
    last: date,
    booster: "xgb.Booster | None" = None,
) -> Scored:
    """Score the user-days of `first`..`last`, with `booster` in place of the bundle's stacker where given."""
    tokens = load_tokens(con, token_paths, bundle.fields, user_days.user_id.unique())
    windows = user_day_windows(tokens, first, last)
    place = match(user_days, tokens, windows)
    surprise = score_windows(bundle.autoencoder, bundle.fields, tokens, windows, settings.threads)
    booster = booster or bundle.stacker
    if booster is None or bundle.calibration is None:
        return Scored(tokens, windows, user_days, place, surprise, {}, None, None, None)
    columns = bundle.manifest.columns
    samples = Samples.unlabelled(tokens, bundle.fields, windows, tuple(features()), user_days.rows[place])
    arms = arm_columns(bundle.arms, samples, settings.threads)
    matrix = stacker_rows(columns, samples.rows, learned_columns(surprise, bundle.fields) | arms)
    score = stacker.predict(booster, columns, matrix)
    risk = bundle.calibration.risk(score)
    return Scored(
        tokens, windows, user_days, place, surprise, arms, matrix, score.round(DECIMALS), risk.round(DECIMALS)
    )


@dataclass(frozen=True)
class ScoredDays:
    """User-days with their risk and what is known of them now."""

    user_id: "pa.Array"
    user: NDArray[np.int32]
    day: NDArray[np.int32]
    risk: Doubles
    surprise: Doubles
    is_bad: NDArray[np.bool_]


def score_days(
    settings: Settings,
    bundle: Bundle,
    first: date,
    last: date,
    known_until: date,
    as_of: datetime,
    booster: "xgb.Booster | None" = None,
) -> ScoredDays:
    """Score `first`..`last` and set what was known at the end of `known_until` beside it."""
    import pyarrow.compute as pc

    with connect(settings) as con:
        user_days = read_user_days(con, _files(settings, "user_days", first, last, as_of))
        token_paths = _files(settings, "event_tokens", window_days(first)[0], last, as_of)
        scored = apply(con, settings, bundle, user_days, token_paths, first, last, booster)
        bad = known_bad_user_days(con, settings.home, known_until, as_of)
    user = pc.index_in(bad.column("user_id"), value_set=scored.tokens.users).fill_null(-1).to_numpy()
    day = np.array([day_number(day) for day in bad.column("event_day").to_pylist()], np.int64)
    return ScoredDays(
        user_id=scored.tokens.users.take(scored.windows.user),
        user=scored.windows.user,
        day=scored.windows.day,
        risk=scored.risk if scored.risk is not None else np.full(len(scored.windows), np.nan),
        surprise=scored.surprise.level,
        is_bad=np.isin(scored.windows.key, user_day_key(user, day)),
    )


def comparable_nats(settings: Settings, bundle: Bundle, first: date, last: date, as_of: datetime) -> float:
    """Mean nats per event of `first`..`last`, in units that two bundles share.

    A bundle measures numbers in robust units of its own training days; adding the log of that unit, for each event
    that has a number, undoes it.
    """
    from pipeline.models.autoencoder import nats_per_event

    with connect(settings) as con:
        token_paths = _files(settings, "event_tokens", window_days(first)[0], last, as_of)
        tokens = load_tokens(con, token_paths, bundle.fields)
    windows = user_day_windows(tokens, first, last)
    with ThreadPoolExecutor(settings.threads) as pool:
        own = nats_per_event(bundle.autoencoder, tokens, bundle.fields, windows, pool)
    is_own = tokens.at // DAY_US >= day_number(first)
    measured = np.isfinite(tokens.numbers[is_own]).mean(axis=0)  # missing is NaN, zero is -inf: neither has a unit
    return own + float(np.log([field.scale for field in bundle.fields.numeric]) @ measured)


def _files(settings: Settings, table: str, first: date, last: date, as_of: datetime) -> list[Path]:
    return list(snapshots.paths(settings.home, table, first, last, as_of).values())
