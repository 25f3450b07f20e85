"""How well a classifier separates simulated from real sessions, and real ones from each other."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xgboost as xgb
from likeness.measures import per_order, per_session
from likeness.samples import WINDOW_SECONDS, ShopPair, numbered
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

SPLITS = 5  # of the real sample in two, for the baseline
REPEATS = 300  # of the bootstrap
MOST_SESSIONS = 5000  # of each side


@dataclass(frozen=True)
class Separability:
    rows: int
    auc: str  # with its interval
    halves: float
    gains: pd.Series
    alone: pd.Series
    without: list[tuple[str, float]]  # AUC after leaving out each feature in turn


def out_of_fold(
    features: pd.DataFrame, target: np.ndarray, groups: np.ndarray, trees: int = 100
) -> tuple[np.ndarray, pd.Series]:
    """Out-of-fold scores, no user in two folds, and the gain of each feature."""
    scores, gains = np.zeros(len(target)), pd.Series(0.0, index=features.columns)
    values = features.to_numpy(float)
    for train, test in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(values, target, groups):
        model = xgb.XGBClassifier(
            n_estimators=trees, max_depth=4, learning_rate=0.15, subsample=0.8, n_jobs=1, random_state=0
        )
        model.fit(values[train], target[train])
        scores[test] = model.predict_proba(values[test])[:, 1]
        gains += model.feature_importances_ / 5
    return scores, gains.sort_values(ascending=False)


def auc_of(features: pd.DataFrame, target: np.ndarray, groups: np.ndarray) -> float:
    return float(roc_auc_score(target, out_of_fold(features, target, groups, trees=40)[0]))


def separability(pair: ShopPair, rng: np.random.Generator) -> Separability:
    """How well a classifier separates simulated from real sessions, and two halves of the real ones."""
    looks = min(len(pair.real), len(pair.simulated))
    real, ours = (
        per_order(frame).drop(columns="at") if pair.name == "orders" else per_session(frame, looks)
        for frame in (pair.real, pair.simulated)
    )
    size = min(MOST_SESSIONS, len(real), len(ours))
    real, ours = (frame.iloc[np.sort(rng.permutation(len(frame))[:size])] for frame in (real, ours))
    both = pd.concat([real, ours], ignore_index=True)
    target = np.repeat([0, 1], size)
    groups = np.concatenate([numbered(real["user"]), real["user"].nunique() + numbered(ours["user"])])
    features = both.drop(columns="user").dropna(axis="columns", how="all")
    features = features.loc[:, features.nunique() > 1]
    scores, gains = out_of_fold(features, target, groups)
    users = numbered(real["user"])
    sides = [rng.permutation(users.max() + 1)[users] % 2 for _ in range(SPLITS)]
    alone = pd.Series({name: auc_of(features[[name]], target, groups) for name in features})
    left, without = features, []
    for worst in gains.index[:4]:
        left = left.drop(columns=worst)
        without.append((worst, auc_of(left, target, groups)))
    return Separability(
        size,
        _interval(target, scores, rng),
        float(np.mean([auc_of(features.iloc[:size], side, users) for side in sides])),
        gains,
        alone.sort_values(ascending=False),
        without,
    )


def shops_apart(pairs: dict[str, ShopPair], rng: np.random.Generator) -> list[list[str]]:
    """How well real shops are separated from each other, by what all samples have: pace and items of views."""
    cut = pairs["clicks"].real.copy()
    window = (cut["at"] // WINDOW_SECONDS).astype(np.int64)
    cut["user"] = cut["session"] = numbered(cut["session"].astype(str) + "|" + window.astype(str))
    cut["at"] = np.floor(cut["at"])
    shops = {"store": pairs["store"].real, "clicks": cut, "simulated": pairs["store"].simulated}
    features = {}
    for name, frame in shops.items():
        looks = frame[frame["kind"] == "view"].assign(price=np.nan)
        looks = looks[looks.groupby("session")["at"].transform("size") > 1]
        # without popularity, which depends on the size of the sample
        features[name] = per_session(looks, 1).drop(columns=["popularity of items", "carts", "purchases", "views"])
    size = min(MOST_SESSIONS, *(len(frame) for frame in features.values()))
    rows = []
    for one, other in (("store", "clicks"), ("simulated", "store"), ("simulated", "clicks")):
        sides = [features[name].iloc[np.sort(rng.permutation(len(features[name]))[:size])] for name in (one, other)]
        both = pd.concat(sides, ignore_index=True).drop(columns="user").dropna(axis="columns", how="all")
        groups = np.concatenate([numbered(sides[0]["user"]), size + numbered(sides[1]["user"])])
        target = np.repeat([0, 1], size)
        scores, gains = out_of_fold(both, target, groups)
        rows.append([f"{one} from {other}", f"{size:,}", _interval(target, scores, rng), ", ".join(gains.index[:3])])
    return rows


def _interval(target: np.ndarray, scores: np.ndarray, rng: np.random.Generator) -> str:
    draws = [rng.integers(0, len(target), len(target)) for _ in range(REPEATS)]
    low, high = np.quantile([roc_auc_score(target[draw], scores[draw]) for draw in draws], [0.025, 0.975])
    return f"{roc_auc_score(target, scores):.3f} ({low:.3f} .. {high:.3f})"
