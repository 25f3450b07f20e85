"""How good is the list on the simulated shop? Per typology, beside floors and ceiling, the worst one by name.

    python benchmarks/marketplace.py [--users 20000] [--days 90] [--seed 7] [--home DIR] [--write docs/marketplace]
    python benchmarks/marketplace.py --hardness [--home DIR] [--write docs/marketplace]

Dawnlist runs as a user would run it: simulate, ingest, features, `train --until` the 60th day, then validate, score
and publish for each of the 21 days after it. The truth is read only to judge. Then the same without one label of the
worst typology, and a quiet shop. `--hardness` asks instead how well the features tell each typology from its
look-alikes, one at a time and together. What lies in DIR already is not made again.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from marketplace_page import Measured, hardness_page, product_page, within_page
from rich.console import Console
from rich.progress import track

from pipeline import daily, simulate, snapshots
from pipeline.catalogue import features
from pipeline.errors import DoorRefusedError
from pipeline.evaluate.delays import Delays
from pipeline.evaluate.intervals import average_precision, average_precision_interval
from pipeline.evaluate.metrics import calibration_error
from pipeline.evaluate.reviews import recall_of_accounts, reviewed_rows
from pipeline.models import bundle as bundles
from pipeline.models.labels import known_bad_user_days
from pipeline.publish import read_list
from pipeline.simulate.hardness import hardness
from pipeline.simulate.look_alikes import RESEMBLES

FIRST = date(2026, 6, 1)
TRAIN_DAYS, TEST_DAYS, WARM_UP = 60, 21, 14
REVIEWS = 100
BUDGETS = (5, 10, 20, 35, 50, 75, 100, 150, 200, 350, 500, 1000)
REPEATS = 300
UNTIL = FIRST + timedelta(days=TRAIN_DAYS - 1)
TEST = [UNTIL + timedelta(days=n) for n in range(1, TEST_DAYS + 1)]
LOWEST = -1e30  # a feature that is not known ranks below all that are
Given = dict[str, Any]

console = Console(width=140)


@dataclass(frozen=True)
class Shop:
    """One simulated shop and one home that lives on it."""

    folder: Path
    name: str
    users: int
    days: int
    seed: int
    bad_share: float

    @property
    def files(self) -> Path:
        return self.folder / f"{self.name}_shop"

    @property
    def home(self) -> Path:
        return self.folder / f"{self.name}_home"

    @property
    def given(self) -> Given:
        """The clock stands at the last morning, so that the machine's own clock is in nothing."""
        now = datetime.combine(FIRST + timedelta(days=self.days), datetime.min.time(), UTC) + timedelta(hours=4)
        return {"home": self.home, "domain": "shop", "now": now, "as_of": now}


@contextmanager
def timed(what: str) -> Iterator[None]:
    before = time.monotonic()
    yield
    console.print(f"{what}: {time.monotonic() - before:.0f} s")


def build(shop: Shop, quiet: bool = False) -> dict[str, Any]:
    """Simulate, ingest as history, build features, train and promote. Returns what training says."""
    if not (shop.files / "truth" / "simulation.json").is_file():
        shutil.rmtree(shop.files, ignore_errors=True)
        made = simulate.run(
            shop.files, days=shop.days, users=shop.users, seed=shop.seed, first_day=FIRST,
            bad_share=shop.bad_share, quiet=quiet,
        )  # fmt: skip
        console.print(made.details)
    load(shop)
    return train(shop)


def load(shop: Shop) -> None:
    with timed(f"{shop.name}: ingest"):
        daily.ingest(None, shop.given, events=[shop.files / "events"], labels=[shop.files / "labels"], history=True)
    with timed(f"{shop.name}: features"):
        daily.backfill_features(FIRST, TEST[-1], shop.given)


def train(shop: Shop) -> dict[str, Any]:
    with timed(f"{shop.name}: training"):
        trained = daily.train(UNTIL, shop.given)["details"]
    daily.promote(trained["bundle"], shop.given, force=True)
    return trained


def publish(shop: Shop) -> list[dict[str, Any]]:
    """Validate, score and publish each test day; one dict per list: its length, its accounts, its promise."""
    found = []
    for day in track(TEST, f"{shop.name}: lists", console=console, transient=True):
        try:
            daily.validate(day, None, shop.given)
            refused = []
        except DoorRefusedError as error:
            refused = [line.split(":")[0].strip() for line in error.found]
            daily.validate(day, None, shop.given, accept=refused)  # as a person would who has looked at it
        daily.score(day, shop.given)
        daily.publish(day, shop.given)
        table, manifest = read_list(shop.home, day)
        users = table["user_id"].to_pylist()
        found.append({"day": day, "users": users, "refused": refused, **manifest["promise"], **manifest["rows"]})
    return found


