"""How like the real thing is the simulated shop? Its distributions beside real ones, and a classifier between them.

    python benchmarks/realism.py [--users 20000 --days 30 --seed 7] [--write docs/marketplace]

Three real samples, each compared on the fields it shares with the simulation, cut the same way: the same window of
time, the same kinds of events, as many sessions. Beside every distance stands the same distance between two halves of
the real sample. Only summaries are written, never a real row. Needs $RISK_DATASETS with clicks/ and retail/.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import matplotlib
import numpy as np
import pandas as pd
import xgboost as xgb
from datasets import dataset
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
from rich.console import Console
from scipy.stats import ks_2samp, wasserstein_distance
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from pipeline import simulate

# The store sample is the first rows of a month: whole traffic only from 02:19 to 02:49, so the simulation is read
# through half-hour windows too, and both cut sessions at their edges alike.
STORE_WINDOW = (pd.Timestamp("2019-10-01 02:19"), pd.Timestamp("2019-10-01 02:49"))
WINDOW_SECONDS = 1800
RETAIL_DAYS = 30
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
HALVES, SPLITS = 20, 5  # random splits of the real sample, for the floors of distances and of the classifier
REPEATS = 300  # of the bootstrap
MOST_CUSTOMERS, MOST_SESSIONS = 4000, 5000  # of each side: customers compared, sessions for the classifier
KINDS = {"browse": "view", "cart": "cart", "purchase": "purchase"}
REAL, SIMULATED = "#1b6ca8", "#d1592a"
console = Console(width=130)


@dataclass(frozen=True)
class Pair:
    """One real sample and the simulation cut like it: rows with user, session, at (seconds), kind, item, price."""

    name: str
    source: str
    real: pd.DataFrame
    simulated: pd.DataFrame


# --- the samples -----------------------------------------------------------------------------------------------------


def simulated_events(users: int, days: int, seed: int) -> pd.DataFrame:
    """The ordinary columns of a simulated shop, with the price of one piece, learned from carts and purchases."""
    with tempfile.TemporaryDirectory() as folder:
        simulate.run(Path(folder) / "shop", days=days, users=users, seed=seed)
        return duckdb.sql(
            f"""with events as (from read_parquet('{folder}/shop/events/*.parquet')),
            prices as (
                select item_id as item, median(amount / quantity) as price from events
                where event_type in ('cart', 'purchase') group by 1
            )
            select user_id as "user", session_id as session, epoch_ms(event_at) / 1000.0 as "at", event_type as kind,
                item_id as item, price, amount, quantity
            from events left join prices on item_id = item
            order by event_at, event_id"""
        ).df()


def numbered(values: pd.Series) -> np.ndarray:
    return pd.factorize(values)[0]


def store(folder: Path, simulated: pd.DataFrame, rng: np.random.Generator) -> Pair:
    """Views, carts and purchases of half an hour of a real store, and simulated ones in half-hour windows."""
    raw = pd.read_parquet(folder / "store_sample.parquet").dropna(subset=["user_session"])
    raw = raw[(raw["event_at"] >= STORE_WINDOW[0]) & (raw["event_at"] < STORE_WINDOW[1])]
    real = pd.DataFrame(
        {
            "user": numbered(raw["user_id"]),
            "session": numbered(raw["user_session"]),
            "at": seconds(raw["event_at"]),
            "kind": raw["event_type"],
            "item": numbered(raw["product_id"]),
            "price": raw["price"].where(raw["price"] > 0),
        }
    )
    ours = simulated[simulated["kind"].isin(KINDS)].copy()
    ours["kind"] = ours["kind"].map(KINDS)
    window = (ours["at"] // WINDOW_SECONDS).astype(np.int64)
    ours["session"] = numbered(ours["session"] + "|" + window.astype(str))
    ours["user"] = numbered(ours["user"] + "|" + window.astype(str))
    ours["at"] = np.floor(ours["at"])  # the real one has whole seconds
    return Pair("store", "a multi-category store (REES46), half an hour", real, sampled(ours, "user", real, rng))


def clicks(folder: Path, simulated: pd.DataFrame, rng: np.random.Generator) -> Pair:
    """Clicks of five days of a real shop, sessions of at least two, and simulated looks alike."""
    raw = pd.read_parquet(folder / "yoochoose_sessions_sample.parquet")
    real = pd.DataFrame(
        {
            "user": raw["session_id"],
            "session": raw["session_id"],
            "at": seconds(raw["click_at"]),
            "kind": "view",
            "item": numbered(raw["item_id"]),
            "price": np.nan,
        }
    )
    ours = simulated[simulated["kind"] == "browse"].assign(kind="view", price=np.nan)
    ours = ours[ours.groupby("session")["at"].transform("size") > 1]
    ours["user"] = ours["session"] = numbered(ours["session"])
    return Pair("clicks", "a European shop (RecSys 2015), five days", real, sampled(ours, "session", real, rng))


def orders(folder: Path, simulated: pd.DataFrame, days: int, rng: np.random.Generator) -> Pair:
    """One row per line of an order: all a customer buys on a day, as real orders come in several invoices at once.

    A customer is read through windows of as many days as were simulated.
    """
    raw = pd.read_parquet(folder / "online_retail.parquet").dropna(subset=["customer_id"])
    raw = raw[~raw["invoice_no"].str.match("^[AC]") & (raw["quantity"] > 0) & (raw["unit_price"] > 0)]
    at = seconds(raw["invoice_at"])
    window = ((at - at.min()) // (days * 86400)).astype(np.int64)
    real = pd.DataFrame(
        {
            "user": numbered(raw["customer_id"].astype(int).astype(str) + "|" + window.astype(str)),
            "session": numbered(
                raw["customer_id"].astype(int).astype(str) + "|" + raw["invoice_at"].dt.date.astype(str)
            ),
            "at": at,
            "kind": "purchase",
            "item": numbered(raw["stock_code"]),
            "price": raw["unit_price"],
            "amount": raw["unit_price"] * raw["quantity"],
            "quantity": raw["quantity"],
        }
    )
    full = window < window.max()  # the last one is cut short
    ours = simulated[simulated["kind"] == "purchase"].copy()
    ours["at"] = ours["at"] // 60 * 60  # the real one has whole minutes
    ours["session"] = numbered(ours["user"] + "|" + (ours["at"] // 86400).astype(int).astype(str))
    ours["user"] = numbered(ours["user"])
    fewer = min(MOST_CUSTOMERS, real[full]["user"].nunique(), ours["user"].nunique())
    pick = [
        frame[frame["user"].isin(rng.permutation(np.unique(frame["user"]))[:fewer])] for frame in (real[full], ours)
    ]
    return Pair("orders", "a UK gift shop, mostly trade customers (Online Retail), a year", *pick)


def seconds(moments: pd.Series) -> pd.Series:
    return (moments - pd.Timestamp(0)) / pd.Timedelta(seconds=1)


def sampled(ours: pd.DataFrame, by: str, real: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Whole users (or sessions), drawn until there are as many sessions as in the real sample."""
    per = ours.groupby(by)["session"].nunique()
    drawn = per.iloc[rng.permutation(len(per))]
    return ours[ours[by].isin(drawn.index[: int(np.searchsorted(drawn.cumsum(), real["session"].nunique())) + 1])]


