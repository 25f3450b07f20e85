"""Fit the models of a bundle on cuts in time, and write them to its folder.

    |--- the autoencoder learns ---|-- stops early --|------ the stacker learns ------|-- not matured --| until
Each model is judged, and read by the next one, only on days after those it learned from.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.catalogue import features
from pipeline.domain import Domain
from pipeline.models import stacker
from pipeline.models.autoencoder import Trained, TrainingPlan, save_autoencoder, train_autoencoder
from pipeline.models.bundle import Spread
from pipeline.models.calibration import Calibration
from pipeline.models.fields import Fields, fit_fields
from pipeline.models.floors import marginal_nats
from pipeline.models.labels import known_bad_user_days
from pipeline.models.samples import Samples
from pipeline.models.surprise import Reference, score_windows
from pipeline.models.table import UserDays, learned_columns, match, read_user_days, stacker_rows
from pipeline.models.windows import Tokens, day_number, distinct_users, load_tokens, user_day_windows
from pipeline.settings import Settings
from pipeline.snapshots import Snapshot
from pipeline.train.cuts import Cuts, cut

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAX_USERS = 60_000  # ordinary users a training run reads; each stands for as many as were left out
MAX_FLOORED = 20_000  # later user-days the floors of the sequence model are measured on
MAX_REFERENCE = 200_000  # held-out user-days that say how surprising quiet times are


@dataclass(frozen=True)
class Fitted:
    """What the manifest says of a fitted bundle."""

    columns: list[str]
    spreads: dict[str, Spread]
    autoencoder: dict[str, Any]
    stacker: dict[str, Any]


def fit_bundle(
    settings: Settings,
    domain: Domain,
    con: duckdb.DuckDBPyConnection,
    place: Path,
    user_days: list[Snapshot],
    tokens: list[Snapshot],
    until: date,
    as_of: datetime,
    progress: bool,
) -> Fitted:
    """Fit everything on what was known at the end of `until` and write the files of the bundle to `place`."""
    home = settings.home
    bad = known_bad_user_days(con, home, until, as_of)
    days = [snapshot.day for snapshot in user_days]
    bad_days = bad.column("event_day").to_pylist()
    cuts = cut(days, until, domain.label_delay_days, bad_days, settings.min_bad_labels)
    token_paths = [snapshot.path(home) for snapshot in tokens]
    users, share = _choose_users(con, token_paths, bad, settings.seed)
    fields = fit_fields(
        con,
        [s.path(home) for s in tokens if s.day <= cuts.learn_last],
        domain.token.categorical,
        domain.token.numeric,
        users,
    )
    loaded = load_tokens(con, token_paths, fields, users)
    read = read_user_days(con, [snapshot.path(home) for snapshot in user_days], users)
    known = _join(loaded, fields, read, bad, cuts, share)

    ordinary = known.take(~known.is_bad_account)
    learn = ordinary.between(cuts.learn_first, cuts.learn_last)
    later = ordinary.between(cuts.stop_first, cuts.stop_last)
    plan = TrainingPlan(seed=settings.seed, threads=settings.threads)
    trained = train_autoencoder(loaded, fields, learn.windows, later.windows, plan, progress)
    save_autoencoder(trained.model, fields, place)
    quiet = ordinary.between(cuts.quiet_first, cuts.quiet_last)
    reference = _reference(settings, trained, quiet)
    reference.save(place / "reference.json")

    spreads = _spreads(learn.rows)
    about = _about_autoencoder(trained, learn, later, cuts)
    stacked = known.between(cuts.stack_first, cuts.stack_last)
    early = stacked.is_bad & (stacked.windows.day < day_number(cuts.judge_first))
    if not cuts.has_labels or stacked.is_bad.sum() < settings.min_bad_labels or not early.any():
        return Fitted([], spreads, about, _no_stacker(settings, domain, bad_days, days, until))
    columns, measured = _fit_stacker(settings, trained, stacked, cuts, place)
    matured_bad = int(stacked.is_bad.sum())
    why = f"{matured_bad} matured bad user-days, {settings.min_bad_labels} needed"
    return Fitted(columns, spreads, about, {"is_used": True, "why": why, "bad_user_days": matured_bad, **measured})


def _no_stacker(
    settings: Settings, domain: Domain, bad_days: list[date], days: list[date], until: date
) -> dict[str, Any]:
    matured = sum(days[0] <= day <= until - timedelta(days=domain.label_delay_days) for day in bad_days)
    why = f"{matured} matured bad user-days, {settings.min_bad_labels} needed"
    if matured >= settings.min_bad_labels:
        why += " on days after those the sequence model learns from"
    return {"is_used": False, "why": why, "bad_user_days": matured}


def _choose_users(
    con: duckdb.DuckDBPyConnection, paths: list[Path], bad: pa.Table, seed: int
) -> tuple[pa.Array | None, float]:
    """All accounts known bad and at most MAX_USERS others, and the share of the others that is."""
    everybody = distinct_users(con, paths)
    if len(everybody) <= MAX_USERS:
        return None, 1.0
    chosen = distinct_users(con, paths, MAX_USERS, seed)
    both = pa.concat_arrays([chosen, bad.column("user_id").combine_chunks()]).unique()
    kept = both.filter(pa.compute.is_in(both, value_set=everybody))
    return kept.take(pa.compute.sort_indices(kept)), MAX_USERS / len(everybody)


def _join(tokens: Tokens, fields: Fields, user_days: UserDays, bad: pa.Table, cuts: Cuts, share: float) -> Samples:
    windows = user_day_windows(tokens, cuts.first, cuts.last)
    windows = windows.take(np.isin(windows.day, np.unique(user_days.day)))
    bad_user = pa.compute.index_in(bad.column("user_id"), value_set=tokens.users).fill_null(-1).to_numpy()
    bad_day = np.array([day_number(day) for day in bad.column("event_day").to_pylist()], np.int64)
    key = windows.user.astype(np.int64) * 2**20 + windows.day
    is_bad_account = np.isin(windows.user, bad_user)
    return Samples(
        tokens,
        fields,
        windows,
        tuple(features()),
        user_days.rows[match(user_days, tokens, windows)],
        np.isin(key, bad_user.astype(np.int64) * 2**20 + bad_day),
        is_bad_account,
        np.where(is_bad_account, 1.0, 1.0 / share),
    )


def _reference(settings: Settings, trained: Trained, quiet: Samples) -> Reference:
    """How surprising ordinary accounts are on days the autoencoder never learned from."""
    step = max(1, -(-len(quiet.windows) // MAX_REFERENCE))
    windows = quiet.windows.take(np.arange(0, len(quiet.windows), step))
    seen = score_windows(trained.model, trained.fields, quiet.tokens, windows, settings.threads)
    return Reference.of(seen.level, seen.history)


def _spreads(rows: NDArray[np.float32]) -> dict[str, Spread]:
    """Where each feature usually lies: for reasons where there is no stacker to ask."""
    found: dict[str, Spread] = {}
    for i, name in enumerate(features()):
        seen = rows[:, i][~np.isnan(rows[:, i])].astype(np.float64)
        if not len(seen):
            continue
        low, median, high = np.quantile(np.sign(seen) * np.log1p(np.abs(seen)), [0.25, 0.5, 0.75])
        found[name] = Spread(median=float(median), scale=max(float(high - low) / 1.349, 0.1))
    return found


def _about_autoencoder(trained: Trained, learn: Samples, later: Samples, cuts: Cuts) -> dict[str, Any]:
    judged = later.windows.take(np.arange(0, len(later.windows), max(1, len(later.windows) // MAX_FLOORED)))
    return {
        "learned_from": [str(cuts.learn_first), str(cuts.learn_last)],
        "judged_on": [str(cuts.stop_first), str(cuts.stop_last)],
        "quiet_times": [str(cuts.quiet_first), str(cuts.quiet_last)],
        "user_days": {"learned": len(learn.windows), "later": len(later.windows)},
        "train_nats": [round(nats, 4) for nats in trained.train_nats],
        "later_nats": [round(nats, 4) for nats in trained.later_nats],
        "later_nats_floors": {  # each field by itself, as common among all, or with the user's own past
            name: round(float(marginal_nats(learn.tokens, trained.fields, learn.windows, judged, own).sum()), 4)
            for name, own in {"all_users": False, "own_past": True}.items()
        },
        "epochs": len(trained.train_nats),
    }


def _fit_stacker(
    settings: Settings, trained: Trained, seen: Samples, cuts: Cuts, place: Path
) -> tuple[list[str], dict[str, Any]]:
    """Learn from the earlier matured days, calibrate and measure on the later ones, then learn from all of them."""
    from pipeline.evaluate.metrics import measure

    surprise = score_windows(trained.model, trained.fields, seen.tokens, seen.windows, settings.threads)
    learned = learned_columns(surprise, trained.fields)
    is_known: Flags = np.isfinite(np.nanmax(seen.rows, axis=0, initial=-np.inf))
    columns = [name for i, name in enumerate(features()) if is_known[i]] + list(learned)
    rows = stacker_rows(columns, seen.rows, learned)
    is_later = seen.windows.day >= day_number(cuts.judge_first)

    def fit(chosen: Flags) -> Any:
        return stacker.fit(
            columns, rows[chosen], seen.is_bad[chosen], seen.weight[chosen], settings.seed, settings.threads
        )

    early = fit(~is_later)
    score = stacker.predict(early, columns, rows[is_later])
    calibration = Calibration.fit(score, seen.is_bad[is_later], seen.weight[is_later])
    calibration.save(place / "calibration.json")
    stacker.save(early, place / "stacker_before_judging.ubj")
    stacker.save(fit(np.ones(len(rows), np.bool_)), place / "stacker.ubj")
    judged = seen.take(is_later)
    return columns, {
        "learned_from": [str(cuts.stack_first), str(cuts.stack_last)],
        "judged_on": [str(cuts.judge_first), str(cuts.stack_last)],
        "user_days": len(rows),
        "judged": measure(calibration.risk(score), judged.is_bad, judged.windows.day, judged.windows.user),
    }