def read_days(shop: Shop, table: str, days: list[date], columns: str = "*") -> pd.DataFrame:
    """Snapshots of these days as one frame, sorted by day and user."""
    found = [snapshots.newest(shop.home, table, day, shop.given["as_of"]) for day in days]
    parts = []
    with duckdb.connect() as con:
        for day, snapshot in zip(days, found, strict=True):
            part = con.sql(f"select {columns} from read_parquet('{snapshot.path(shop.home)}')").df()
            parts.append(part.assign(event_day=day))
    return pd.concat(parts).sort_values(["event_day", "user_id"], ignore_index=True)


def truth_of(shop: Shop) -> pd.DataFrame:
    """Bad user-days with their typology."""
    path = shop.files / "truth" / "user_days.parquet"
    frame = duckdb.sql(f"select user_id, event_day, typology from '{path}' where is_bad").df()
    return frame.assign(event_day=frame["event_day"].dt.date)


def first_bad_at(shop: Shop) -> pd.Series:
    """When each bad account's first bad event happened."""
    frame = duckdb.sql(
        f"""select bad.user_id, min(event_at at time zone 'UTC') as at
            from '{shop.files / "truth" / "events.parquet"}' bad
            join '{shop.files}/events/*.parquet' events using (event_id) group by 1"""
    ).df()
    return frame.set_index("user_id")["at"]


def known_bad(shop: Shop, until: date) -> pd.DataFrame:
    """Bad user-days by what was known at the end of `until`: what the shop knew, right or wrong."""
    with duckdb.connect() as con:
        frame = known_bad_user_days(con, shop.home, until, shop.given["as_of"]).to_pandas()
    return frame.assign(event_day=pd.to_datetime(frame["event_day"]).dt.date)


def judged_user_days(shop: Shop) -> pd.DataFrame:
    """User-days of the test with scores, features, truth and codes; accounts known bad before a day are not in it."""
    frame = read_days(shop, "user_days", TEST, f"user_id, {', '.join(features())}")
    scores = read_days(shop, "scores", TEST, "user_id, risk, arm_surprise")
    frame = frame.merge(scores, on=["user_id", "event_day"], validate="one_to_one")
    frame = frame.merge(truth_of(shop), on=["user_id", "event_day"], how="left", validate="one_to_one")
    known = {day: set(known_bad(shop, day - timedelta(days=1))["user_id"]) for day in TEST}
    is_known = [user in known[day] for user, day in zip(frame["user_id"], frame["event_day"], strict=True)]
    frame = frame[~np.array(is_known)].reset_index(drop=True)
    frame["is_bad"] = frame["typology"].notna()
    frame["day"] = [(day - FIRST).days for day in frame["event_day"]]
    frame["user"] = np.unique(frame["user_id"], return_inverse=True)[1].astype(np.int32)
    before = set(read_days(shop, "user_days", training_days(), "user_id")["user_id"])
    frame["is_new"] = ~frame["user_id"].isin(before)
    frame["known_from"] = frame["user_id"].map(_known_from(known))
    return frame


def training_days() -> list[date]:
    return [FIRST + timedelta(days=n) for n in range(TRAIN_DAYS)]


def _known_from(known: dict[date, set[str]]) -> dict[str, pd.Timestamp]:
    """The first midnight by which an account was known, if any."""
    found: dict[str, pd.Timestamp] = {}
    for day in sorted(known):
        for user in known[day]:
            found.setdefault(user, pd.Timestamp(day))
    return found


def rule_score(frame: pd.DataFrame, rule: str) -> np.ndarray:
    """A rule is a feature and a direction: `spend_amount desc`."""
    name, direction = rule.split()
    values = frame[name].astype(float).to_numpy(na_value=np.nan)
    return np.nan_to_num(values if direction == "desc" else -values, nan=LOWEST)


