"""How good is the list on the simulated shop? Per typology, beside baselines and an upper bound, the worst first.

    python benchmarks/marketplace.py [--users 20000] [--days 90] [--seed 7] [--home DIR] [--write docs/marketplace]
    python benchmarks/marketplace.py --hardness [--home DIR] [--write docs/marketplace]

It runs Dawnlist as a user would: simulate, ingest, features, `train --until` the 60th day, then validate, score and
publish each of the next 21 days. Only the measurement reads the truth. The same is done without labels of the worst
typology, and for a quiet shop. `--hardness` measures how well the features separate each typology from its
look-alikes, one by one and together. What DIR already holds is not made again.
"""

import argparse
import shutil
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from shop.hardness import easiest, giveaways, hardness, orders
from shop.measures import (
    BUDGETS,
    REVIEWS,
    best_rules,
    boosted_auc,
    evaluate,
    recall_by_budget,
    risk_of,
    rule_score,
    test_user_days,
)
from shop.page import (
    EVENTS,
    ORACLE,
    OURS,
    PURCHASE,
    RANDOM,
    RULE,
    SURPRISE,
    hardness_page,
    product_page,
    within_page,
)
from shop.runs import (
    FIRST,
    TEST,
    TEST_DAYS,
    TRAIN_DAYS,
    UNTIL,
    ShopRun,
    build,
    console,
    first_bad_at,
    known_bad,
    load,
    publish,
    read_days,
    simulated,
    timed,
    train,
    truth_of,
    without_labels_of,
)

from pipeline import daily
from pipeline.catalogue import features
from pipeline.metrics.reliability import calibration_error
from pipeline.models import bundle as bundles
from pipeline.simulate.look_alikes import RESEMBLES

WARM_UP = 14  # days with too little history for some features


def measure(shop: ShopRun) -> dict[str, Any]:
    """All numbers of the page."""
    trained = build(shop)
    console.print(trained["stacker"])
    if not trained["stacker"]["is_used"]:
        raise SystemExit(f"this shop has too few labels to learn from ({trained['stacker']['why']}): more --users")
    with timed("lists"):
        lists = publish(shop)
    frame, began = test_user_days(shop), first_bad_at(shop)
    typologies = sorted(set(frame["typology"].dropna()))
    learned = [date.fromisoformat(day) for day in trained["stacker"]["learned_from"]]
    with timed("rules"):
        rules = best_rules(shop, *learned, typologies)
    scores = scores_of(frame, rules["all"])
    with timed("measuring"):
        contenders = {
            name: evaluate(frame, of, began, None if name == OURS else ["all"]) for name, of in scores.items()
        }
        own = {name: evaluate(frame, rule_score(frame, rules[name]), began)[name] for name in typologies}
    worst = min(typologies, key=lambda name: (contenders[OURS][name].recall, contenders[OURS][name].ap))
    unlabelled_scores, unlabelled = train_without_labels(shop, worst, frame)
    known = known_bad(shop, UNTIL)
    return {
        "shop": shop,
        "user_days": len(frame),
        "trained": trained,
        "learned": list(map(str, learned)),
        "labelled": known[known["event_day"].between(*learned)]["typology"].value_counts().to_dict(),
        "contenders": contenders,
        "rules": rules,
        "own": own,
        "by_budget": {name: recall_by_budget(frame, score) for name, score in scores.items()},
        "worst": worst,
        "unlabelled": evaluate(frame, unlabelled_scores, began, ["all", worst]),
        "unlabelled_stacker": unlabelled["stacker"],
        "calibration": calibration_error(frame["risk"].to_numpy(), frame["is_bad"].to_numpy()),
        "precision": list_precision(shop, lists) | {"recall": recall_of_lists(frame, lists)},
        "quiet": quiet_lists(shop, trained["bundle"]),
        "test": TEST,
        "until": UNTIL,
        "reviews": REVIEWS,
        "budgets": BUDGETS,
    }


