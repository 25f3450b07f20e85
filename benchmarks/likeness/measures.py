"""Distances between a simulated and a real shop, beside the distance between two halves of the real one."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from likeness.samples import KINDS, ShopPair
from scipy.stats import ks_2samp, wasserstein_distance

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
HALVES = 20  # random halves of the real sample, for the baseline of a distance


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


def halves_distance(values: pd.Series, in_logs: bool, rng: np.random.Generator) -> tuple[float, float]:
    """The same distances between two halves of the real users, the mean over random splits."""
    users = np.unique(values.index)
    distances = []
    for _ in range(HALVES):
        is_one = values.index.isin(rng.permutation(users)[: len(users) // 2])
        distances.append(distance(values[is_one].to_numpy(), values[~is_one].to_numpy(), in_logs))
    ks, shift = np.mean(distances, axis=0)
    return float(ks), float(shift)


def compared(pair: ShopPair, rng: np.random.Generator) -> list[list[str]]:
    rows = []
    for name, (measure, in_logs) in MEASURES[pair.name].items():
        real, ours = measure(pair.real), measure(pair.simulated)
        ks, shift = distance(real.to_numpy(), ours.to_numpy(), in_logs)
        ks_halves, shift_halves = halves_distance(real, in_logs, rng)
        for who, values in (("real", real), ("simulated", ours)):
            quantiles = [number(value) for value in values.quantile(list(QUANTILES))]
            ends = (
                [f"{ks:.3f} ({ks_halves:.3f})", f"{shift:.2f} ({shift_halves:.2f})"] if who == "simulated" else ["", ""]
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


def ratio_rows(pair: ShopPair, rng: np.random.Generator) -> list[list[str]]:
    """Ratios of both, and by how much two halves of the real users differ, the mean over random splits."""
    fewer = min(len(pair.real), len(pair.simulated))
    real, ours = ratios(pair.real, fewer, rng), ratios(pair.simulated, fewer, rng)
    users, apart = np.unique(pair.real["user"]), []
    for _ in range(HALVES):
        is_one = pair.real["user"].isin(rng.permutation(users)[: len(users) // 2])
        one, other = (ratios(pair.real[rows], fewer // 3, rng) for rows in (is_one, ~is_one))
        apart.append({name: abs(one[name] - other[name]) for name in real})
    baselines = pd.DataFrame(apart).mean()
    return [[name, number(value), number(ours[name]), number(baselines[name])] for name, value in real.items()]