def best_rules(shop: Shop, first: date, last: date, typologies: list[str]) -> dict[str, str]:
    """Per typology, and for 'all', the rule that catches most accounts known bad by then at REVIEWS a day.

    Chosen by matured labels of the days the stacker learns from; what ties is decided by average precision.
    """
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    frame = read_days(shop, "user_days", days, f"user_id, {', '.join(features())}")
    known = known_bad(shop, UNTIL)[["user_id", "event_day", "typology"]].assign(is_labelled=True)
    frame = frame.merge(known, on=["user_id", "event_day"], how="left")
    labelled = frame["is_labelled"].notna().to_numpy()
    day = np.array([(day - FIRST).days for day in frame["event_day"]])
    codes = np.unique(frame["user_id"], return_inverse=True)[1]
    groups = {"all": labelled, **{name: labelled & (frame["typology"] == name).to_numpy() for name in typologies}}
    best: dict[str, tuple[tuple[int, float], str]] = {}
    for rule in (f"{name} {direction}" for name in features() for direction in ("desc", "asc")):
        score = rule_score(frame, rule)
        is_top = _top_of_days(score, day, codes)
        for name, is_target in groups.items():
            value = len(np.unique(codes[is_top & is_target])), float(np.nan_to_num(average_precision(score, is_target)))
            if name not in best or value > best[name][0]:
                best[name] = value, rule
    return {name: rule for name, (_, rule) in best.items()}


def _top_of_days(score: np.ndarray, day: np.ndarray, user: np.ndarray) -> np.ndarray:
    order = np.lexsort((user, -score, day))
    place = np.empty(len(order), np.int64)
    starts = np.searchsorted(day[order], day[order], side="left")
    place[order] = np.arange(len(order)) - starts
    return place < REVIEWS


def evaluate(
    frame: pd.DataFrame, score: np.ndarray, began: pd.Series, sure_of: Collection[str] | None = ()
) -> dict[str, Measured]:
    """Everything about one score: of all abuse, of each typology, and of new and of known accounts.

    Intervals of the groups `sure_of`, of every one if None.
    """
    is_bad, day, user = (frame[name].to_numpy() for name in ("is_bad", "day", "user"))
    is_caught = reviewed_rows(score, is_bad, day, user, REVIEWS) & is_bad
    cases = detection_cases(frame, is_caught, began)
    account = frame[is_bad].groupby("user", sort=True)[["typology", "is_new"]].first()
    groups = {"all": account.index.to_numpy()}
    groups |= {str(name): of.index.to_numpy() for name, of in account.groupby("typology")}
    groups |= {"new accounts": account.index[account["is_new"]].to_numpy()}
    groups |= {"accounts seen in training": account.index[~account["is_new"]].to_numpy()}
    found = {}
    for name, accounts in groups.items():
        of_group = np.isin(user, accounts)
        rows = ~is_bad | of_group
        target = is_bad & of_group
        delays = cases[cases["user"].isin(accounts)]
        curve = Delays.of(delays["hours"].to_numpy(), delays["is_caught"].to_numpy())
        low, high = np.nan, np.nan
        if sure_of is None or name in sure_of:
            low, high = average_precision_interval(score[rows], target[rows], user[rows], REPEATS)
        found[name] = Measured(
            accounts=len(accounts),
            user_days=int(target.sum()),
            recall=recall_of_accounts(is_caught & of_group, target, user),
            precision=float((is_caught & of_group).sum() / (REVIEWS * len(TEST))),
            cases=len(delays),
            within_24=curve.within(24),
            within_72=curve.within(72),
            median=curve.median,
            ap=average_precision(score[rows], target[rows]),
            ap_low=low,
            ap_high=high,
            curve=curve,
        )
    return found


def detection_cases(frame: pd.DataFrame, is_caught: np.ndarray, began: pd.Series) -> pd.DataFrame:
    """Accounts whose first bad event is in the test: hours to the list that caught them, or to when they were lost.

    The list of a day is out at 04:00 UTC of the next. Not caught: until the last list, or until a label told.
    """
    bad = frame[frame["is_bad"]].groupby("user", sort=True)[["user_id", "known_from"]].first().reset_index()
    caught = frame[is_caught].groupby("user")["event_day"].first()
    bad["began"] = bad["user_id"].map(began)
    bad = bad[bad["began"] >= pd.Timestamp(TEST[0])]
    listed = pd.to_datetime(bad["user"].map(caught)) + pd.Timedelta(hours=28)
    end = pd.Timestamp(TEST[-1]) + pd.Timedelta(hours=28)
    lost = pd.to_datetime(bad["known_from"]).fillna(end).clip(upper=end)
    until = listed.fillna(lost)
    hours = (until - bad["began"]).dt.total_seconds() / 3600
    return bad.assign(hours=hours, is_caught=listed.notna())


