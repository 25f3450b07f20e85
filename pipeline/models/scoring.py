"""Apply a bundle to user-days: the one path that training, promotion and the daily score share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.arrays import Codes, Doubles, Flags, Floats
from pipeline.catalogue import features
from pipeline.models import stacker
from pipeline.models.base import base_columns
from pipeline.models.bundle import Bundle
from pipeline.models.days import DAY_US, day_number
from pipeline.models.feature_rows import UserDays, match, read_user_days
from pipeline.models.labels import bad_in_force, label_spells, labelled_days, named
from pipeline.models.samples import Samples
from pipeline.models.surprise import Surprise, learned_columns, score_windows
from pipeline.models.tokens.reading import load_tokens
from pipeline.models.tokens.windows import Sequences, user_day_windows, window_days
from pipeline.settings import Settings
from pipeline.storage import snapshots
from pipeline.warehouse import connect

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import xgboost as xgb

DECIMALS = 6


@dataclass(frozen=True)
class Scored:
    """User-days under a bundle, in the order of `sequences`. `score` and `risk` are None without a stacker."""

    sequences: Sequences
    rows: Floats  # (n, features)
    surprise: Surprise
    percentile: Doubles  # of surprise among ordinary user-days, 0..1: the order of a list without risks
    base_models: dict[str, Doubles]  # by column name
    matrix: Doubles | None  # (n, columns) the stacker's inputs
    score: Doubles | None
    risk: Doubles | None

    @property
    def user_id(self) -> "pa.Array":
        return self.sequences.tokens.users.take(self.sequences.windows.user)


def read_sequences(
    con: "duckdb.DuckDBPyConnection", bundle: Bundle, users: "pa.Array", paths: Sequence[Path], days: tuple[date, date]
) -> Sequences:
    """The user-days of `users` from the first to the last of `days`, as the bundle reads events."""
    tokens = load_tokens(con, paths, bundle.unlabelled.fields, users)
    return Sequences(tokens, bundle.unlabelled.fields, user_day_windows(tokens, *days))


def apply(bundle: Bundle, user_days: UserDays, sequences: Sequences, is_known: Flags, threads: int) -> Scored:
    """Score user-days. `is_known`: those of accounts that were known to be bad before, in the order of `sequences`.

    Raises InputError where their features and their events disagree about who was active.
    """
    rows = user_days.rows[match(user_days, sequences.tokens, sequences.windows)]
    samples = Samples.unlabelled(sequences, tuple(features()), rows)
    surprise = bundle.unlabelled.surprise(samples, threads, with_code=True)
    percentile = bundle.unlabelled.percentile(surprise, samples)
    if bundle.stacker is None or bundle.calibration is None:
        return Scored(sequences, rows, surprise, percentile, {}, None, None, None)
    columns = bundle.manifest.columns
    base_models = base_columns(bundle.base_models, samples, threads)
    matrix = stacker_rows(columns, rows, learned_columns(surprise, bundle.unlabelled.fields) | base_models)
    score = stacker.predict(bundle.stacker, columns, matrix)
    risk = bundle.calibration.risk(score, is_known)
    return Scored(
        sequences, rows, surprise, percentile, base_models, matrix, score.round(DECIMALS), risk.round(DECIMALS)
    )


def stacker_rows(columns: Sequence[str], rows: Floats, learned: Mapping[str, Doubles]) -> Doubles:
    """The stacker's inputs (n, columns), from features `rows` and learned columns by name."""
    place = {name: i for i, name in enumerate(features())}
    matrix = np.empty((len(rows), len(columns)), np.float64)
    for i, name in enumerate(columns):
        matrix[:, i] = rows[:, place[name]] if name in place else learned[name]
    return matrix


@dataclass(frozen=True)
class ScoredDays:
    """User-days with their scores and their labels. `risk` and `reported` are NaN without a stacker."""

    user_id: "pa.Array"
    user: Codes
    day: Codes
    risk: Doubles  # probability of being bad
    reported: Doubles  # probability of being reported as bad: what labels show
    surprise: Doubles
    is_bad: Flags
    is_known: Flags  # the account was known to be bad before the day


def score_days(
    settings: Settings,
    bundle: Bundle,
    first: date,
    last: date,
    known_until: date,
    as_of: datetime,
    booster: "xgb.Booster | None" = None,
) -> ScoredDays:
    """Score `first`..`last`, with labels known at the end of `known_until`. `booster` replaces the bundle's stacker."""
    bundle = replace(bundle, stacker=booster or bundle.stacker)
    with connect(settings) as con:
        user_days = read_user_days(con, _files(settings, "user_days", first, last, as_of))
        token_paths = _files(settings, "event_tokens", window_days(first)[0], last, as_of)
        sequences = read_sequences(con, bundle, user_days.user_id.unique(), token_paths, (first, last))
        windows, unknown = sequences.windows, np.full(len(sequences), np.nan)
        spells = label_spells(con, settings.home, known_until, as_of)
        bad_days = labelled_days(spells.filter(spells["is_bad"]), sequences.tokens.users)
        is_known = bad_days.is_known(windows.user, windows.day)
        scored = apply(bundle, user_days, sequences, is_known, settings.threads)
    return ScoredDays(
        user_id=scored.user_id,
        user=windows.user,
        day=windows.day,
        risk=unknown if scored.risk is None else scored.risk,
        reported=unknown
        if scored.score is None or bundle.label_calibration is None
        else bundle.label_calibration.risk(scored.score),
        surprise=scored.percentile,
        is_bad=np.isin(windows.key, labelled_days(named(bad_in_force(spells)), sequences.tokens.users).key),
        is_known=is_known,
    )


def comparable_nats(settings: Settings, bundle: Bundle, first: date, last: date, as_of: datetime) -> float:
    """Mean nats per event of `first`..`last`, in units that two bundles share.

    A bundle measures numbers in robust units of its own training days. Each event with a number gets the log of that
    unit added, which takes the unit out again.
    """
    with connect(settings) as con:
        token_paths = _files(settings, "event_tokens", window_days(first)[0], last, as_of)
        tokens = load_tokens(con, token_paths, bundle.unlabelled.fields)
    sequences = Sequences(tokens, bundle.unlabelled.fields, user_day_windows(tokens, first, last))
    per_event = score_windows(bundle.unlabelled.autoencoders, sequences, settings.threads).mean
    own = float(np.average(per_event, weights=sequences.windows.own))
    is_own = tokens.at // DAY_US >= day_number(first)
    measured = np.isfinite(tokens.numbers[is_own]).mean(axis=0)  # missing is NaN, zero is -inf: neither has a unit
    return own + float(np.log([field.scale for field in bundle.unlabelled.fields.numeric]) @ measured)


def _files(settings: Settings, table: str, first: date, last: date, as_of: datetime) -> list[Path]:
    return list(snapshots.paths(settings.home, table, first, last, as_of).values())