def scores_of(frame: pd.DataFrame, rule: str) -> dict[str, np.ndarray]:
    """Baselines, the product and the upper bound. All rank the same user-days."""
    return {
        RANDOM: np.random.default_rng(0).random(len(frame)),
        PURCHASE: rule_score(frame, "max_purchase_amount desc"),
        EVENTS: rule_score(frame, "event_count desc"),
        RULE: rule_score(frame, rule),
        SURPRISE: frame["surprise_percentile"].to_numpy(),
        OURS: risk_of(frame),
        ORACLE: frame["is_bad"].to_numpy().astype(float),
    }


def train_without_labels(shop: ShopRun, typology: str, frame: pd.DataFrame) -> tuple[np.ndarray, dict[str, Any]]:
    """Scores of the same user-days, in their order, by a home without labels of `typology`. And its training."""
    other = without_labels_of(shop, typology)
    load(other)
    trained = train(other)
    with timed(f"{other.name}: scores"):
        for day in TEST:
            daily.score_users(other.given | {"day": day})
    scores = read_days(other, "scores", TEST, "user_id, risk, surprise_percentile")
    keys = frame[["user_id", "event_day"]]
    return risk_of(keys.merge(scores, on=["user_id", "event_day"], how="left", validate="one_to_one")), trained


def list_precision(shop: ShopRun, lists: list[dict[str, Any]]) -> dict[str, Any]:
    """Precision of the published lists: asked for, expected, and measured for bad that day and bad until that day."""
    truth = truth_of(shop)
    bad_days = set(zip(truth["user_id"], truth["event_day"], strict=True))
    first = truth.groupby("user_id")["event_day"].min().to_dict()
    listed = [(user, of["day"]) for of in lists for user in of["users"]]
    later = date.max
    return {
        "rows": len(listed),
        "lengths": [of["listed"] for of in lists],
        "asked": lists[0]["min_precision"],
        "expected": float(
            np.average([of["expected_precision"] or 0 for of in lists], weights=[of["listed"] + 1e-9 for of in lists])
        ),
        "measured": sum(row in bad_days for row in listed) / max(1, len(listed)),
        "measured_ever": sum(first.get(user, later) <= day for user, day in listed) / max(1, len(listed)),
        "failed": {str(of["day"]): of["failed"] for of in lists if of["failed"]},
    }


def recall_of_lists(frame: pd.DataFrame, lists: list[dict[str, Any]]) -> float:
    """Share of bad accounts that were on a published list on a day on which they were bad."""
    listed = {(user, of["day"]) for of in lists for user in of["users"]}
    bad = frame[frame["is_bad"]]
    is_listed = np.array([key in listed for key in zip(bad["user_id"], bad["event_day"], strict=True)])
    return float(bad["user"][is_listed].nunique() / bad["user"].nunique())


def quiet_lists(abusive: ShopRun, bundle: str) -> dict[str, Any]:
    """Lists of the shop without abuse: with its own bundle, then with the abusive shop's."""
    shop = ShopRun(abusive.folder, "quiet", abusive.users, abusive.days, abusive.seed, abusive.bad_share)
    trained = build(shop, quiet=True)
    with timed("quiet: lists, twice"):
        alone = publish(shop)
        shutil.copytree(bundles.folder(abusive.home, bundle), bundles.folder(shop.home, bundle), dirs_exist_ok=True)
        daily.promote(shop.given, bundle)
        lent = publish(shop)
        daily.promote(shop.given, trained["bundle"])  # leaves the home as the next run expects it
    return {
        "why": trained["stacker"]["why"],
        "ranked_by": "risk" if trained["stacker"]["is_used"] else "surprise",
        "alone": [of["listed"] for of in alone],
        "lent": [of["listed"] for of in lent],
        "false_alarms": alone[0]["false_alarms"],
        "users": [user for of in alone for user in of["users"]],
        "failed": sorted({name for of in alone for name in of["failed"]}),
    }