def recall_by_budget(frame: pd.DataFrame, score: np.ndarray) -> list[float]:
    is_bad, day, user = (frame[name].to_numpy() for name in ("is_bad", "day", "user"))
    return [
        recall_of_accounts(reviewed_rows(score, is_bad, day, user, reviews) & is_bad, is_bad, user)
        for reviews in BUDGETS
    ]


def risk_of(frame: pd.DataFrame) -> np.ndarray:
    """The product's order as one number: by risk, then by surprise. Without a stacker, by surprise alone."""
    order = np.lexsort((frame["arm_surprise"], frame["risk"].fillna(-1)))
    keys = frame[["risk", "arm_surprise"]].fillna(-1).to_numpy()[order]
    level = np.cumsum(np.append(False, np.any(np.diff(keys, axis=0) != 0, axis=1)))
    score = np.empty(len(frame))
    score[order] = level
    return score


def without_labels_of(shop: Shop, typology: str) -> Shop:
    """The same shop with every label left out that is on a user-day truly of `typology`, however it was named."""
    other = Shop(shop.folder, f"without_{typology}", shop.users, shop.days, shop.seed, shop.bad_share)
    other.files.mkdir(exist_ok=True)
    if not (other.files / "events").exists():
        (other.files / "events").symlink_to(shop.files / "events")
    (other.files / "labels").mkdir(exist_ok=True)
    truth = truth_of(shop)
    gone = set(zip(*truth.loc[truth["typology"] == typology, ["user_id", "event_day"]].to_numpy().T, strict=True))
    for path in sorted((shop.files / "labels").glob("*.csv")):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        days = pd.to_datetime(rows["happened_at"]).dt.date
        is_kept = np.array([key not in gone for key in zip(rows["user_id"], days, strict=True)], np.bool_)
        rows[is_kept].to_csv(other.files / "labels" / path.name, index=False)
    return other