# --- what is compared ------------------------------------------------------------------------------------------------


def per_session(frame: pd.DataFrame, looks: int) -> pd.DataFrame:
    """One row per session: counts, pace, what was looked at, prices relative to the sample's median view.

    Popularity is counted in the first `looks` rows at random, as many for every sample; prices are taken to a tenth
    of a logarithm. Else the grid of possible values would tell whose they are.
    """
    among = frame.sample(looks, random_state=0)["item"].value_counts()
    frame = frame.sort_values(["session", "at"], kind="stable")
    by = frame.groupby("session")
    gap = by["at"].diff()
    logs = np.log1p(gap)
    again = frame["item"].eq(by["item"].shift()) & gap.notna()
    price = np.log(frame["price"] / frame["price"].median()).round(1)
    popularity = np.log1p(frame["item"].map(among).fillna(0))
    frame = frame.assign(gap=gap, log_gap=logs, again=again, log_price=price, popularity=popularity)
    by = frame.groupby("session")
    kinds = {f"{kind}s": frame["kind"].eq(kind).groupby(frame["session"]).sum() for kind in KINDS.values()}
    return pd.DataFrame(
        {
            "user": by["user"].first(),
            "events": by.size(),
            **kinds,
            "distinct items": by["item"].nunique(),
            "repeat share": 1 - by["item"].nunique() / by.size(),
            "same item again": by["again"].sum() / np.maximum(by.size() - 1, 1),
            "duration": by["at"].max() - by["at"].min(),
            "first gap": by["gap"].nth(1).set_axis(frame.loc[by["gap"].nth(1).index, "session"]),
            "median gap": by["gap"].median(),
            "shortest gap": by["gap"].min(),
            "longest gap": by["gap"].max(),
            "unevenness of gaps": by["log_gap"].std(),
            "typical price": by["log_price"].mean().round(1),
            "spread of prices": by["log_price"].max() - by["log_price"].min(),
            "popularity of items": by["popularity"].mean(),
        }
    )


