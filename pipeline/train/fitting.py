"""Fit the models of a bundle on a split in time, and write them to its folder.

    |--------- the autoencoders learn, each from one half of the accounts ---------------------| until
    |--------------------------- the stacker learns ---------------------------|-- not matured --|
A base model is read only for accounts that it did not learn from. The pack's own are measured on days after those.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrays import Doubles
from pipeline.catalogue import features
from pipeline.context import Run
from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.metrics.lift import Lift
from pipeline.models import stacker
from pipeline.models.base import Scorer, column_of, novelty
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.models.bundle import Spread
from pipeline.models.days import day_number
from pipeline.models.labels import bad_in_force, label_arrivals, label_spells, named
from pipeline.models.nn.autoencoder import AutoencoderPlan, Trained, train_autoencoder
from pipeline.models.nn.baselines import marginal_nats
from pipeline.models.reference import Ordinary
from pipeline.models.samples import Samples
from pipeline.models.surprise import learned_columns, score_windows
from pipeline.models.tokens.windows import HALVES
from pipeline.models.unlabelled import Unlabelled
from pipeline.settings import Settings
from pipeline.train.clocks import LabelClock
from pipeline.train.holdout import Holdout, measure_holdout, typologies_of
from pipeline.train.known_labels import as_known
from pipeline.train.loading import AccountSample, Material, Sources, load_samples
from pipeline.train.reported import Reported
from pipeline.train.splits import Split, split_days
from pipeline.train.stacking import AUTOENCODER, Stacked, StackingPlan, fit_stack, lift
from pipeline.train.walk_forward import FitOptions, walk_forward

MAX_BASELINE = 20_000  # later user-days for the baselines of the sequence model
MAX_QUIET = 200_000  # user-days on which ordinary surprise is measured


@dataclass(frozen=True)
class FittedBundle:
    """What the manifest says of a fitted bundle."""

    columns: list[str]
    spreads: dict[str, Spread]
    autoencoder: dict[str, Any]
    stacker: dict[str, Any]


@dataclass(frozen=True)
class Fitting:
    """What every part of a fit needs."""

    settings: Settings
    domain: Domain
    split: Split
    clock: LabelClock
    reported: Reported
    new_features: tuple[str, ...]  # those that the champion does not know
    place: Path  # the bundle's folder
    progress: bool

    @property
    def options(self) -> FitOptions:
        return replace(self.plan.options, progress=self.progress)

    @property
    def plan(self) -> StackingPlan:
        reviews = self.domain.reviews_a_day(self.settings.list_size)
        signs = self.domain.monotone_signs
        return StackingPlan(
            reviews,
            self.settings.seed,
            self.settings.threads,
            signs,
            self.clock,
            min_precision=self.domain.min_precision,
            new_features=self.new_features,
            review_error=self.domain.review_error,
        )


@dataclass(frozen=True)
class BaseModels:
    """Walk-forward columns of the base models on all user-days, and the fitted ones by folder of the bundle."""

    columns: dict[str, Mapping[str, Doubles]]  # of each base model
    judged_from: dict[str, int]  # the first day on which to judge it
    fitted: dict[str, dict[str, Scorer]]
    not_fitted: dict[str, str]  # and why
    surprise: Doubles  # (n,) percentile among ordinary user-days: what a list without risks is ranked by

    @property
    def by_column(self) -> dict[str, Doubles]:
        return {name: column for columns in self.columns.values() for name, column in columns.items()}


def fit_bundle(
    run: Run, con: duckdb.DuckDBPyConnection, material: Material, place: Path, progress: bool
) -> FittedBundle:
    """Fit all models on what was known at the end of the run's day, and write the files of the bundle to `place`."""
    settings, domain, until = run.settings, run.domain, run.day
    spells = label_spells(con, run.home, until, run.as_of)
    bad = bad_in_force(spells)
    days = [snapshot.day for snapshot in material.user_days]
    bad_days = named(bad).column("event_day").to_pylist()
    arrivals = label_arrivals(con, run.home, until, run.as_of)
    clock = LabelClock.of(arrivals, until, domain.label_delay_days, domain.learn_at, material.reported.pooled.share)
    split = split_days(days, until, clock.wait_days, bad_days, settings.min_bad_labels)
    fitting = Fitting(settings, domain, split, clock, material.reported, material.new_features, place, progress)
    user_days, tokens = ({s.day: s.path(run.home) for s in each} for each in (material.user_days, material.tokens))
    sources = Sources(user_days, tokens, spells)
    loaded = load_samples(con, domain, sources, split.last, AccountSample(settings.seed))
    known = as_known(loaded, day_number(until) + 1, clock)

    good = known.take(~known.is_bad_account)
    unlabelled, autoencoder = _fit_unlabelled(fitting, good)
    unlabelled.save(place)
    spreads = _spreads(good.rows)
    samples = known.between(split.first, split.stack_last)
    matured_until = until - timedelta(days=clock.wait_days)

    def without_stacker(problem: str = "") -> dict[str, Any]:
        usable = int((samples.is_bad & (samples.windows.day <= day_number(matured_until))).sum())
        counts = KnownBad.of(bad_days, usable, days[0], matured_until)
        return no_stacker(counts, settings.min_bad_labels, problem) | {"label_clocks": clock.to_dict()}

    is_early_bad = samples.is_bad & (samples.windows.day < day_number(split.holdout_first))
    if not split.has_labels or samples.is_bad.sum() < settings.min_bad_labels or not is_early_bad.any():
        return FittedBundle([], spreads, autoencoder, without_stacker())
    try:
        columns, about = _fit_stacker(fitting, unlabelled, samples, bad)
    except InputError as error:  # nothing was known on the mornings it would be judged on
        return FittedBundle([], spreads, autoencoder, without_stacker(error.problem))
    return FittedBundle(columns, spreads, autoencoder, about)


