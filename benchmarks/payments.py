"""How good is the list on the simulated card payments? The protocol of the Fraud Detection Handbook, visible week.

    python benchmarks/payments.py

Dawnlist runs as a user would run it: ingest, features, `train --until 2018-08-07`, then each day's scores. The
book's own features and XGBoost run beside it, raised to user-days by the maximum. Customers known to be defrauded
leave the test, as in the book; a card found once is not counted again. Floors and ceiling come from the same rows.
Needs $RISK_DATASETS/payments. Simulated data: https://fraud-detection-handbook.github.io
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import xgboost as xgb
from datasets import dataset
from rich.console import Console
from rich.table import Table
from sklearn.metrics import average_precision_score

from pipeline import daily
from pipeline.catalogue import features
from pipeline.domain import Domain
from pipeline.evaluate.metrics import calibration_error, precision_at
from pipeline.models import bundle as bundles
from pipeline.models.scoring import score_days
from pipeline.settings import Settings

TRAIN = (date(2018, 7, 25), date(2018, 7, 31))
UNTIL = date(2018, 8, 7)
TEST = (date(2018, 8, 8), date(2018, 8, 14))
DELAY_DAYS = 7
REVIEWS = 100
REPEATS = 500
TUNED = {"max_depth": 3, "n_estimators": 100, "learning_rate": 0.1}  # the best we know for the book's features

# One row per transaction: the book's features, its windows by time, terminal risk delayed by 7 days.
BOOK_FEATURES = """
select
    transaction_id, customer_id, transaction_at, cast(transaction_at as date) as day, is_bad,
    cast(amount as double) as amount,
    cast(isodow(transaction_at) >= 6 as double) as is_weekend,
    cast(hour(transaction_at) <= 6 as double) as is_night,
    {customer},
    {terminal}
from (
    select t.*, f.transaction_id is not null as is_bad
    from read_parquet('{transactions}') t left join read_parquet('{frauds}') f using (transaction_id)
)
qualify day >= date '2018-07-25'
"""


def book_sql(transactions: Path, frauds: Path) -> tuple[str, list[str]]:
    def within(key: str, days: int) -> str:
        return (
            f"over (partition by {key} order by transaction_at range between "
            f"interval '{days * 86400 - 1} seconds' preceding and current row)"
        )

    customer, terminal, names = [], [], ["amount", "is_weekend", "is_night"]
    for days in (1, 7, 30):
        customer.append(f"count(*) {within('customer_id', days)} as customer_count_{days}")
        customer.append(f"avg(cast(amount as double)) {within('customer_id', days)} as customer_amount_{days}")
        after, both = within("terminal_id", DELAY_DAYS), within("terminal_id", DELAY_DAYS + days)
        count = f"(count(*) {both} - count(*) {after})"
        bad = f"(sum(cast(is_bad as int)) {both} - sum(cast(is_bad as int)) {after})"
        terminal.append(f"{count} as terminal_count_{days}")
        terminal.append(f"coalesce({bad} / nullif({count}, 0), 0) as terminal_risk_{days}")
        names += [
            f"customer_count_{days}",
            f"customer_amount_{days}",
            f"terminal_count_{days}",
            f"terminal_risk_{days}",
        ]
    sql = BOOK_FEATURES.format(
        customer=", ".join(customer), terminal=", ".join(terminal), transactions=transactions, frauds=frauds
    )
    return sql, names


@contextmanager
def a_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "home"


def dawnlist_user_days(home: Path, source: Path) -> dict[str, np.ndarray]:
    """Run the product over the test week; one row per user-day with its risk, its surprise and its features."""
    given = {"home": home, "domain": "payments", "as_of": datetime.now(UTC)}
    daily.ingest(
        None, given, events=[source / "transactions.parquet"], labels=[source / "frauds.parquet"], history=True
    )
    first, _ = daily.train_days(UNTIL, given)
    daily.backfill_features(first, TEST[1], given)
    trained = daily.train(UNTIL, given)
    console.print(trained["details"]["stacker"])
    learned = trained["details"]["autoencoder"]
    console.print(f"held-out nats per event {min(learned['later_nats'])}, floors {learned['later_nats_floors']}")
    settings = Settings.load(home=home, domain="payments")
    bundle = bundles.load(home, trained["details"]["bundle"], settings.threads)
    judged = score_days(settings, bundle, *TEST, date(2018, 8, 21), given["as_of"])
    return {
        "user_id": np.array(judged.user_id.to_pylist()),
        "day": judged.day,
        "risk": judged.risk,
        "surprise": judged.surprise,
        "is_bad": judged.is_bad,
    }


def book_user_days(con: duckdb.DuckDBPyConnection, source: Path, settings: dict[str, object]) -> dict[str, np.ndarray]:
    """The book's XGBoost, trained on its week; a user-day's score is its worst transaction's."""
    sql, names = book_sql(source / "transactions.parquet", source / "frauds.parquet")
    frame = con.sql(sql).df()
    day = frame["day"].dt.date
    train = frame[(day >= TRAIN[0]) & (day <= TRAIN[1])]
    test = frame[(day >= TEST[0]) & (day <= TEST[1])].copy()
    model = xgb.XGBClassifier(n_jobs=2, random_state=0, tree_method="exact", base_score=0.5, **settings)
    model.fit(train[names], train["is_bad"])
    test["score"] = model.predict_proba(test[names])[:, 1]
    kept = test[~is_known(con, source, test["customer_id"].astype(str), test["day"].dt.date)]
    per_day = test.groupby(["customer_id", "day"], as_index=False).agg(score=("score", "max"))
    return {
        "user_id": per_day["customer_id"].astype(str).to_numpy(),
        "day": (per_day["day"] - np.datetime64("1970-01-01")).dt.days.to_numpy(),
        "score": per_day["score"].to_numpy(),
        "transaction_ap": average_precision_score(kept["is_bad"], kept["score"]),
    }