def measure_hardness(shop: ShopRun) -> dict[str, Any]:
    """How well features separate abuse from look-alikes.

    Per typology the best single feature and boosting over all; per variant the best single feature; and the rules on
    one feature, or on two steps in a row, that are right too often.
    """
    if not (shop.home / "snapshots" / "user_days").is_dir():
        simulated(shop)
        load(shop)
    days = [FIRST + timedelta(days=n) for n in range(WARM_UP, TRAIN_DAYS + TEST_DAYS)]
    frame = read_days(shop, "user_days", days, f"user_id, {', '.join(features())}")
    user_days = pa.Table.from_pandas(frame)
    truth = duckdb.sql(f"select * from '{shop.files / 'truth' / 'user_days.parquet'}'").to_arrow_table()
    aucs = hardness(user_days, truth).to_pandas()
    true = frame[["user_id", "event_day"]].merge(truth.to_pandas(), on=["user_id", "event_day"], how="left")
    bad, alike = (
        true["typology"].fillna("").to_numpy(),
        true["look_alike"].map(RESEMBLES).fillna("").to_numpy(),
    )
    rows = []
    for name in sorted(set(bad) - {""}):
        of = aucs[aucs["typology"] == name].sort_values("auc", ascending=False)
        near, far = (of[of["against"] == against].iloc[0] for against in ("look_alikes", "everybody"))
        rows.append(
            {
                "typology": name,
                "bad": int((bad == name).sum()),
                "alike": int((alike == name).sum()),
                "feature": near["feature"],
                "alone": near["auc"],
                "together": boosted_auc(user_days, bad == name, alike == name),
                "feature_everybody": far["feature"],
                "alone_everybody": far["auc"],
            }
        )
    variants = [
        {"variant": name, "bad": int((kinds == name).sum()), "feature": feature, "alone": auc}
        for kinds in [(true["typology"] + "/" + true["variant"]).to_numpy()]
        for name, (feature, auc) in easiest(hardness(user_days, truth, by="variant")).items()
    ]
    events = duckdb.sql(
        f"""select *, (event_at at time zone 'UTC')::date as event_day
            from '{shop.files}/events/*.parquet' where (event_at at time zone 'UTC')::date >= date '{days[0]}'"""
    ).to_arrow_table()
    rules = [rule for table in (user_days, orders(events)) for rule in giveaways(table, truth)]
    return {"typologies": rows, "variants": variants, "rules": rules}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=90, help=f"at least {TRAIN_DAYS + TEST_DAYS}")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bad-share", type=float, default=0.005)
    parser.add_argument("--home", type=Path, help="keep the shops and their homes here")
    parser.add_argument("--write", type=Path, help="write the page and its pictures into this folder")
    parser.add_argument("--hardness", action="store_true", help="measure how hard the shop is, not the product")
    options = parser.parse_args()
    if options.days < TRAIN_DAYS + TEST_DAYS:
        parser.error(f"--days: at least {TRAIN_DAYS + TEST_DAYS}, got {options.days}")
    with tempfile.TemporaryDirectory() as aside, timed("in all"):
        folder = options.home or Path(aside)
        folder.mkdir(parents=True, exist_ok=True)
        shop = ShopRun(folder, "abusive", options.users, options.days, options.seed, options.bad_share)
        if options.hardness:
            name, page, pictures = "hardness", *hardness_page(shop, measure_hardness(shop))
        else:
            name, page, pictures = "product", *product_page(measure(shop))
    console.print(page, markup=False)
    if options.write:
        options.write.mkdir(parents=True, exist_ok=True)
        (options.write / f"{name}.md").write_text(page)
        for picture, data in pictures.items():
            (options.write / picture).write_bytes(data)
        introduction = options.write.with_suffix(".md")
        if options.hardness and introduction.is_file():
            first, _, _ = page.partition("## Per variant")
            table = "\n".join(line for line in first.splitlines() if line.startswith("|"))
            introduction.write_text(within_page(introduction.read_text(), table, "hardness"))


if __name__ == "__main__":
    main()
