"""The stacker: XGBoost over the day's features and the columns of base models."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Doubles, Flags
from pipeline.errors import InputError

if TYPE_CHECKING:
    import xgboost as xgb

Rows = NDArray[np.floating]

# Pinned: today's default of 256 bins costs up to 0.08 average precision on simulated card payments, and a fitted
# base_score changes with the release.
PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_bin": 1024,
    "base_score": 0.5,
    "max_depth": 6,
    "learning_rate": 0.025,  # half the usual, with twice the trees: better on both sets tried, at twice the time
    "min_child_weight": 5,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "reg_lambda": 1.0,
}
ROUNDS = 400


def fit(
    columns: list[str],
    rows: Rows,
    is_bad: Flags,
    weight: Doubles,
    seed: int,
    threads: int,
    rises: Mapping[str, int] | None = None,
) -> "xgb.Booster":
    """Train on rows (n, columns); NaN is unknown. Equal inputs, seeds and threads give equal boosters.

    `rises` makes columns monotone: with 1, more never lowers a score; with -1, more never raises it.
    """
    return boost(binned(columns, rows, is_bad, weight, threads), seed, threads, rises)


def binned(columns: list[str], rows: Rows, is_bad: Flags, weight: Doubles, threads: int) -> "xgb.QuantileDMatrix":
    """The rows in bins, as `boost` reads them. The rows themselves can be freed before it runs."""
    import xgboost as xgb

    label, bins = is_bad.astype(np.float32), PARAMETERS["max_bin"]
    return xgb.QuantileDMatrix(rows, label, weight=weight, feature_names=columns, max_bin=bins, nthread=threads)


def boost(
    matrix: "xgb.QuantileDMatrix", seed: int, threads: int, rises: Mapping[str, int] | None = None
) -> "xgb.Booster":
    """As `fit`, from rows in bins."""
    import xgboost as xgb

    constraints = {"monotone_constraints": dict(rises)} if rises else {}
    return xgb.train({**PARAMETERS, **constraints, "seed": seed, "nthread": threads}, matrix, num_boost_round=ROUNDS)


def predict(booster: "xgb.Booster", columns: list[str], rows: Rows) -> Doubles:
    """Scores in 0..1, (n,)."""
    import xgboost as xgb

    scores: Doubles = booster.predict(xgb.DMatrix(rows, feature_names=columns)).astype(np.float64)
    return scores


def contributions(booster: "xgb.Booster", columns: list[str], rows: Rows) -> Doubles:
    """Each column's contribution to the log-odds of each row, (n, columns). TreeSHAP: Lundberg et al., 2020."""
    import xgboost as xgb

    shap: Doubles = booster.predict(xgb.DMatrix(rows, feature_names=columns), pred_contribs=True).astype(np.float64)
    return shap[:, :-1]  # the last is the bias


def save(booster: "xgb.Booster", path: Path) -> None:
    path.write_bytes(booster.save_raw("ubj"))


def load(path: Path, threads: int) -> "xgb.Booster":
    """Check the file's hash first: some damaged files make XGBoost end the whole process."""
    import xgboost as xgb

    booster = xgb.Booster({"nthread": threads})
    try:
        booster.load_model(bytearray(path.read_bytes()))
    except (OSError, xgb.core.XGBoostError):
        raise InputError(f"cannot read the stacker in {path.parent.name}", fix="dawnlist models rollback") from None
    return booster