def wrong_share(shop: Shop, lists: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the accounts really listed: how many were not bad that day, and how many never were up to then."""
    truth = truth_of(shop)
    bad_days = set(zip(truth["user_id"], truth["event_day"], strict=True))
    first = truth.groupby("user_id")["event_day"].min().to_dict()
    listed = [(user, of["day"]) for of in lists for user in of["users"]]
    later = date.max
    return {
        "rows": len(listed),
        "lengths": [of["listed"] for of in lists],
        "promised": lists[0]["wrong_share_promised"],
        "expected": float(
            np.average([of["wrong_share_expected"] or 0 for of in lists], weights=[of["listed"] + 1e-9 for of in lists])
        ),
        "found": 1 - sum(row in bad_days for row in listed) / max(1, len(listed)),
        "found_ever": 1 - sum(first.get(user, later) <= day for user, day in listed) / max(1, len(listed)),
        "refused": {str(of["day"]): of["refused"] for of in lists if of["refused"]},
    }


def quiet_lists(abusive: Shop, bundle: str) -> dict[str, Any]:
    """Lists of the shop without abuse: as the product does on its own, then with the abusive shop's bundle."""
    shop = Shop(abusive.folder, "quiet", abusive.users, abusive.days, abusive.seed, abusive.bad_share)
    trained = build(shop, quiet=True)
    with timed("quiet: lists, twice"):
        alone = publish(shop)
        shutil.copytree(bundles.folder(abusive.home, bundle), bundles.folder(shop.home, bundle), dirs_exist_ok=True)
        daily.promote(bundle, shop.given, force=True)
        lent = publish(shop)
        daily.promote(trained["bundle"], shop.given, force=True)  # so that another run finds the home as this one did
    return {
        "why": trained["stacker"]["why"],
        "ranked_by": "risk" if trained["stacker"]["is_used"] else "surprise",
        "alone": [of["listed"] for of in alone],
        "lent": [of["listed"] for of in lent],
        "quiet_percentile": alone[0]["quiet_percentile"],
        "users": [user for of in alone for user in of["users"]],
        "refused": sorted({name for of in alone for name in of["refused"]}),
    }


def measure(shop: Shop) -> dict[str, Any]:
    """All that the page says."""
    trained = build(shop)
    console.print(trained["stacker"])
    with timed("lists"):
        lists = publish(shop)
    frame, began = judged_user_days(shop), first_bad_at(shop)
    typologies = sorted(set(frame["typology"].dropna()))
    learned = trained["stacker"].get("learned_from", [str(FIRST), str(UNTIL - timedelta(days=30))])
    with timed("rules"):
        rules = best_rules(shop, *map(date.fromisoformat, learned), typologies)
    scores = {
        "floor: random": np.random.default_rng(0).random(len(frame)),
        "floor: largest purchase": rule_score(frame, "max_purchase_amount desc"),
        "floor: number of events": rule_score(frame, "event_count desc"),
        "floor: best one-line rule": rule_score(frame, rules["all"]),
        "surprise alone, no labels": frame["arm_surprise"].to_numpy(),
        "Dawnlist": risk_of(frame),
        "ceiling: oracle, same budget": frame["is_bad"].to_numpy().astype(float),
    }
    with timed("measuring"):
        arms = {
            name: evaluate(frame, score, began, None if name == "Dawnlist" else ["all"])
            for name, score in scores.items()
        }
        own = {name: evaluate(frame, rule_score(frame, rules[name]), began)[name] for name in typologies}
    by_budget = {name: recall_by_budget(frame, score) for name, score in scores.items()}
    worst = min(typologies, key=lambda name: (arms["Dawnlist"][name].recall, arms["Dawnlist"][name].ap))
    other = without_labels_of(shop, worst)
    with timed("without the worst typology's labels"):
        load(other)
        untaught = train(other)
        for day in TEST:
            daily.score(day, other.given)
    scores_then = read_days(other, "scores", TEST, "user_id, risk, arm_surprise")
    keys = frame[["user_id", "event_day"]]
    then = keys.merge(scores_then, on=["user_id", "event_day"], how="left", validate="one_to_one")
    taught = evaluate(frame, risk_of(then), began, ["all", worst])
    return {
        "shop": shop,
        "user_days": len(frame),
        "trained": trained,
        "learned": learned,
        "arms": arms,
        "rules": rules,
        "own": own,
        "by_budget": by_budget,
        "worst": worst,
        "untaught": taught,
        "untaught_stacker": untaught["stacker"],
        "calibration": calibration_error(frame["risk"].fillna(0).to_numpy(), frame["is_bad"].to_numpy()),
        "wrong": wrong_share(shop, lists),
        "quiet": quiet_lists(shop, trained["bundle"]),
        "labelled": known_bad(shop, UNTIL)["typology"].value_counts().to_dict(),
        "test": TEST,
        "until": UNTIL,
        "reviews": REVIEWS,
        "budgets": BUDGETS,
    }


def measure_hardness(shop: Shop) -> list[dict[str, Any]]:
    """Per typology against its look-alikes: the best single feature, and boosting over all of them."""
    if not (shop.home / "snapshots" / "user_days").is_dir():
        build(shop)
    days = [FIRST + timedelta(days=n) for n in range(WARM_UP, TRAIN_DAYS + TEST_DAYS)]
    frame = read_days(shop, "user_days", days, f"user_id, {', '.join(features())}")
    user_days = pa.Table.from_pandas(frame)
    truth = duckdb.sql(f"select * from '{shop.files / 'truth' / 'user_days.parquet'}'").to_arrow_table()
    aucs = hardness(user_days, truth).to_pandas()
    told = frame[["user_id", "event_day"]].merge(truth.to_pandas(), on=["user_id", "event_day"], how="left")
    bad, alike = told["typology"].fillna("").to_numpy(), told["look_alike"].map(RESEMBLES).fillna("").to_numpy()
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
    return rows


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=90, help=f"at least {TRAIN_DAYS + TEST_DAYS}")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bad-share", type=float, default=0.005)
    parser.add_argument("--home", type=Path, help="keep the shops and their homes here")
    parser.add_argument("--write", type=Path, help="write the page and its pictures into this folder")
    parser.add_argument("--hardness", action="store_true", help="how hard the shop is, in place of what is found")
    options = parser.parse_args()
    if options.days < TRAIN_DAYS + TEST_DAYS:
        parser.error(f"--days: at least {TRAIN_DAYS + TEST_DAYS}, got {options.days}")
    with tempfile.TemporaryDirectory() as aside, timed("in all"):
        folder = options.home or Path(aside)
        folder.mkdir(parents=True, exist_ok=True)
        shop = Shop(folder, "abusive", options.users, options.days, options.seed, options.bad_share)
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
            table = "\n".join(line for line in page.splitlines() if line.startswith("|"))
            introduction.write_text(within_page(introduction.read_text(), table, "hardness"))


if __name__ == "__main__":
    main()
