"""Common mistakes in articles' sample code, beside our way, on the same small data.

    python benchmarks/articles.py [--write docs/articles.md]

It uses torch directly and no part of the product. Cells are the mean of five seeds, with the lowest and highest in
brackets. The second column is wiki_edits, if $RISK_DATASETS has it.
"""

import argparse
import functools
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from article.networks import (
    CellNet,
    EventCnn,
    FeatureImage,
    LastSample,
    LastStep,
    NewestEvent,
    TableImage,
    aggregates,
    fit,
    scores,
)
from article.streams import Streams, order_and_timing, sliding_days, wiki_edits
from rich.console import Console
from sklearn.metrics import average_precision_score, roc_auc_score

SEEDS = range(5)
REVIEWS = 100
GAP = 7  # days, a label's delay and a window's length but one
Make = Callable[[Streams], torch.nn.Module]


def shown(values: list[float]) -> str:
    finite = [value for value in values if np.isfinite(value)]
    return f"{np.mean(finite):.3f} ({min(finite):.3f} .. {max(finite):.3f})" if finite else "-"


def auc(net: torch.nn.Module, test: Streams, batch: int = 500) -> float:
    """The AUC, or 0.5 if a score is not finite."""
    found = scores(net, test, batch)
    return float(roc_auc_score(test.is_bad, found)) if np.isfinite(found).all() else 0.5


def order_data(seed: int) -> tuple[Streams, Streams]:
    return order_and_timing(1600, seed), order_and_timing(1600, 1000 + seed)


def wiki_data(seed: int) -> tuple[Streams, Streams]:
    found = wiki_edits()
    assert found is not None
    return found