def is_known(con: duckdb.DuckDBPyConnection, source: Path, user_id: Iterable[str], day: Iterable[date]) -> np.ndarray:
    """Whether the customer was known to be defrauded by then: in the training week, or up to 8 days before."""
    rows = con.sql(
        f"""select cast(customer_id as varchar), min(cast(transaction_at as date))
            from '{source / "frauds.parquet"}'
            where cast(transaction_at as date) >= date '{TRAIN[0]}' group by 1"""
    ).fetchall()
    since = dict(rows)
    return np.array(
        [
            user in since and since[user] <= today - timedelta(days=DELAY_DAYS + 1)
            for user, today in zip(user_id, day, strict=True)
        ]
    )


def interval(score, is_bad, day, user, other=None) -> str:
    """Bootstrap over accounts, 95 %: of average precision, or of its difference to another score."""
    accounts, place = np.unique(user, return_inverse=True)
    rows = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    random, found = np.random.default_rng(0), []
    for _ in range(REPEATS):
        chosen = np.concatenate([rows[i] for i in random.integers(0, len(accounts), len(accounts))])
        value = average_precision_score(is_bad[chosen], score[chosen])
        found.append(value - (average_precision_score(is_bad[chosen], other[chosen]) if other is not None else 0))
    low, high = np.quantile(found, [0.025, 0.975])
    return f"{low:+.3f} .. {high:+.3f}" if other is not None else f"{low:.3f} .. {high:.3f}"


def feature_scores(
    con: duckdb.DuckDBPyConnection, home: Path, user_id: np.ndarray, day: np.ndarray
) -> dict[str, np.ndarray]:
    """Each feature as a score, in the order of the rows given."""
    table = con.sql(
        f"select *, cast(event_day - date '1970-01-01' as integer) as day from "
        f"read_parquet('{home}/snapshots/user_days/*/*.parquet', hive_partitioning = false)"
    )
    frame = table.df().set_index(["user_id", "day"])
    rows = frame.reindex(list(zip(user_id, day, strict=True)))
    return {name: np.nan_to_num(rows[name].to_numpy(), nan=-1.0) for name in features() if rows[name].notna().any()}


def main() -> None:
    source = dataset("payments")
    con = duckdb.connect()
    with a_home() as home:
        ours = dawnlist_user_days(home, source)
        days = [date(1970, 1, 1) + timedelta(days=int(n)) for n in ours["day"]]
        kept = ~is_known(con, source, ours["user_id"], days)
        ours = {name: values[kept] for name, values in ours.items()}
        singles = feature_scores(con, home, ours["user_id"], ours["day"])
        train = _training_week(con, home)
    book = {
        "book: XGBoost exact, depth 3": book_user_days(con, source, TUNED),
        "book: XGBoost exact, defaults": book_user_days(con, source, {}),
    }
    user, is_bad, day = np.unique(ours["user_id"], return_inverse=True)[1].astype(np.int32), ours["is_bad"], ours["day"]
    best = max(train, key=train.__getitem__)
    scores = {
        "floor: random": np.random.default_rng(0).random(len(day)),
        "floor: largest purchase": singles["max_purchase_amount"],
        "floor: new counterparts": singles["new_counterpart_count"],
        f"floor: best single feature of the training week ({best})": singles[best],
        "surprise alone, no labels": ours["surprise"],
    }
    for name, peer in book.items():
        index = dict(zip(zip(peer["user_id"], peer["day"], strict=True), peer["score"], strict=True))
        scores[name] = np.array([index[key] for key in zip(ours["user_id"], ours["day"], strict=True)])
    scores["Dawnlist"] = ours["risk"]
    scores["ceiling: oracle, same budget"] = is_bad.astype(float)

    table = Table("arm", "average precision", "95 % over accounts", f"card precision@{REVIEWS}")
    for name, score in scores.items():
        table.add_row(
            name,
            f"{average_precision_score(is_bad, score):.3f}",
            interval(score, is_bad, day, user),
            f"{precision_at(score, is_bad, day, user, REVIEWS):.3f}",
        )
    console.print(table)
    peer = scores["book: XGBoost exact, depth 3"]
    console.print(f"Dawnlist minus the book, average precision: {interval(ours['risk'], is_bad, day, user, peer)}")
    console.print(f"calibration error of Dawnlist's risk: {calibration_error(ours['risk'], is_bad):.4f}")
    for name, peer_rows in book.items():
        console.print(f"{name}: transaction-level average precision {peer_rows['transaction_ap']:.3f}")
    console.print(f"{len(day):,} user-days, {int(is_bad.sum())} bad, {REVIEWS} reviews a day, {TEST[0]}..{TEST[1]}")


def _training_week(con: duckdb.DuckDBPyConnection, home: Path) -> dict[str, float]:
    """Average precision of each feature on the training week: which single one to trust is decided there."""
    frame = con.sql(
        f"""select user_days.*, bad.user_id is not null as is_bad
            from read_parquet('{home}/snapshots/user_days/*/*.parquet', hive_partitioning = false) user_days
            left join (
                select distinct user_id, cast(happened_at as date) as day
                from '{home}/lake/labels/*.parquet' where is_bad
            ) bad on user_days.user_id = bad.user_id and user_days.event_day = bad.day
            where event_day between date '{TRAIN[0]}' and date '{TRAIN[1]}'"""
    ).df()
    return {
        name: average_precision_score(frame["is_bad"], frame[name].fillna(-1))
        for name in features()
        if frame[name].notna().any()
    }


console = Console(width=130)

if __name__ == "__main__":
    assert Domain.load("payments").label_delay_days == DELAY_DAYS
    main()