def per_order(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per order; spend and prices relative to the sample's median."""
    by = frame.groupby("session")
    found = pd.DataFrame(
        {
            "user": by["user"].first(),
            "at": by["at"].min(),
            "lines": by.size(),
            "distinct items": by["item"].nunique(),
            "spend": np.log(by["amount"].sum()),
            "typical price": np.log(by["price"].median() / frame["price"].median()).round(1),
            "pieces per line": by["quantity"].median(),
        }
    ).sort_values(["user", "at"], kind="stable")
    found["spend"] = (found["spend"] - found["spend"].median()).round(1)
    found["days since last order"] = found.groupby("user")["at"].diff() / 86400
    found["orders of customer"] = found.groupby("user")["at"].transform("size")
    found["hour"] = found["at"] // 3600 % 24
    return found


Measure = Callable[[pd.DataFrame], pd.Series]


def gaps(frame: pd.DataFrame) -> pd.Series:
    frame = frame.sort_values(["session", "at"], kind="stable")
    return frame.groupby("session")["at"].diff().set_axis(frame["user"]).dropna()


def lengths(frame: pd.DataFrame) -> pd.Series:
    return frame.groupby(["user", "session"]).size().droplevel("session")


def durations(frame: pd.DataFrame) -> pd.Series:
    by = frame.groupby(["user", "session"])["at"]
    spans = (by.max() - by.min()).droplevel("session")
    return spans[spans > 0]


def distinct_items(frame: pd.DataFrame) -> pd.Series:
    return frame.groupby(["user", "session"])["item"].nunique().droplevel("session")


def visits(frame: pd.DataFrame) -> pd.Series:
    return frame.groupby("user")["session"].nunique()


def relative_prices(frame: pd.DataFrame) -> pd.Series:
    prices = frame.set_index("user")["price"].dropna()
    return prices / prices.median()


def spend(frame: pd.DataFrame) -> pd.Series:
    totals = frame.groupby(["user", "session"])["amount"].sum().droplevel("session")
    return totals / totals.median()


def days_between(frame: pd.DataFrame) -> pd.Series:
    at = frame.groupby(["user", "session"])["at"].min().sort_values(kind="stable")
    return (at.groupby("user").diff() / 86400).droplevel("session").dropna()


def hours(frame: pd.DataFrame) -> pd.Series:
    return (frame["at"] // 3600 % 24).set_axis(frame["user"])


# pair -> measure -> (of what, its function, in logs?)
MEASURES: dict[str, dict[str, tuple[Measure, bool]]] = {
    "store": {
        "seconds between events": (gaps, True),
        "events per session": (lengths, True),
        "seconds per session, if above 0": (durations, True),
        "distinct items per session": (distinct_items, True),
        "sessions per user": (visits, True),
        "price of what is viewed / median": (relative_prices, True),
    },
    "clicks": {
        "seconds between clicks": (gaps, True),
        "clicks per session": (lengths, True),
        "seconds per session": (durations, True),
        "distinct items per session": (distinct_items, True),
        "hour of the day, UTC": (hours, False),
    },
    "orders": {
        "lines per order": (lengths, True),
        "spend per order / median": (spend, True),
        "price of one piece / median": (relative_prices, True),
        "orders per customer": (visits, True),
        "days between orders": (days_between, True),
        "hour of the day": (hours, False),
    },
}


def distance(one: np.ndarray, other: np.ndarray, in_logs: bool) -> tuple[float, float]:
    """Kolmogorov-Smirnov, and the mean shift that turns one into the other, in natural logs where they are taken."""
    one, other = (np.log(np.maximum(values, 1e-3)) if in_logs else values for values in (one, other))
    return float(ks_2samp(one, other).statistic), float(wasserstein_distance(one, other))


def floor(values: pd.Series, in_logs: bool, rng: np.random.Generator) -> tuple[float, float]:
    """The same distances between two halves of the real users, the mean over random splits."""
    users = np.unique(values.index)
    found = []
    for _ in range(HALVES):
        is_one = values.index.isin(rng.permutation(users)[: len(users) // 2])
        found.append(distance(values[is_one].to_numpy(), values[~is_one].to_numpy(), in_logs))
    ks, shift = np.mean(found, axis=0)
    return float(ks), float(shift)


def compared(pair: Pair, rng: np.random.Generator) -> list[list[str]]:
    rows = []
    for name, (measure, in_logs) in MEASURES[pair.name].items():
        real, ours = measure(pair.real), measure(pair.simulated)
        ks, shift = distance(real.to_numpy(), ours.to_numpy(), in_logs)
        ks_floor, shift_floor = floor(real, in_logs, rng)
        for who, values in (("real", real), ("simulated", ours)):
            quantiles = [number(value) for value in values.quantile(list(QUANTILES))]
            ends = (
                [f"{ks:.3f} ({ks_floor:.3f})", f"{shift:.2f} ({shift_floor:.2f})"] if who == "simulated" else ["", ""]
            )
            rows.append([name if who == "real" else "", who, *quantiles, *ends])
    return rows


def number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def ratios(frame: pd.DataFrame, most: int, rng: np.random.Generator) -> dict[str, float]:
    """Funnel and concentration of one sample; the latter depends on how many looks there are, so at most `most`."""
    count = frame["kind"].value_counts()
    looks = frame[frame["kind"] == "view"] if "view" in count else frame
    looks = looks.iloc[rng.permutation(len(looks))[:most]]
    per_item = np.sort(looks["item"].value_counts().to_numpy())[::-1]
    ranks = np.arange(1, min(300, len(per_item)) + 1)
    slope = np.polyfit(np.log(ranks), np.log(per_item[: len(ranks)]), 1)[0]
    found: dict[str, float] = {}
    if "cart" in count:
        sessions = frame["session"].nunique()
        has = {kind: frame.loc[frame["kind"] == kind, "session"].nunique() for kind in KINDS.values()}
        found = {
            "carts per 100 views": 100 * count["cart"] / count["view"],
            "purchases per 100 views": 100 * count["purchase"] / count["view"],
            "purchases per 100 carts": 100 * count["purchase"] / count["cart"],
            "sessions with a cart, %": 100 * has["cart"] / sessions,
            "sessions with a purchase, %": 100 * has["purchase"] / sessions,
        }
    if "amount" in frame:
        per = frame.groupby("user")["session"].nunique()
        found["customers with more than one order, %"] = 100 * float((per > 1).mean())
    size = frame.groupby("session").size()
    if frame["kind"].iloc[0] == "view" and (size == 1).any():
        found["sessions of one event, %"] = 100 * float((size == 1).mean())
    return found | {
        "share of the 10 most popular items, %": 100 * per_item[:10].sum() / per_item.sum(),
        "share of the 100 most popular items, %": 100 * per_item[:100].sum() / per_item.sum(),
        "different items": float(len(per_item)),
        "of so many views (or lines)": float(per_item.sum()),
        "fall of popularity over ranks 1 to 300 (exponent)": -float(slope),
    }


def ratio_rows(pair: Pair, rng: np.random.Generator) -> list[list[str]]:
    """Ratios of both, and by how much two halves of the real users differ, the mean over random splits."""
    fewer = min(len(pair.real), len(pair.simulated))
    real, ours = ratios(pair.real, fewer, rng), ratios(pair.simulated, fewer, rng)
    users, apart = np.unique(pair.real["user"]), []
    for _ in range(HALVES):
        is_one = pair.real["user"].isin(rng.permutation(users)[: len(users) // 2])
        one, other = (ratios(pair.real[rows], fewer // 3, rng) for rows in (is_one, ~is_one))
        apart.append({name: abs(one[name] - other[name]) for name in real})
    floors = pd.DataFrame(apart).mean()
    return [[name, number(value), number(ours[name]), number(floors[name])] for name, value in real.items()]


# --- the classifier --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    rows: int
    auc: str  # with its interval
    halves: float
    gains: pd.Series
    alone: pd.Series
    without: list[tuple[str, float]]  # features left out one after the other, and what remains


def told_apart(
    features: pd.DataFrame, target: np.ndarray, groups: np.ndarray, trees: int = 100
) -> tuple[np.ndarray, pd.Series]:
    """Out-of-fold scores, whole users on one side, and the gain of each feature."""
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
    return float(roc_auc_score(target, told_apart(features, target, groups, trees=40)[0]))


def verdict(pair: Pair, rng: np.random.Generator) -> Verdict:
    """How well a classifier tells simulated from real, as many of each; and the real ones from themselves."""
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
    scores, gains = told_apart(features, target, groups)
    users = numbered(real["user"])
    sides = [rng.permutation(users.max() + 1)[users] % 2 for _ in range(SPLITS)]
    alone = pd.Series({name: auc_of(features[[name]], target, groups) for name in features})
    left, without = features, []
    for worst in gains.index[:4]:
        left = left.drop(columns=worst)
        without.append((worst, auc_of(left, target, groups)))
    return Verdict(
        size,
        _interval(target, scores, rng),
        float(np.mean([auc_of(features.iloc[:size], side, users) for side in sides])),
        gains,
        alone.sort_values(ascending=False),
        without,
    )


def shops_apart(pairs: dict[str, Pair], rng: np.random.Generator) -> list[list[str]]:
    """How far two real shops are from each other, on what all samples have: the pace and the items of views."""
    cut = pairs["clicks"].real.copy()
    window = (cut["at"] // WINDOW_SECONDS).astype(np.int64)
    cut["user"] = cut["session"] = numbered(cut["session"].astype(str) + "|" + window.astype(str))
    cut["at"] = np.floor(cut["at"])
    shops = {"store": pairs["store"].real, "clicks": cut, "simulated": pairs["store"].simulated}
    found = {}
    for name, frame in shops.items():
        looks = frame[frame["kind"] == "view"].assign(price=np.nan)
        looks = looks[looks.groupby("session")["at"].transform("size") > 1]
        # how popular an item is depends on the size of the sample, and is left out
        found[name] = per_session(looks, 1).drop(columns=["popularity of items", "carts", "purchases", "views"])
    size = min(MOST_SESSIONS, *(len(frame) for frame in found.values()))
    rows = []
    for one, other in (("store", "clicks"), ("simulated", "store"), ("simulated", "clicks")):
        sides = [found[name].iloc[np.sort(rng.permutation(len(found[name]))[:size])] for name in (one, other)]
        both = pd.concat(sides, ignore_index=True).drop(columns="user").dropna(axis="columns", how="all")
        groups = np.concatenate([numbered(sides[0]["user"]), size + numbered(sides[1]["user"])])
        target = np.repeat([0, 1], size)
        scores, gains = told_apart(both, target, groups)
        rows.append([f"{one} from {other}", f"{size:,}", _interval(target, scores, rng), ", ".join(gains.index[:3])])
    return rows


def _interval(target: np.ndarray, scores: np.ndarray, rng: np.random.Generator) -> str:
    draws = [rng.integers(0, len(target), len(target)) for _ in range(REPEATS)]
    low, high = np.quantile([roc_auc_score(target[draw], scores[draw]) for draw in draws], [0.025, 0.975])
    return f"{roc_auc_score(target, scores):.3f} ({low:.3f} .. {high:.3f})"


# --- pictures --------------------------------------------------------------------------------------------------------

PICTURES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "gaps": ("How long between one event and the next", [
        ("store", "seconds between events"), ("clicks", "seconds between clicks"),
    ]),
    "sessions": ("How long a session is", [("store", "events per session"), ("clicks", "clicks per session")]),
    "money": ("What things cost, and what orders come to", [
        ("store", "price of what is viewed / median"),
        ("orders", "price of one piece / median"),
        ("orders", "spend per order / median"),
    ]),
    "repeats": ("Who comes back", [
        ("store", "sessions per user"), ("orders", "orders per customer"), ("orders", "days between orders"),
    ]),
    "hours": ("When", [("clicks", "hour of the day, UTC"), ("orders", "hour of the day")]),
}  # fmt: skip


def draw(pairs: dict[str, Pair], folder: Path, kind: str = "svg") -> None:
    """Small pictures, the same bytes every time."""
    plt.rcParams |= {"svg.hashsalt": "dawnlist", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False}
    plt.rcParams |= {"axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "savefig.facecolor": "white"}
    for name, (title, panels) in PICTURES.items():
        figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.1), layout="constrained")
        for axis, (pair, measure) in zip(axes, panels, strict=True):
            _panel(axis, pairs[pair], measure)
        _save(figure, title, folder / f"{name}.{kind}")
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.1), layout="constrained")
    for axis, name in zip(axes, ("store", "clicks"), strict=True):
        for who, frame, colour in _sides(pairs[name]):
            looks = frame[frame["kind"] == "view"]
            counts = np.sort(looks["item"].value_counts().to_numpy())[::-1]
            rank = np.unique(np.geomspace(1, len(counts), 60).astype(int))
            axis.loglog(rank, counts[rank - 1] / counts.sum(), color=colour, label=who)
        axis.set(xlabel="rank of the item", ylabel="share of views", title=name)
        axis.legend(frameon=False)
    _save(figure, "How popularity falls", folder / f"popularity.{kind}")


def _sides(pair: Pair) -> list[tuple[str, pd.DataFrame, str]]:
    return [("real", pair.real, REAL), ("simulated", pair.simulated, SIMULATED)]


def _panel(axis: plt.Axes, pair: Pair, measure: str) -> None:
    """Share above each value for counts, so that tails show; below it for amounts; shares per hour."""
    function, in_logs = MEASURES[pair.name][measure]
    counts = "per " in measure and "spend" not in measure
    for who, frame, colour in _sides(pair):
        values = np.sort(function(frame).to_numpy())
        if not in_logs:
            axis.step(
                range(24),
                np.bincount(values.astype(int), minlength=24) / len(values),
                where="mid",
                color=colour,
                label=who,
            )
            axis.set_ylabel("share")
        elif counts:
            at = np.unique(values)
            at = at[np.unique(np.geomspace(1, len(at), 60).astype(int)) - 1]
            axis.loglog(at, 1 - np.searchsorted(values, at) / len(values), color=colour, label=who)
            axis.set_ylabel("share with at least as many")
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.xaxis.set_minor_locator(NullLocator())
        else:
            share = np.linspace(0.002, 0.998, 90)
            axis.semilogx(np.maximum(np.quantile(values, share), 1e-2), share, color=colour, label=who)
            axis.set_ylabel("share below")
    axis.set(xlabel=measure, title=pair.name)
    axis.legend(frameon=False)


def _save(figure: plt.Figure, title: str, path: Path) -> None:
    figure.suptitle(title)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=90)
    plt.close(figure)


# --- the page --------------------------------------------------------------------------------------------------------


INTRODUCTION = """\
Made by `python benchmarks/realism.py --users {users} --days {days} --seed {seed} --write docs/marketplace`. Three
public samples of real shops, on the fields they share with the simulation, cut the same way on both sides. Only
summaries are kept here, no row of theirs.

A classifier (XGBoost, five folds, no user in two of them) is given as many simulated sessions as real ones and says
which is which. AUC 0.5 would be a simulation nobody can tell; 1 is one that anybody can. The floor is the same
classifier on two halves of the real sample (the mean of five splits); the interval is by bootstrap over sessions."""

SHORT = """\
Part of that is which shop it is: no shop can be like all of them. So here is how well two real shops are told from
each other, and the simulated one from either, by the same classifier on all that the samples have in common: the pace
and the items of sessions of two and more views, cut into half hours."""

MEANING = """\
What it means for results on the simulated shop: they compare methods, and say where they fail; they are no forecast
of what a list finds in a real shop."""

# Measured once with this script, on the simulator before and after its change (20,000 users, 30 days, seed 7).
MENDED = """\
A first look led to a change of four habits (six numbers) in the simulator: how often a visit ends in a purchase, how
often in a cart only, the pace, and how many things are looked at. These samples were seen when they were set, so the
right column is how well six numbers fit, not a test of them. They were set by the curves and the funnel, not by the
classifier.

| 20,000 users, 30 days, seed 7 | real | before | after |
|---|---|---|---|
| store: median seconds between events (KS) | 32 | 26 (0.121) | 32 (0.060) |
| store: median events per session (KS) | 2 | 3 (0.190) | 2 (0.059) |
| store: sessions of one event | 38.6 % | 19.6 % | 32.7 % |
| store: purchases per 100 views | 1.29 | 5.32 | 3.01 |
| clicks: median seconds between clicks (KS) | 55.8 | 28.5 (0.221) | 36.2 (0.144) |
| clicks: 99 % quantile of clicks per session | 18 | 24 | 30 |
| orders: customers with more than one order in 30 days | 18 % | 61 % | 49 % |
| store: AUC of the classifier | | 0.868 (0.861 .. 0.875) | 0.844 (0.836 .. 0.851) |
| clicks: AUC of the classifier | | 0.883 (0.876 .. 0.890) | 0.871 (0.864 .. 0.878) |
| from store, on what all samples have | | 0.758 (0.746 .. 0.770) | 0.750 (0.737 .. 0.762) |
| from clicks, on what all samples have | | 0.794 (0.784 .. 0.805) | 0.780 (0.768 .. 0.792) |

The tail of the clicks is worse than before, that of the store is not: one of them had to give way."""

ABOUT = {
    "store": """\
The sample is the first rows of a month; only half an hour of it has the whole traffic, so sessions are cut at its
edges, and the simulated ones are cut into half hours too. Carts are under-recorded in it (more purchases than carts).
A price is one piece's, divided by the sample's median.""",
    "clicks": """\
Clicks only, sessions of two and more, items with few clicks left out by those who prepared it: its catalogue looks
smaller than it was. Its hours are in UTC and its shop is not, so a shift of an hour or two means nothing.""",
    "orders": """\
A wholesaler of gifts: most customers are shops, who buy in office hours and by the dozen. That orders have many lines
is theirs; how often people come back and how spend is spread is what to compare. An order is what a customer buys on
a day. A customer of one window of days and the same one in the next count as two.""",
}
HOW_TO_READ = """\
In the tables, KS is the largest gap between the two cumulative curves (0 to 1), and shift is by how much values must
move on average to turn one into the other, in natural logarithms (0.69 is a factor of two), for hours in hours. In
brackets stands the same between two halves of the real sample: no simulation can be expected to come much closer.
Gain is the share of the classifier's gain; AUC alone is that of a classifier with this one feature."""

OFF = """\
- **Too many buy, and too often again.** More visits end in a cart or a purchase than in the store, and more customers
  order twice within a month than even the trade customers of the gift shop.
- **The same thing is looked at again too often**: fewer different items in a session than in both real shops.
- **One visit is one session.** Real people have several sessions within half an hour more often.
- **Pauses are too uniform.** Some real clicks are within two seconds (double clicks, pages that load others), and some
  people come back after nearly half an hour; the simulation has few of either.
- **Prices reach too high** in the last per cent, and too few things are very cheap.
- **The catalogue** has too few items seen once, as a large store has, and no few dozen that everybody looks at, as
  the clicks have.
- **Baskets are small.** Most orders are of one line, which is nothing like a trade customer's.
- **Not compared**, because no public sample has it: logins, searches, reviews, refunds, coupons, failed payments,
  devices, networks, cards and addresses. Nor do the real samples say who in them is a bot."""


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, *rows)]
    return [lines[0], "|---" * len(header) + "|", *lines[1:], ""]


def page(pairs: dict[str, Pair], options: argparse.Namespace) -> str:
    verdicts = {name: verdict(pair, np.random.default_rng(0)) for name, pair in pairs.items()}
    lines = ["# How like a real shop the simulated one is", "", *INTRODUCTION.format(**vars(options)).splitlines(), ""]
    lines += table(
        ["real sample", "sessions of each", "AUC (95 %)", "floor: halves of the real one", "most gain (AUC alone)"],
        [
            [
                f"{name}: {pairs[name].source}",
                f"{found.rows:,}",
                found.auc,
                f"{found.halves:.3f}",
                ", ".join(f"{feature} ({found.alone[feature]:.2f})" for feature in found.gains.index[:3]),
            ]
            for name, found in verdicts.items()
        ],
    )
    lines += [*SHORT.splitlines(), ""]
    lines += table(["", "sessions of each", "AUC (95 %)", "most gain"], shops_apart(pairs, np.random.default_rng(0)))
    lines += [
        *MEANING.splitlines(),
        "",
        "## Where it is off",
        "",
        *OFF.splitlines(),
        "",
        "## What was mended",
        "",
        *MENDED.splitlines(),
        "",
        "## How to read the rest",
        "",
        *HOW_TO_READ.splitlines(),
        "",
        "## In pictures",
        "",
    ]
    lines += [line for name, (title, _) in PICTURES.items() for line in (f"![{title}]({name}.svg)", "")]
    lines += ["![How popularity falls](popularity.svg)", ""]
    for name, pair in pairs.items():
        lines += [f"## {name}: {pair.source}", "", *ABOUT[name].splitlines(), ""]
        header = ["", "", *(f"{100 * q:.0f} %" for q in QUANTILES), "KS (floor)", "shift (floor)"]
        lines += table(header, compared(pair, np.random.default_rng(0)))
        lines += table(
            ["", "real", "simulated", "between halves of the real one"], ratio_rows(pair, np.random.default_rng(0))
        )
        found = verdicts[name]
        lines += table(
            ["feature", "gain", "AUC alone"],
            [[feature, f"{found.gains[feature]:.2f}", f"{found.alone[feature]:.3f}"] for feature in found.gains.index],
        )
        steps = "; ".join(f"without {feature} {auc:.3f}" for feature, auc in found.without)
        lines += [f"One after the other left out: {steps}.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=RETAIL_DAYS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--write", type=Path, help="write realism.md and its pictures here")
    options = parser.parse_args()
    of_clicks, of_retail = dataset("clicks"), dataset("retail")
    matplotlib.use("svg")
    rng = np.random.default_rng(0)
    simulated = simulated_events(options.users, options.days, options.seed)
    pairs = {
        "store": store(of_clicks, simulated, rng),
        "clicks": clicks(of_clicks, simulated, rng),
        "orders": orders(of_retail, simulated, options.days, rng),
    }
    text = page(pairs, options)
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    if options.write:
        options.write.mkdir(parents=True, exist_ok=True)
        (options.write / "realism.md").write_text(text)
        draw(pairs, options.write)


if __name__ == "__main__":
    main()
