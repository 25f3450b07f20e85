"""How similar are the simulated shop and real ones? Compares distributions, and trains a classifier between them.

    python benchmarks/realism.py [--users 20000 --days 30 --seed 7] [--write docs/marketplace]

Each of three real samples is compared on the fields it shares with the simulation. Both sides have the same window
of time, kinds of events and number of sessions. Beside every distance is the distance between two halves of the real
sample. Only summaries are written, never a real row. Needs $RISK_DATASETS with clicks/ and retail/.
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
from datasets import dataset
from likeness.classifier import separability, shops_apart
from likeness.measures import QUANTILES, compared, ratio_rows
from likeness.pictures import PICTURES, draw
from likeness.samples import RETAIL_DAYS, ShopPair, clicks, orders, simulated_events, store
from rich.console import Console

console = Console(width=130)

INTRODUCTION = """\
Made by `python benchmarks/realism.py --users {users} --days {days} --seed {seed} --write docs/marketplace`. Three
public samples of real shops, on the fields they share with the simulation, cut the same way on both sides. Only
summaries are kept here, no row of theirs.

A classifier (XGBoost, five folds, no user in two of them) is given as many simulated sessions as real ones and says
which is which. AUC 0.5 would be a perfect simulation; at 1 anybody can tell. The baseline is the same
classifier on two halves of the real sample (the mean of five splits); the interval is by bootstrap over sessions."""

SHORT = """\
Part of that is which shop it is: no shop can be like all of them. So here is how well two real shops are told from
each other, and the simulated one from either, by the same classifier on all that the samples have in common: the pace
and the items of sessions of two and more views, cut into half hours."""

MEANING = """\
What it means for results on the simulated shop: they compare methods, and say where they fail; they are no forecast
of what a list finds in a real shop."""

ADJUSTED = """\
A first look at these samples led to a change of six numbers in the simulator: how often a visit ends in a purchase,
how often in a cart only, the pace, and how many things are looked at. So all that is said here of these four habits is
how well six numbers fit, not a test of them. They were set by the curves and the funnel, not by the classifier."""

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


def page(pairs: dict[str, ShopPair], options: argparse.Namespace) -> str:
    results = {name: separability(pair, np.random.default_rng(0)) for name, pair in pairs.items()}
    lines = ["# How like a real shop the simulated one is", "", *INTRODUCTION.format(**vars(options)).splitlines(), ""]
    lines += table(
        ["real sample", "sessions of each", "AUC (95 %)", "baseline: halves of the real one", "most gain (AUC alone)"],
        [
            [
                f"{name}: {pairs[name].source}",
                f"{result.rows:,}",
                result.auc,
                f"{result.halves:.3f}",
                ", ".join(f"{feature} ({result.alone[feature]:.2f})" for feature in result.gains.index[:3]),
            ]
            for name, result in results.items()
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
        "## What was adjusted",
        "",
        *ADJUSTED.splitlines(),
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
        header = ["", "", *(f"{100 * q:.0f} %" for q in QUANTILES), "KS (baseline)", "shift (baseline)"]
        lines += table(header, compared(pair, np.random.default_rng(0)))
        lines += table(
            ["", "real", "simulated", "between halves of the real one"], ratio_rows(pair, np.random.default_rng(0))
        )
        result = results[name]
        lines += table(
            ["feature", "gain", "AUC alone"],
            [
                [feature, f"{result.gains[feature]:.2f}", f"{result.alone[feature]:.3f}"]
                for feature in result.gains.index
            ],
        )
        steps = "; ".join(f"without {feature} {auc:.3f}" for feature, auc in result.without)
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