def last_step() -> list[list[str]]:
    """Batches are as large as windows are long: only then does `out[-1]` have a shape that trains."""
    reads: list[tuple[str, Make]] = [
        ("`out[-1]`: the last sample", LastSample),
        ("`out[:, -1]`: the last step, padding or not", LastStep),
        ("the newest event of each", NewestEvent),
    ]
    rows = [
        ["read from the LSTM", "generated: AUC", "wiki_edits: AUC", "moved by batch mates", "moved by more padding"]
    ]
    for name, make in reads:
        found: dict[str, list[float]] = {"generated": [], "wiki": [], "mates": [], "padding": []}
        for seed in SEEDS:
            for data, load in columns():
                train, test = load(seed)
                width = train.values.shape[1]
                test = test.take(torch.arange(len(test.is_bad) // width * width))
                net = fit(make, train, seed, epochs=8, batch=width)
                found[data].append(auc(net, test, batch=width))
                if data == "generated":
                    found["mates"].append(moved_by_mates(net, test, width, seed))
                    found["padding"].append(moved(net, test, test.padded(width), width))
        moves = [f"{np.mean(found[why]):.0%} of scores" for why in ("mates", "padding")]
        rows.append([name, shown(found["generated"]), shown(found["wiki"]), *moves])
    return rows


def moved_by_mates(net: torch.nn.Module, test: Streams, batch: int, seed: int) -> float:
    """Share of accounts whose score changes in a batch with other accounts."""
    order = torch.randperm(len(test.is_bad), generator=torch.Generator().manual_seed(seed))
    elsewhere = np.empty(len(order))
    elsewhere[order.numpy()] = scores(net, test.take(order), batch)
    return float(np.mean(np.abs(elsewhere - scores(net, test, batch)) > 1e-4))


def moved(net: torch.nn.Module, test: Streams, other: Streams, batch: int) -> float:
    """Share of accounts whose score changes. All, if there is not one score per account."""
    found = scores(net, other, batch)
    return float(np.mean(np.abs(found - scores(net, test, batch)) > 1e-4)) if len(found) == len(test.is_bad) else 1.0


def relu_lstm() -> list[list[str]]:
    """One cell, two activations, the same first weights, no clipping; then windows eight times as long."""
    head = [
        "activation",
        "learning rate",
        "generated: AUC",
        "wiki_edits: AUC",
        "AUC, 128 events",
        "largest cell state seen",
    ]
    rows = [head]
    for rate in (0.003, 0.03):
        for name, activation in (("relu", torch.relu), ("tanh", torch.tanh)):
            found: dict[str, list[float]] = {"generated": [], "wiki": [], "long": [], "state": []}
            for seed in SEEDS:
                for data, load in columns():
                    train, test = load(seed)
                    net = fit(functools.partial(CellNet, activation=activation), train, seed, epochs=10, rate=rate)
                    found[data].append(auc(net, test))
                    if data == "generated":
                        found["long"].append(auc(net, order_and_timing(800, 2000 + seed, 128, 128)))
                        found["state"].append(net.largest)
            rows.append([name, f"{rate}", *(shown(found[column]) for column in ("generated", "wiki", "long"))])
            rows[-1].append(f"{min(found['state']):,.0f} .. {max(found['state']):,.0f}")
    return rows


def accuracy() -> list[list[str]]:
    """0.7 % of accounts are bad, as among card payments."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in SEEDS:
        train, test = (order_and_timing(10_000, extra + seed, bad_share=0.007) for extra in (0, 1000))
        net = fit(EventCnn, train, seed, epochs=6)
        is_bad = test.is_bad.numpy()
        chance = 1 / (1 + np.exp(-scores(net, test)))
        constant = np.random.default_rng(seed).random(len(is_bad)) * 1e-9
        for name, risk in (("never bad", constant), ("1-D CNN", chance)):
            top = np.argsort(-risk, kind="stable")[:REVIEWS]
            row = np.mean((risk > 0.5) == is_bad), average_precision_score(is_bad, risk), is_bad[top].mean()
            found.setdefault(name, []).append(row)
    rows = [["", "accuracy", "average precision", f"precision at {REVIEWS} reviews"]]
    return rows + [
        [name, *(shown(list(column)) for column in zip(*cells, strict=True))] for name, cells in found.items()
    ]


def random_split() -> list[list[str]]:
    """The same network and past; only which part of it validates differs. Both are tested on the ten days after."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in SEEDS:
        days = sliding_days(accounts=250, days=40, seed=seed)
        later = (days.day >= 30) & (days.first_bad >= 30 - GAP)  # without accounts known by then
        drawn = np.random.default_rng(seed).random(len(days.day)) < 0.2
        past, last = days.day < 30, (days.day >= 25) & (days.day < 30)
        splits = {
            "a random fifth": (past & ~drawn, past & drawn),
            "the last five days": (past & ~last, last),
            "the same, after a gap, known accounts left out": (
                days.day < 25 - GAP,
                last & (days.first_bad >= 25 - GAP),
            ),
        }
        for name, (learn, valid) in splits.items():
            net = fit(EventCnn, days.streams.take(learn), seed, epochs=10)
            validation, later_auc = (auc(net, days.streams.take(part)) for part in (valid, later))
            found.setdefault(name, []).append((validation, later_auc, validation - later_auc))
    rows = [["validated on", "AUC in validation", "AUC on the ten days after", "difference"]]
    return rows + [
        [name, *(shown(list(column)) for column in zip(*cells, strict=True))] for name, cells in found.items()
    ]


def images() -> list[list[str]]:
    """Feature images are drawn with the features in another order for each seed: there is no right one."""
    rows = [["", "generated: AUC", "wiki_edits: AUC"]]
    kinds: list[tuple[str, Make]] = [
        ("2-D CNN, features as a square image", FeatureImage),
        ("2-D CNN, table of events and fields as an image", TableImage),
        ("1-D CNN over events", EventCnn),
    ]
    for name, make in kinds:
        found: dict[str, list[float]] = {"generated": [], "wiki": []}
        for seed in SEEDS:
            for data, load in columns():
                train, test = load(seed)
                found[data].append(auc(fit(make, train, seed, epochs=12), test))
        rows.append([name, shown(found["generated"]), shown(found["wiki"])])
    rows.append(["XGBoost, the same features, no image", *(shown(boosted(data)) for data in ("generated", "wiki"))])
    return rows


def boosted(data: str) -> list[float]:
    """AUC of trees on the features of the image. Empty where the data is absent."""
    import xgboost as xgb

    found = []
    for seed in SEEDS:
        for name, load in columns():
            if name == data:
                train, test = load(seed)
                model = xgb.XGBClassifier(n_estimators=150, max_depth=4, learning_rate=0.1, random_state=seed, n_jobs=2)
                model.fit(aggregates(train).numpy(), train.is_bad.numpy())
                found.append(float(roc_auc_score(test.is_bad, model.predict_proba(aggregates(test).numpy())[:, 1])))
    return found


Load = Callable[[int], tuple[Streams, Streams]]


def columns(generated: Load = order_data) -> list[tuple[str, Load]]:
    return [("generated", generated), *([("wiki", wiki_data)] if wiki_edits() else [])]


SECTIONS = {
    "last-step": last_step,
    "relu": relu_lstm,
    "accuracy": accuracy,
    "split": random_split,
    "image": images,
}


def as_markdown(rows: list[list[str]]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body])


def put(page: str, name: str, table: str) -> str:
    """The page with the table between the markers of its name."""
    block = re.compile(rf"<!-- {name} -->\n.*?<!-- end -->", re.DOTALL)
    assert len(block.findall(page)) == 1, f"the page needs one place for {name}"
    return block.sub(lambda _: f"<!-- {name} -->\n{table}\n<!-- end -->", page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help="put the tables between their markers in this page")
    parser.add_argument("--only", choices=SECTIONS, help="one section")
    options = parser.parse_args()
    torch.set_num_threads(1)  # small networks only wait for a second one
    page = options.write.read_text() if options.write else ""
    for name, measure in SECTIONS.items():
        if options.only not in (None, name):
            continue
        before = time.monotonic()
        table = as_markdown(measure())
        console.print(f"{name}, {time.monotonic() - before:.0f} s\n{table}\n", markup=False, soft_wrap=True)
        if options.write:
            page = put(page, name, table)
    if options.write:
        options.write.write_text(page)


console = Console(width=160)

if __name__ == "__main__":
    main()
