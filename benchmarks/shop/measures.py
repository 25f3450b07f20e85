"""The measures of benchmarks/marketplace.py: user-days with their truth, one-line rules, and metrics of a score."""

from collections.abc import Collection
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from shop.page import GroupMetrics
from shop.runs import FIRST, TEST, TRAIN, UNTIL, ShopRun, known_bad, read_days, truth_of

from pipeline.catalogue import features
from pipeline.metrics.bootstrap import Bootstrap, draw
from pipeline.metrics.detection_delay import detection_cases
from pipeline.metrics.ranking import average_precision
from pipeline.metrics.scored_labels import ScoredLabels

REVIEWS = 100
BUDGETS = (5, 10, 20, 35, 50, 75, 100, 150, 200, 350, 500, 1000)
REPEATS = 300
LOWEST = -1e30  # missing values rank last


def test_user_days(shop: ShopRun) -> pd.DataFrame:
    """User-days of the test with scores, features and truth. Accounts known bad before a day are left out."""
    frame = read_days(shop, "user_days", TEST, f"user_id, {', '.join(features())}")
    scores = read_days(shop, "scores", TEST, "user_id, risk, surprise_percentile")
    frame = frame.merge(scores, on=["user_id", "event_day"], validate="one_to_one")
    frame = frame.merge(truth_of(shop), on=["user_id", "event_day"], how="left", validate="one_to_one")
    known = {day: set(known_bad(shop, day - timedelta(days=1))["user_id"]) for day in TEST}
    is_known = [user in known[day] for user, day in zip(frame["user_id"], frame["event_day"], strict=True)]
    frame = frame[~np.array(is_known)].reset_index(drop=True)
    frame["is_bad"] = frame["typology"].notna()
    frame["day"] = [(day - FIRST).days for day in frame["event_day"]]
    frame["user"] = np.unique(frame["user_id"], return_inverse=True)[1].astype(np.int32)
    before = set(read_days(shop, "user_days", TRAIN, "user_id")["user_id"])
    frame["is_new"] = ~frame["user_id"].isin(before)
    frame["known_from"] = frame["user_id"].map(_known_from(known))
    return frame


def _known_from(known: dict[date, set[str]]) -> dict[str, pd.Timestamp]:
    """The first midnight by which an account was known to be bad."""
    known_from: dict[str, pd.Timestamp] = {}
    for day in sorted(known):
        for user in known[day]:
            known_from.setdefault(user, pd.Timestamp(day))
    return known_from


def rule_score(frame: pd.DataFrame, rule: str) -> np.ndarray:
    """A rule is a feature and a direction: `spend_amount desc`."""
    name, direction = rule.split()
    values = frame[name].astype(float).to_numpy(na_value=np.nan)
    return np.nan_to_num(values if direction == "desc" else -values, nan=LOWEST)


def best_rules(shop: ShopRun, first: date, last: date, typologies: list[str]) -> dict[str, str]:
    """Per typology, and for 'all', the rule that catches most known bad accounts at REVIEWS a day.

    Chosen by matured labels of the days the stacker learns from. Average precision decides between ties.
    """
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    frame = read_days(shop, "user_days", days, f"user_id, {', '.join(features())}")
    known = known_bad(shop, UNTIL)[["user_id", "event_day", "typology"]].assign(is_labelled=True)
    frame = frame.merge(known, on=["user_id", "event_day"], how="left")
    labelled = frame["is_labelled"].notna().to_numpy()
    day = np.array([(day - FIRST).days for day in frame["event_day"]])
    codes = np.unique(frame["user_id"], return_inverse=True)[1].astype(np.int32)
    labels = ScoredLabels.of(codes, day.astype(np.int32), labelled)
    groups = {"all": labelled, **{name: labelled & (frame["typology"] == name).to_numpy() for name in typologies}}
    best: dict[str, tuple[tuple[int, float], str]] = {}
    for rule in (f"{name} {direction}" for name in features() for direction in ("desc", "asc")):
        score = rule_score(frame, rule)
        caught = labels.catch(score, REVIEWS).caught
        for name, is_target in groups.items():
            precision = float(np.nan_to_num(average_precision(score, is_target)))
            value = int(caught[np.unique(codes[is_target])].sum()), precision
            if name not in best or value > best[name][0]:
                best[name] = value, rule
    return {name: rule for name, (_, rule) in best.items()}


