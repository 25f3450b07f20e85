"""Fit the models of a bundle on cuts in time, and write them to its folder.

    |--- the autoencoder learns ---|-- stops early --|-------------------------|-- not matured --| until
    |--------------------------- the stacker learns ---------------------------|
Each model is judged, and read by the next one, only on days after those it learned from: on the autoencoder's own days
the stacker has features and labels alone.
"""

from collections.abc import Mapping
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
from pipeline.errors import InputError
from pipeline.models import stacker
from pipeline.models.base import Scorer, column_of
from pipeline.models.base.catalogue import PACK_MODELS
from pipeline.models.bundle import Spread
from pipeline.models.days import day_number
from pipeline.models.labels import known_bad_user_days
from pipeline.models.nn.autoencoder import AutoencoderPlan, Trained, save_autoencoder, train_autoencoder
from pipeline.models.nn.baselines import marginal_nats
from pipeline.models.reference import Reference
from pipeline.models.samples import Samples
from pipeline.models.surprise import SURPRISE, learned_columns, score_windows
from pipeline.settings import Settings
from pipeline.snapshots import Snapshot
from pipeline.train.clocks import LabelClock
from pipeline.train.cuts import Cuts, cut
from pipeline.train.forward import forward_column, known_since
from pipeline.train.judging import judge, typologies_of
from pipeline.train.loading import load_samples
from pipeline.train.stacking import AUTOENCODER, Plan, fit_stack, lift

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

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
    clock = LabelClock.of(bad, until, domain.label_delay_days)
    wait_days = clock.days_until(domain.labels.learn_at if domain.labels else 1.0)
    cuts = cut(days, until, wait_days, bad_days, settings.min_bad_labels)
    loaded = load_samples(
        con,
        domain,
        {s.day: s.path(home) for s in user_days},
        {s.day: s.path(home) for s in tokens},
        bad,
        cuts.learn_last,
        settings.seed,
    ).with_clock(clock, until)
    known = loaded.samples

    ordinary = known.take(~known.is_bad_account)
    learn = ordinary.between(cuts.learn_first, cuts.learn_last)
    later = ordinary.between(cuts.stop_first, cuts.stop_last)
    plan = AutoencoderPlan(settings.seed, settings.threads, progress)
    trained = train_autoencoder(learn.sequences, later.sequences, plan)
    save_autoencoder(trained.model, known.fields, place)
    quiet = ordinary.between(cuts.quiet_first, cuts.quiet_last)
    reference = _reference(settings, trained, quiet)
    reference.save(place / "reference.json")

    spreads = _spreads(learn.rows)
    about = _about_autoencoder(trained, learn, later, cuts)
    seen = loaded.between(cuts.first, cuts.stack_last).samples
    early = seen.is_bad & (seen.windows.day < day_number(cuts.judge_first))
    if not cuts.has_labels or seen.is_bad.sum() < settings.min_bad_labels or not early.any():
        return Fitted([], spreads, about, _no_stacker(settings, wait_days, bad_days, days, until))
    columns, measured = _fit_stacker(settings, domain, trained, seen, bad, cuts, place, progress)
    matured_bad = int(seen.is_bad.sum())
    why = f"{matured_bad} matured bad user-days, {settings.min_bad_labels} needed"
    return Fitted(columns, spreads, about, {"is_used": True, "why": why, "bad_user_days": matured_bad, **measured})


def _no_stacker(
    settings: Settings, wait_days: int, bad_days: list[date], days: list[date], until: date
) -> dict[str, Any]:
    matured = sum(days[0] <= day <= until - timedelta(days=wait_days) for day in bad_days)
    why = f"{matured} matured bad user-days, {settings.min_bad_labels} needed"
    if matured >= settings.min_bad_labels:
        why += ", half of them on days after those the sequence model learns from, of ten matured days or more"
    return {"is_used": False, "why": why, "bad_user_days": matured}


def _reference(settings: Settings, trained: Trained, quiet: Samples) -> Reference:
    """How surprising ordinary accounts are on days the autoencoder never learned from."""
    step = max(1, -(-len(quiet.windows) // MAX_REFERENCE))
    some = quiet.sequences.take(np.arange(0, len(quiet), step))
    seen = score_windows(trained.model, some, settings.threads)
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
            name: round(float(marginal_nats(learn.sequences, judged, own).sum()), 4)
            for name, own in {"all_users": False, "own_past": True}.items()
        },
        "epochs": len(trained.train_nats),
        "best_epoch": trained.best_epoch,  # from 0; the one that is kept
    }


def _fit_stacker(
    settings: Settings,
    domain: Domain,
    trained: Trained,
    seen: Samples,
    bad: pa.Table,
    cuts: Cuts,
    place: Path,
    progress: bool,
) -> tuple[list[str], dict[str, Any]]:
    """Fit the arms of the pack and the stacker, decide which arms it reads, and write them."""
    since = day_number(cuts.stack_first)
    is_after = seen.windows.day >= since
    surprise = score_windows(trained.model, seen.sequences.take(is_after), settings.threads)
    said = known_since(learned_columns(surprise, trained.fields), is_after)
    offered: dict[str, Mapping[str, Doubles]] = {AUTOENCODER: said}
    scorers: dict[str, dict[str, Scorer | None]] = {}
    fell_out: dict[str, str] = {}
    for name in domain.arms:
        try:
            column, early, final = forward_column(
                PACK_MODELS[name], seen, since, settings.seed, settings.threads, progress
            )
        except InputError as error:
            fell_out[name] = error.problem
            continue
        scorers[name] = {"arms": final, "arms_before_judging": early}
        offered[name] = {column_of(name): column}
    reviews = settings.list_size or domain.list_size
    plan = Plan(reviews, settings.seed, settings.threads, domain.monotone_signs)
    stacked = fit_stack(seen, offered, plan, since)
    for gate in stacked.gates:
        for folder, scorer in scorers.get(gate.arm, {}).items():
            if gate.is_on and scorer is not None:
                (place / folder / gate.arm).mkdir(parents=True)
                scorer.save(place / folder / gate.arm)
    stacked.calibration.save(place / "calibration.json")
    stacker.save(stacked.early, place / "stacker_before_judging.ubj")
    stacker.save(stacked.booster, place / "stacker.ubj")
    return stacked.columns, {
        "learned_from": [str(cuts.first), str(cuts.stack_last)],
        "judged_on": [str(cuts.judge_first), str(cuts.stack_last)],
        "user_days": len(seen),
        "monotone": dict(domain.monotone),
        "gates": [gate.told() for gate in stacked.gates],
        "arms_not_fitted": fell_out,
        "over_surprise": lift(seen, stacked.forward, said[SURPRISE], plan).told(),
        "calibration": {"kind": stacked.calibration.kind, "log_losses": stacked.log_losses},
        "share_of_accounts": round(seen.share, 6),
        "judged": judge(
            stacked,
            seen,
            {name: column for columns in offered.values() for name, column in columns.items()},
            typologies_of(seen, bad),
            day_number(cuts.judge_first),
            plan,
        ),
    }
