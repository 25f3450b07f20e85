"""The same distributions as pictures, the same bytes every time."""

from pathlib import Path

import numpy as np
import pandas as pd
from likeness.measures import MEASURES
from likeness.samples import ShopPair
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

REAL, SIMULATED = "#1b6ca8", "#d1592a"

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


def draw(pairs: dict[str, ShopPair], folder: Path, kind: str = "svg") -> None:
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


def _sides(pair: ShopPair) -> list[tuple[str, pd.DataFrame, str]]:
    return [("real", pair.real, REAL), ("simulated", pair.simulated, SIMULATED)]


def _panel(axis: plt.Axes, pair: ShopPair, measure: str) -> None:
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