def evaluate(
    frame: pd.DataFrame, score: np.ndarray, began: pd.Series, intervals_for: Collection[str] | None = ()
) -> dict[str, GroupMetrics]:
    """Metrics of one score: for all abuse, each typology, new accounts and accounts seen in training.

    Only the groups `intervals_for` get intervals; None means all groups.
    """
    labels = labels_of(frame, began)
    queue, is_bad, user = labels.queue(score), labels.is_bad, labels.user
    catch = queue.catch(REVIEWS)
    cases = detection_cases(labels, queue.reviewed(REVIEWS) & is_bad, _hours(frame["known_from"]))
    account = frame[is_bad].groupby("user", sort=True)[["typology", "is_new"]].first()
    groups = {"all": account.index.to_numpy()}
    groups |= {str(name): of.index.to_numpy() for name, of in account.groupby("typology")}
    groups |= {"new accounts": account.index[account["is_new"]].to_numpy()}
    groups |= {"accounts seen in training": account.index[~account["is_new"]].to_numpy()}
    metrics = {}
    for name, accounts in groups.items():
        of_group = np.isin(user, accounts)
        rows = ~is_bad | of_group
        target = is_bad & of_group
        delays = cases.among(accounts)
        low, high = np.nan, np.nan
        if intervals_for is None or name in intervals_for:
            some = ScoredLabels.of(user[rows], labels.day[rows], target[rows], {"it": score[rows]})
            interval = draw(some, ["it"], "average_precision", bootstrap=Bootstrap(REPEATS)).estimate("it")
            low, high = interval.low, interval.high
        metrics[name] = GroupMetrics(
            accounts=len(accounts),
            user_days=int(target.sum()),
            recall=catch.recall_among(accounts),
            precision=float(catch.caught[accounts].sum() / catch.reviews),
            cases=len(delays.user),
            within_24=delays.delays.within(24),
            within_72=delays.delays.within(72),
            median=delays.delays.median,
            ap=average_precision(score[rows], target[rows]),
            ap_low=low,
            ap_high=high,
            curve=delays.delays,
        )
    return metrics


def labels_of(frame: pd.DataFrame, began: pd.Series) -> ScoredLabels:
    """User-days with their truth. Hours count from the shop's first day."""
    typology = frame["typology"].astype(object)
    return ScoredLabels(
        user=frame["user"].to_numpy(np.int32),
        day=frame["day"].to_numpy(np.int32),
        is_bad=frame["is_bad"].to_numpy(),
        typology=typology.where(typology.notna(), None).to_numpy(),
        is_new=frame["is_new"].to_numpy(),
        first_bad_at=_hours(frame["user_id"].map(began)),
        scores={},
    )


def _hours(at: pd.Series) -> np.ndarray:
    return (pd.to_datetime(at) - pd.Timestamp(FIRST)).dt.total_seconds().to_numpy() / 3600


def recall_by_budget(frame: pd.DataFrame, score: np.ndarray) -> list[float]:
    is_bad, day, user = (frame[name].to_numpy() for name in ("is_bad", "day", "user"))
    labels = ScoredLabels.of(user, day.astype(np.int32), is_bad)
    return [labels.catch(score, reviews).recall for reviews in BUDGETS]


def risk_of(frame: pd.DataFrame) -> np.ndarray:
    """The product's order as one number: by risk, then by surprise."""
    order = np.lexsort((frame["surprise_percentile"], frame["risk"].fillna(-1)))
    keys = frame[["risk", "surprise_percentile"]].fillna(-1).to_numpy()[order]
    level = np.cumsum(np.append(False, np.any(np.diff(keys, axis=0) != 0, axis=1)))
    score = np.empty(len(frame))
    score[order] = level
    return score


def boosted_auc(user_days: pa.Table, is_bad: np.ndarray, is_alike: np.ndarray) -> float:
    """Out-of-fold AUC of gradient boosting over all features; no account is in two folds."""
    import xgboost
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold

    rows = np.flatnonzero(is_bad | is_alike)
    cells = np.column_stack([user_days[name].cast(pa.float64()).to_numpy() for name in features()])[rows]
    target, users = is_bad[rows].astype(int), user_days["user_id"].to_numpy()[rows]
    scores = np.zeros(len(rows))
    for fit, rest in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(cells, target, users):
        model = xgboost.XGBClassifier(
            n_estimators=150, max_depth=4, learning_rate=0.07, subsample=0.8, colsample_bytree=0.5, n_jobs=2,
            random_state=0,
        )  # fmt: skip
        scores[rest] = model.fit(cells[fit], target[fit]).predict_proba(cells[rest])[:, 1]
    return float(roc_auc_score(target, scores))
