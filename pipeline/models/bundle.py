"""A bundle: everything one training run produced, in one folder that never changes.

models/<bundle>/autoencoder_0.safetensors, autoencoder_1.safetensors, fields.json, novelty/, ordinary.json
                stacker.ubj, calibration.json, label_calibration.json   only with enough matured labels
                base_models/<base model>/half_<n>/     those that passed the gate, one fit for each half of the accounts
                bundle.json                            its inputs, its measurements, the hash of each file
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from pipeline.catalogue import features
from pipeline.errors import InputError
from pipeline.models.calibration import Calibration, RiskCalibration
from pipeline.storage.files import read_model, sha256_of

if TYPE_CHECKING:
    import xgboost as xgb

    from pipeline.models.base import Scorer
    from pipeline.models.unlabelled import Unlabelled


class Spread(BaseModel):
    """Median and robust standard deviation of a feature's signed log on ordinary training days."""

    model_config = ConfigDict(frozen=True)

    median: float
    scale: float


class Manifest(BaseModel):
    """bundle.json. `columns` are the stacker's inputs in order; empty without a stacker."""

    model_config = ConfigDict(frozen=True)

    id: str
    domain: str
    until: date
    features: list[str]
    columns: list[str]
    spreads: dict[str, Spread]
    made_from: dict[str, Any]
    autoencoder: dict[str, Any]
    stacker: dict[str, Any]
    files: dict[str, str]


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory. `stacker` and `calibration` are None while labels are too few."""

    manifest: Manifest
    unlabelled: "Unlabelled"
    stacker: "xgb.Booster | None"
    calibration: RiskCalibration | None  # to the probability of being bad
    label_calibration: Calibration | None  # to that of being labelled bad
    base_models: dict[str, "Scorer"]  # those the stacker reads beside the autoencoder


def folder(home: Path, bundle: str) -> Path:
    return home / "models" / bundle


def read_manifest(home: Path, bundle: str) -> Manifest:
    """Raises InputError if there is no such bundle, or its manifest is damaged."""
    bundles = sorted(path.parent.name for path in (home / "models").glob("*/bundle.json"))
    if bundle not in bundles:
        found = [f"bundles here: {', '.join(bundles[-5:]) or 'none'}"]
        raise InputError(f"no bundle {bundle!r} in {home / 'models'}", *found, fix="dawnlist models list")
    return read_model(folder(home, bundle) / "bundle.json", Manifest)


def load(home: Path, bundle: str, threads: int, base_models: str = "base_models") -> Bundle:
    """Read a bundle and check that it is whole and fits today's features. Raises InputError.

    `base_models` is the folder of base models to use. Those in `early_base_models` have not learned from the holdout.
    """
    from pipeline.models import stacker
    from pipeline.models.base.catalogue import BASE_MODELS
    from pipeline.models.base.halves import Halves
    from pipeline.models.unlabelled import Unlabelled

    manifest = read_manifest(home, bundle)
    check_features(manifest)
    place = folder(home, bundle)
    for name, wanted in manifest.files.items():
        if not (place / name).is_file() or sha256_of(place / name) != wanted:
            raise InputError(
                f"bundle {bundle} is damaged: {name} is not the file that training wrote",
                fix="restore it from the backup, or dawnlist models rollback",
            )
    has_stacker = "stacker.ubj" in manifest.files
    return Bundle(
        manifest=manifest,
        unlabelled=Unlabelled.load(place),
        stacker=stacker.load(place / "stacker.ubj", threads) if has_stacker else None,
        calibration=RiskCalibration.load(place / "calibration.json") if has_stacker else None,
        label_calibration=Calibration.load(place / "label_calibration.json") if has_stacker else None,
        base_models={
            path.name: Halves.load(path, BASE_MODELS[path.name].load) for path in sorted(place.glob(f"{base_models}/*"))
        },
    )


def check_features(manifest: Manifest) -> None:
    """Raises InputError if the bundle was trained on other features than the mart has today."""
    table, trained = set(features()), set(manifest.features)
    if table == trained:
        return
    raise InputError(
        f"bundle {manifest.id} was trained on {len(trained)} features, fct_user_days has {len(table)}",
        f"only in bundle: {', '.join(sorted(trained - table)) or 'none'}",
        f"only in table:  {', '.join(sorted(table - trained)) or 'none'}",
        fix="dawnlist train --until D",
    )
