"""Three real samples, and the simulated shop cut like each: the same window of time, kinds of events and sessions."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from pipeline import simulate

# The store sample is the first rows of a month: whole traffic only from 02:19 to 02:49, so the simulation is read
# through half-hour windows too, and both cut sessions at their edges alike.
STORE_WINDOW = (pd.Timestamp("2019-10-01 02:19"), pd.Timestamp("2019-10-01 02:49"))
WINDOW_SECONDS = 1800
RETAIL_DAYS = 30
MOST_CUSTOMERS = 4000  # compared, of each side
KINDS = {"browse": "view", "cart": "cart", "purchase": "purchase"}


@dataclass(frozen=True)
class ShopPair:
    """One real sample and the simulation cut like it: rows with user, session, at (seconds), kind, item, price."""

    name: str
    source: str
    real: pd.DataFrame
    simulated: pd.DataFrame


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


def store(folder: Path, simulated: pd.DataFrame, rng: np.random.Generator) -> ShopPair:
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
    return ShopPair("store", "a multi-category store (REES46), half an hour", real, sampled(ours, "user", real, rng))


def clicks(folder: Path, simulated: pd.DataFrame, rng: np.random.Generator) -> ShopPair:
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
    return ShopPair("clicks", "a European shop (RecSys 2015), five days", real, sampled(ours, "session", real, rng))


def orders(folder: Path, simulated: pd.DataFrame, days: int, rng: np.random.Generator) -> ShopPair:
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
    return ShopPair("orders", "a UK gift shop, mostly trade customers (Online Retail), a year", *pick)


def seconds(moments: pd.Series) -> pd.Series:
    return (moments - pd.Timestamp(0)) / pd.Timedelta(seconds=1)


def sampled(ours: pd.DataFrame, by: str, real: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Whole users (or sessions), drawn until there are as many sessions as in the real sample."""
    per = ours.groupby(by)["session"].nunique()
    drawn = per.iloc[rng.permutation(len(per))]
    return ours[ours[by].isin(drawn.index[: int(np.searchsorted(drawn.cumsum(), real["session"].nunique())) + 1])]
