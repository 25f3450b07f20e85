"""The simulated shop is hard: no feature alone gives a typology away, but together they tell."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost
from shop.hardness import (
    EASIEST,
    EASIEST_VARIANT,
    Giveaway,
    auc,
    easiest,
    giveaways,
    hardness,
    kinds_of,
    leaks,
    orders,
    too_easy,
)
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from pipeline import features, ingest
from pipeline.catalogue import features as catalogue
from pipeline.context import Run
from pipeline.domain import Domain
from pipeline.settings import Settings
from pipeline.simulate import ShopSettings, run
from pipeline.simulate.typologies import TYPOLOGIES
from pipeline.storage import snapshots

DAYS, WARM_UP = 32, 14
SEEDS = (7, 11)  # two shops: a variant has some fifty user-days in both together
SHOP = ShopSettings(users=4000, bad_share=0.05)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """User-days of two shops as the product sees them, those of the leaks and of the orders of steps, and the truth."""
    shops = [seen(tmp_path_factory.mktemp("hard"), seed) for seed in SEEDS]
    user_days, leaked, delivered, truth = (pa.concat_tables(tables) for tables in zip(*shops, strict=True))
    return user_days, leaked, orders(delivered), truth


def seen(folder, seed):
    run(folder / "shop", days=DAYS, users=SHOP.users, seed=seed, bad_share=SHOP.bad_share)
    settings = Settings(home=folder / "home", now=datetime(2026, 9, 1, tzinfo=UTC))
    domain, days = Domain.load("shop"), [SHOP.first_day + timedelta(days=n) for n in range(WARM_UP, DAYS)]
    ingest.run(settings, domain, events=[folder / "shop/events"], labels=[folder / "shop/labels"], history=True)
    features.run(Run(settings, domain, days[-1], settings.clock()), days[0])
    found = [snapshots.newest(settings.home, "user_days", day, settings.clock()) for day in days]
    user_days = pa.concat_tables([pq.read_table(snapshot.path(settings.home)) for snapshot in found])
    delivered = []
    for day in days:
        events = pq.read_table(folder / f"shop/events/{day}.parquet")
        delivered.append(events.append_column("event_day", pa.array([day] * len(events))))
    leaked = pa.concat_tables([leaks(events) for events in delivered])
    truth = pq.read_table(folder / "shop/truth/user_days.parquet")
    return user_days, leaked, pa.concat_tables(delivered), truth


@pytest.mark.slow
def test_no_single_feature_gives_a_typology_away(measured):
    user_days, _, _, truth = measured
    aucs = hardness(user_days, truth)
    assert set(aucs["feature"].to_pylist()) == set(catalogue())
    assert set(easiest(aucs)) == set(TYPOLOGIES)
    assert too_easy(aucs) == {}


@pytest.mark.slow
def test_ids_order_rounding_gaps_and_exact_times_leak_nothing(measured):
    _, leaked, ordered, truth = measured
    assert too_easy(hardness(leaked, truth)) == {}
    assert too_easy(hardness(ordered, truth)) == {}
    by_ids = hardness(leaked.select(["user_id", "event_day", "event_id_digits", "session_id_digits"]), truth)
    assert too_easy(by_ids, limit=0.65) == {}


@pytest.mark.slow
def test_no_single_feature_gives_a_variant_away(measured):
    *tables, truth = measured
    for table in tables:
        assert too_easy(hardness(table, truth, by="variant"), EASIEST_VARIANT) == {}


@pytest.mark.slow
def test_no_rule_on_one_feature_or_two_steps_in_a_row_is_right_too_often(measured):
    *tables, truth = measured
    assert [rule for table in tables for rule in giveaways(table, truth)] == []


@pytest.mark.slow
def test_features_together_tell_more_than_the_best_alone(measured):
    user_days, _, _, truth = measured
    alone = {name: found for name, (_, found) in easiest(hardness(user_days, truth)).items()}
    together = {name: boosted(user_days, truth, name) for name in alone}
    gains = {name: together[name] - alone[name] for name in alone}
    assert np.mean(list(gains.values())) > 0.04, (alone, together)
    assert min(together.values()) > 0.55, together  # some seventy bad user-days each are little to learn from


def boosted(user_days, truth, typology):
    """Out-of-fold AUC of gradient boosting over all features, accounts never split between folds."""
    names = list(catalogue())
    bad, alike, _ = kinds_of(user_days, truth)
    rows = np.flatnonzero((bad == typology) | (alike == typology))
    cells = np.column_stack([user_days[name].to_numpy() for name in names])[rows]
    is_bad, users = (bad[rows] == typology).astype(int), user_days["user_id"].to_numpy()[rows]
    scores = np.zeros(len(rows))
    for fit, rest in StratifiedGroupKFold(4, shuffle=True, random_state=0).split(cells, is_bad, users):
        model = xgboost.XGBClassifier(
            n_estimators=120, max_depth=4, learning_rate=0.07, subsample=0.8, colsample_bytree=0.5, n_jobs=1
        )
        scores[rest] = model.fit(cells[fit], is_bad[fit]).predict_proba(cells[rest])[:, 1]
    return roc_auc_score(is_bad, scores)


def test_auc_is_that_of_the_better_direction_and_ties_count_half():
    assert auc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1
    assert auc(np.array([1.0]), np.array([2.0, 3.0])) == 1
    assert auc(np.array([1.0, 1.0]), np.array([1.0, 1.0])) == 0.5
    assert auc(np.array([2.0]), np.array([1.0, 2.0, 2.0, 3.0])) == 0.5


def test_missing_values_that_tell_are_found():
    assert auc(np.array([np.nan, np.nan]), np.array([1.0, 2.0])) == 1


def test_a_shop_made_easier_is_caught():
    keys = {"user_id": [f"u{n}" for n in range(30)], "event_day": [SHOP.first_day] * 30}
    truth = pa.table(
        {
            **keys,
            "typology": ["bots"] * 10 + [None] * 20,
            "variant": ["scraper"] * 10 + [None] * 20,
            "look_alike": [None] * 10 + ["night_owl"] * 10 + [None] * 10,
        }
    )
    user_days = pa.table({**keys, "tells": [9.0] * 9 + [0.0] * 21, "silent": [float(n % 2) for n in range(30)]})
    found = too_easy(hardness(user_days, truth))
    assert found == {"bots": ("tells", pytest.approx(0.95))} and found["bots"][1] > EASIEST
    assert easiest(hardness(user_days, truth, by="variant")) == {"bots/scraper": ("tells", pytest.approx(0.95))}


def test_a_rule_that_finds_few_and_is_always_right_is_found_where_the_auc_is_low():
    n = 400
    keys = {"user_id": [f"u{n}" for n in range(n)], "event_day": [SHOP.first_day] * n}
    truth = pa.table(
        {**keys, "typology": ["bots"] * 100 + [None] * 300, "variant": ["v"] * n, "look_alike": [None] * n}
    )
    seldom = np.where(np.arange(n) < 8, 1.0, 0.0)
    noisy = np.where(np.arange(n) % 2 == 0, 1.0, 0.0)
    user_days = pa.table({**keys, "seldom": seldom, "noisy": noisy})
    assert easiest(hardness(user_days, truth), "everybody")["bots"][1] < 0.55
    assert giveaways(user_days, truth) == [Giveaway("seldom >= 1", 8, 8)]
    assert giveaways(user_days, truth, least=9) == []


def test_orders_count_neighbours_within_a_visit_and_both_its_ends():
    at = [datetime(2026, 6, 1, 12, minute, tzinfo=UTC) for minute in range(5)]
    events = pa.table(
        {
            "user_id": ["u"] * 5,
            "event_day": [SHOP.first_day] * 5,
            "session_id": ["s", "s", "s", "t", "t"],
            "event_id": [str(n) for n in range(5)],
            "event_at": at,
            "event_type": ["login", "browse", "browse", "browse", "browse"],
        }
    )
    (row,) = orders(events).to_pylist()
    del row["user_id"], row["event_day"]
    assert row == {"start_login": 1, "login_browse": 1, "browse_browse": 2, "start_browse": 1, "browse_end": 2}
