"""The peer: features and XGBoost of the Fraud Detection Handbook, with its transaction scores as user-day scores.

Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection", 2022:
its published XGBoost scores .639 average precision and .273 card precision at 100 on transactions of the visible week.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.arrays import Codes, Doubles, Flags
from pipeline.evaluate.experiment import Experiment
from pipeline.metrics.ranking import average_precision
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.models.days import places_of, user_day_key
from pipeline.sql import parquet

PEER = "handbook: "
DELAY_DAYS = 7
TRAIN_DAYS = 7
WINDOWS = (1, 7, 30)  # days
DEFAULTS: dict[str, Any] = {}  # the published ones
TUNED = {"max_depth": 3, "n_estimators": 100, "learning_rate": 0.1}  # the best known setting for these features

# One row per transaction: the handbook's features. Windows are by time, terminal risk is delayed by 7 days.
FEATURES = """
select
    transaction_id, cast(customer_id as varchar) as customer_id, cast(transaction_at as date) as day, is_bad,
    cast(amount as double) as amount,
    cast(isodow(transaction_at) >= 6 as double) as is_weekend,
    cast(hour(transaction_at) <= 6 as double) as is_night,
    {windows}
from (
    select t.*, f.transaction_id is not null as is_bad
    from {transactions} t left join {frauds} f using (transaction_id)
)
qualify day >= date '{first}'
order by transaction_id
"""


@dataclass(frozen=True)
class Published:
    """The metrics that the handbook publishes, on transactions."""

    average_precision: float
    card_precision: float


def handbook_scores(experiment: Experiment, data: Path) -> dict[str, Doubles]:
    """Its XGBoost at the published and at a tuned setting. A user-day has the score of its riskiest transaction."""
    assert experiment.protocol.test is not None
    rows, names = _transactions(data, experiment.protocol.test[0])
    scores = {}
    for name, settings in {f"{PEER}XGBoost, tuned": TUNED, f"{PEER}XGBoost, as published": DEFAULTS}.items():
        of_test, score = _fit(rows, names, experiment.protocol.test, settings)
        scores[name] = _of_user_days(experiment, of_test, score)
    return scores


def reproduce(data: Path, test: tuple[date, date]) -> Published:
    """Average precision and card precision at 100 on transactions of the test week, as the handbook computes them."""
    rows, names = _transactions(data, test[0])
    of_test, score = _fit(rows, names, test, DEFAULTS)
    since = _first_fraud(data, test[0] - timedelta(days=DELAY_DAYS + TRAIN_DAYS))
    day = _days(of_test)
    known = np.array([since.get(user, 2**30) for user in of_test["customer_id"].to_pylist()]) <= day - DELAY_DAYS - 1
    new = ~known
    is_bad = of_test["is_bad"].to_numpy()
    user = pc.dictionary_encode(of_test["customer_id"]).combine_chunks().indices.to_numpy().astype(np.int32)
    return Published(
        average_precision(score[new], is_bad[new]), _card_precision(score[new], is_bad[new], day[new], user[new])
    )


def _card_precision(score: Doubles, is_bad: Flags, day: Codes, user: Codes) -> float:
    """Cards ranked by their riskiest transaction of the day. A card found once is not counted again."""
    keys, place = np.unique(user_day_key(user, day), return_inverse=True)
    riskiest, bad = np.zeros(len(keys)), np.zeros(len(keys), np.bool_)
    np.maximum.at(riskiest, place, score)
    np.logical_or.at(bad, place, is_bad)
    labels = ScoredLabels.of((keys >> 20).astype(np.int32), (keys % 2**20).astype(np.int32), bad)
    return labels.catch(riskiest, 100).precision


def _transactions(data: Path, test_first: date) -> tuple[pa.Table, list[str]]:
    parts, names = [], ["amount", "is_weekend", "is_night"]

    def within(key: str, days: int) -> str:
        return (
            f"over (partition by {key} order by transaction_at range between "
            f"interval '{days * 86400 - 1} seconds' preceding and current row)"
        )

    for days in WINDOWS:
        after, both = within("terminal_id", DELAY_DAYS), within("terminal_id", DELAY_DAYS + days)
        count = f"(count(*) {both} - count(*) {after})"
        bad = f"(sum(cast(is_bad as int)) {both} - sum(cast(is_bad as int)) {after})"
        columns = {
            f"customer_count_{days}": f"count(*) {within('customer_id', days)}",
            f"customer_amount_{days}": f"avg(cast(amount as double)) {within('customer_id', days)}",
            f"terminal_count_{days}": count,
            f"terminal_risk_{days}": f"coalesce({bad} / nullif({count}, 0), 0)",
        }
        parts += [f"{sql} as {name}" for name, sql in columns.items()]
        names += columns
    sql = FEATURES.format(
        windows=", ".join(parts),
        transactions=parquet([data / "payments" / "transactions.parquet"]),
        frauds=parquet([data / "payments" / "frauds.parquet"]),
        first=test_first - timedelta(days=DELAY_DAYS + TRAIN_DAYS),
    )
    with duckdb.connect() as con:
        con.execute("set enable_progress_bar = false")
        return con.sql(sql).to_arrow_table(), names


def _fit(
    rows: pa.Table, names: list[str], test: tuple[date, date], settings: dict[str, Any]
) -> tuple[pa.Table, Doubles]:
    """Fitted on the week that ends 8 days before the test."""
    import xgboost as xgb

    train_first = test[0] - timedelta(days=DELAY_DAYS + TRAIN_DAYS)
    train = rows.filter((pc.field("day") >= train_first) & (pc.field("day") < test[0] - timedelta(days=DELAY_DAYS)))
    of_test = rows.filter((pc.field("day") >= test[0]) & (pc.field("day") <= test[1]))
    model = xgb.XGBClassifier(n_jobs=2, random_state=0, tree_method="exact", base_score=0.5, **settings)
    model.fit(_matrix(train, names), train["is_bad"].to_numpy())
    return of_test, model.predict_proba(_matrix(of_test, names))[:, 1].astype(np.float64)


def _matrix(rows: pa.Table, names: list[str]) -> Doubles:
    return np.column_stack([rows[name].to_numpy().astype(np.float64) for name in names])


def _days(rows: pa.Table) -> Codes:
    days: Codes = rows["day"].cast(pa.int32()).to_numpy()
    return days


def _of_user_days(experiment: Experiment, rows: pa.Table, score: Doubles) -> Doubles:
    """The score of the riskiest transaction of each user-day of the test."""
    windows, users = experiment.test.samples.windows, experiment.test.samples.tokens.users
    place = pc.index_in(rows["customer_id"], value_set=users).fill_null(-1).to_numpy()
    keys, group = np.unique(user_day_key(place, _days(rows)), return_inverse=True)
    riskiest = np.zeros(len(keys))
    np.maximum.at(riskiest, group, score)
    scores: Doubles = riskiest[places_of(windows.key, keys)]
    return scores


def _first_fraud(data: Path, since: date) -> dict[str, int]:
    with duckdb.connect() as con:
        rows = con.sql(
            f"""select cast(customer_id as varchar), cast(min(cast(transaction_at as date)) - date '1970-01-01' as int)
                from {parquet([data / "payments" / "frauds.parquet"])}
                where cast(transaction_at as date) >= date '{since}' group by 1"""
        ).fetchall()
    return dict(rows)