def _fit_unlabelled(fitting: Fitting, good: Samples) -> tuple[Unlabelled, dict[str, Any]]:
    """Learn from good accounts. Returns what the manifest says of the autoencoders too."""
    split, settings = fitting.split, fitting.settings
    half = good.sequences.half
    is_late = good.windows.day >= day_number(split.stop_first)
    trained = tuple(
        train_autoencoder(
            good.take(half != scored).sequences,
            good.take((half == scored) & is_late).sequences,
            AutoencoderPlan(settings.seed + scored, settings.threads, fitting.progress, settings.epochs),
        )
        for scored in range(HALVES)
    )
    quiet = good.between(split.quiet_first, split.last)
    quiet = quiet.take(np.arange(0, len(quiet), max(1, -(-len(quiet) // MAX_QUIET))))
    new = novelty.fit(quiet, quiet, settings.seed, settings.threads, False)
    models = tuple(each.model for each in trained)
    surprise = score_windows(models, quiet.sequences, settings.threads)
    ordinary = Ordinary.of(surprise.level, new.score(quiet), surprise.history)
    return Unlabelled(models, good.fields, new, ordinary), _about_autoencoders(trained, good, split)


@dataclass(frozen=True)
class KnownBad:
    """All known bad user-days, by what training can do with them: each is counted once."""

    usable: int
    too_young: int  # not matured: too few of that day's labels have arrived
    before_the_first_day: int
    without_activity: int  # the account did nothing that day, or its events were never delivered

    @classmethod
    def of(cls, bad_days: Sequence[date], usable: int, first: date, matured_until: date) -> Self:
        """`bad_days` has the day of each; `usable` of them are matured user-days of the training days."""
        early = sum(day < first for day in bad_days)
        young = sum(day >= first and day > matured_until for day in bad_days)
        return cls(usable, young, early, len(bad_days) - usable - young - early)


def no_stacker(known: KnownBad, needed: int, problem: str = "") -> dict[str, Any]:
    """What the manifest says where no stacker is made. `problem`: why fitting one failed."""
    why = _enough(known.usable, needed)
    if problem:
        why += f"; {problem}"
    elif known.usable >= needed:
        why += ", half of them after the first quarter of the days, with at least ten matured days"
    counts = {"bad_user_days": known.usable, "bad_user_days_needed": needed, "known_bad_user_days": asdict(known)}
    return {"is_used": False, "why": why, **counts}


def _enough(matured: int, needed: int) -> str:
    return f"{matured} matured bad user-days, {needed} needed"


def _spreads(rows: NDArray[np.float32]) -> dict[str, Spread]:
    """The usual range of each feature: reasons need it when there is no stacker."""
    spreads: dict[str, Spread] = {}
    for i, name in enumerate(features()):
        values = rows[:, i][~np.isnan(rows[:, i])].astype(np.float64)
        if not len(values):
            continue
        low, median, high = np.quantile(np.sign(values) * np.log1p(np.abs(values)), [0.25, 0.5, 0.75])
        spreads[name] = Spread(median=float(median), scale=max(float(high - low) / 1.349, 0.1))
    return spreads


def _about_autoencoders(fits: Sequence[Trained], good: Samples, split: Split) -> dict[str, Any]:
    late = good.between(split.stop_first, split.last).windows
    some = late.take(np.arange(0, len(late), max(1, len(late) // MAX_BASELINE)))
    return {
        "learned_from": [str(split.first), str(split.last)],
        "validated_on": [str(split.stop_first), str(split.last)],
        "quiet_times": [str(split.quiet_first), str(split.last)],
        "user_days": {"learned": len(good), "later": len(late)},
        "later_nats_baselines": {  # each field alone: its frequency among all users, or with the user's own past
            name: round(float(marginal_nats(good.sequences, some, own).sum()), 4)
            for name, own in {"all_users": False, "own_past": True}.items()
        },
        "fits": [
            {
                "train_nats": [round(nats, 4) for nats in trained.train_nats],
                "later_nats": [round(nats, 4) for nats in trained.later_nats],
                "epochs": len(trained.train_nats),
                "best_epoch": trained.best_epoch,  # from 0; this one is kept
            }
            for trained in fits
        ],
    }


def _fit_stacker(
    fitting: Fitting, unlabelled: Unlabelled, samples: Samples, bad: pa.Table
) -> tuple[list[str], dict[str, Any]]:
    """Fit the pack's base models and the stacker, decide which of them it reads, and write those."""
    split, plan, place = fitting.split, fitting.plan, fitting.place
    since = day_number(split.stack_first)
    base_models = _fit_base_models(fitting, unlabelled, samples, since)
    stacked = fit_stack(samples, base_models.columns, plan, since, base_models.judged_from)
    _save(place, stacked, base_models)
    matured = int(samples.is_bad.sum())
    typology, by_column = typologies_of(samples, bad), base_models.by_column
    holdout = Holdout(samples, typology, by_column, base_models.surprise, day_number(split.holdout_first))
    return stacked.columns, {
        "is_used": True,
        "why": _enough(matured, fitting.settings.min_bad_labels),
        "bad_user_days": matured,
        "learned_from": [str(split.first), str(split.stack_last)],
        "holdout": [str(split.holdout_first), str(split.stack_last)],
        "user_days": len(samples),
        "monotone": dict(fitting.domain.monotone),
        "gates": [gate.to_dict() for gate in stacked.gates],
        "base_models_not_fitted": base_models.not_fitted,
        "new_features": None if stacked.new_features is None else stacked.new_features.to_dict(),
        "over_surprise": _over_surprise(stacked, holdout, plan).to_dict(),
        "calibration": {
            "kind": stacked.calibration.new.kind,
            "log_losses": stacked.log_losses,
            "known_bad_user_days": stacked.known_bad,
        },
        "reported": {
            **asdict(fitting.reported.pooled),
            "from": fitting.reported.pooled.source,
            **fitting.reported.to_dict(),
        },
        "label_clocks": fitting.clock.to_dict(),
        "share_of_accounts": round(samples.share, 6),
        "holdout_metrics": measure_holdout(stacked, holdout, plan),
    }


def _over_surprise(stacked: Stacked, holdout: Holdout, plan: StackingPlan) -> Lift:
    """On the holdout only: earlier walk-forward scores are of stackers that had learned from far fewer labels."""
    score = np.where(holdout.is_later, stacked.scores, np.nan)
    return lift(holdout.samples, score, holdout.surprise, plan.seed, stacked.list_length)


def _fit_base_models(fitting: Fitting, unlabelled: Unlabelled, samples: Samples, since: int) -> BaseModels:
    surprise = unlabelled.surprise(samples, fitting.settings.threads)
    columns: dict[str, Mapping[str, Doubles]] = {AUTOENCODER: learned_columns(surprise, unlabelled.fields)}
    judged_from: dict[str, int] = {}
    fitted: dict[str, dict[str, Scorer]] = {}
    not_fitted: dict[str, str] = {}
    for name in fitting.domain.base_models:
        try:
            found = walk_forward(BASE_MODELS[name], samples, since, fitting.options)
        except InputError as error:
            not_fitted[name] = error.problem
            continue
        columns[name] = {column_of(name): found.scores}
        judged_from[name] = found.judged_from
        fitted[name] = {"base_models": found.final, "early_base_models": found.early}
    return BaseModels(columns, judged_from, fitted, not_fitted, unlabelled.percentile(surprise, samples))


def _save(place: Path, stacked: Stacked, base_models: BaseModels) -> None:
    for gate in stacked.gates:
        for folder, scorer in base_models.fitted.get(gate.base_model, {}).items():
            if gate.is_on:
                (place / folder / gate.base_model).mkdir(parents=True)
                scorer.save(place / folder / gate.base_model)
    stacked.calibration.save(place / "calibration.json")
    stacked.label_calibration.save(place / "label_calibration.json")
    stacker.save(stacked.early, place / "early_stacker.ubj")
    stacker.save(stacked.booster, place / "stacker.ubj")
