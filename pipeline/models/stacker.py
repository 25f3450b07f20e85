"""The stacker: XGBoost over the day's features, the surprise and the autoencoder's code."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError

if TYPE_CHECKING:
    import xgboost as xgb

Doubles = NDArray[np.float64]
Rows = NDArray[np.floating]

# Pinned: the defaults of today's releases cost up to 0.08 average precision on card payments (EVALUATION of the
# public simulated set: 256 bins against 1024), and a fitted base_score moves with the release.
PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_bin": 1024,
    "base_score": 0.5,
    "max_depth": 6,
    "learning_rate": 0.025,  # half of it and twice the trees: better on both sets it was tried on, at twice the time
    "min_child_weight": 5,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "reg_lambda": 1.0,
}
ROUNDS = 400


def fit(
    columns: list[str],
    rows: Rows,
    is_bad: NDArray[np.bool_],
    weight: Doubles,
    seed: int,
    threads: int,
    rises: Mapping[str, int] | None = None,
) -> "xgb.Booster":
    """Train on rows (n, columns); NaN is "not known". Seeded, and equal for equal inputs and threads.

    Where `rises` has 1 for a column, more of it never lowers a score; where it has -1, more never raises one.
    """
    return boost(binned(columns, rows, is_bad, weight, threads), seed, threads, rises)


def binned(
    columns: list[str], rows: Rows, is_bad: NDArray[np.bool_], weight: Doubles, threads: int
) -> "xgb.QuantileDMatrix":
    """What `boost` reads: the rows in bins. The rows themselves can then be let go, while it runs."""
    import xgboost as xgb

    label, bins = is_bad.astype(np.float32), PARAMETERS["max_bin"]
    return xgb.QuantileDMatrix(rows, label, weight=weight, feature_names=columns, max_bin=bins, nthread=threads)


def boost(
    matrix: "xgb.QuantileDMatrix", seed: int, threads: int, rises: Mapping[str, int] | None = None
) -> "xgb.Booster":
    """As `fit`, of rows in bins."""
    import xgboost as xgb

    constraints = {"monotone_constraints": dict(rises)} if rises else {}
    return xgb.train({**PARAMETERS, **constraints, "seed": seed, "nthread": threads}, matrix, num_boost_round=ROUNDS)


def predict(booster: "xgb.Booster", columns: list[str], rows: Rows) -> Doubles:
    """Scores in 0..1, (n,)."""
    import xgboost as xgb

    scores: Doubles = booster.predict(xgb.DMatrix(rows, feature_names=columns)).astype(np.float64)
    return scores


def contributions(booster: "xgb.Booster", columns: list[str], rows: Rows) -> Doubles:
    """What each column added to the log-odds of each row, (n, columns). TreeSHAP: Lundberg et al., 2020."""
    import xgboost as xgb

    added: Doubles = booster.predict(xgb.DMatrix(rows, feature_names=columns), pred_contribs=True).astype(np.float64)
    return added[:, :-1]  # the last is the bias


def save(booster: "xgb.Booster", path: Path) -> None:
    path.write_bytes(booster.save_raw("ubj"))


def load(path: Path, threads: int) -> "xgb.Booster":
    """Only for files whose hash was checked: XGBoost ends the whole process over some that are damaged."""
    import xgboost as xgb

    booster = xgb.Booster({"nthread": threads})
    try:
        booster.load_model(bytearray(path.read_bytes()))
    except (OSError, xgb.core.XGBoostError):
        raise InputError(f"cannot read the stacker in {path.parent.name}", fix="dawnlist models rollback") from None
    return booster
