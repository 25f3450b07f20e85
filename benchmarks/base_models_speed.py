"""How fast every base model trains and scores, beside its bare network on tensors that already lie in memory.

    python benchmarks/base_models_speed.py [--users 20000] [--threads 2] [--windows 4000] [MODEL …]

It makes tokens of 28 days (like sequence_speed.py) and random labels. Training is timed as a whole `fit`: sampling,
batching and validation count too, but only windows learned from count as done. The bare network does forward and
backward passes only. Scoring is `score` on the last day's user-days. Prints a table, or JSON with `--json`.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sequence_speed import CATEGORICAL, LAST, NUMERIC, invent
from torch import Tensor, nn

from pipeline.catalogue import features
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.models.nn import training
from pipeline.models.nn.autoencoder import BehaviourAutoencoder
from pipeline.models.nn.batch import WindowBatch, read_batch
from pipeline.models.nn.next_event import NextEventNetwork
from pipeline.models.nn.supervised import RiskNetwork
from pipeline.models.nn.vae import VariationalAutoencoder
from pipeline.models.samples import Samples
from pipeline.models.tokens.fitting import fit_fields
from pipeline.models.tokens.reading import distinct_users, load_tokens
from pipeline.models.tokens.windows import batches, user_day_windows

BATCH_EVENTS = {"train": 4096, "score": 8192}
UNITS = ("windows/s", "events/s", "bare events/s", "of bare")


def make_samples(con: duckdb.DuckDBPyConnection, folder: Path, users: int) -> Samples:
    """User-days of the last ten days of `users` accounts, 2 % of them bad."""
    paths = invent(con, folder, users, 0)
    accounts = distinct_users(con, paths)
    fields = fit_fields(con, paths, CATEGORICAL, NUMERIC, accounts)
    tokens = load_tokens(con, paths, fields, accounts)
    windows = user_day_windows(tokens, LAST - timedelta(10), LAST)
    random = np.random.default_rng(0)
    columns = tuple(features())
    rows = random.poisson(1.0, (len(windows), len(columns))).astype(np.float32)
    is_bad = (random.random(len(accounts)) < 0.02)[windows.user]
    return Samples(tokens, fields, windows, columns, rows, is_bad, is_bad, np.ones(len(windows)))


def reader(model: nn.Module) -> Callable[[WindowBatch], Tensor]:
    """A network's output as one differentiable number per window."""
    if isinstance(model, RiskNetwork):
        return model
    if isinstance(model, VariationalAutoencoder):
        return model.negative_bound
    if isinstance(model, NextEventNetwork):
        return lambda window: model(window).masked_fill(~window.is_event, 0.0).sum(dim=1)
    assert isinstance(model, BehaviourAutoencoder)

    def redraw(window: WindowBatch) -> Tensor:
        nats, _ = model(window)
        return nats.sum(dim=(1, 2))

    return redraw


def bare_seconds(model: nn.Module, ready: list[WindowBatch], threads: int, is_training: bool) -> float:
    """Seconds of the bare passes over `ready`."""
    read, parameters = reader(model), list(model.parameters())

    def one(window: WindowBatch) -> None:
        if is_training:
            torch.autograd.grad(read(window).sum(), parameters, allow_unused=True)
            return
        with torch.inference_mode():
            read(window)

    with training.one_thread_each(threads) as pool:
        list(pool.map(one, ready[:4]))
        began = time.perf_counter()
        list(pool.map(one, ready))
        return time.perf_counter() - began


class Learned:
    """Windows and events that training passed over."""

    windows = 0
    events = 0


@contextmanager
def counted() -> Iterator[Learned]:
    """Count the windows the training loop learns from. Validation reads without gradients and is not counted."""
    learned, as_it_is = Learned(), training.read_batch

    def counting(*arguments: Any) -> WindowBatch:
        window = as_it_is(*arguments)
        if not torch.is_inference_mode_enabled():
            learned.windows += len(window.lengths)
            learned.events += int(window.lengths.sum())
        return window

    training.read_batch = counting
    try:
        yield learned
    finally:
        training.read_batch = as_it_is


def ready_windows(samples: Samples, what: str) -> list[WindowBatch]:
    """A sample of the batches in memory, newest event first."""
    groups = list(batches(samples.windows, BATCH_EVENTS[what]))
    chosen = groups[:: max(len(groups) // 60, 1)]
    return [read_batch(samples.sequences.take(group)) for group in chosen]


def measure(name: str, samples: Samples, n_windows: int, threads: int) -> dict[str, float]:
    """Throughput of one base model in windows and events per second, and its share of the bare network's."""

    def some(back: int, until: int, at_most: int) -> Samples:
        part = samples.between(LAST - timedelta(back), LAST - timedelta(until))
        return part.take(np.sort(np.random.default_rng(back).permutation(len(part))[:at_most]))

    learn, stop, last = some(10, 3, n_windows), some(2, 1, n_windows // 4), some(0, 0, 4 * n_windows)
    with counted() as learned:
        began = time.perf_counter()
        scorer = BASE_MODELS[name].fit(learn, stop, 7, threads, False)
        fit_s = time.perf_counter() - began
    began = time.perf_counter()
    scorer.score(last, threads)
    score_s = time.perf_counter() - began
    done = {
        "train": (learn, learned.windows / fit_s, learned.events / fit_s),
        "score": (last, len(last) / score_s, int(last.windows.length.sum()) / score_s),
    }
    result = {"fit_s": fit_s}
    for what, (part, windows, events) in done.items():
        result |= {f"{what}_windows_per_s": windows, f"{what}_events_per_s": events}
        if isinstance(model := getattr(scorer, "model", None), nn.Module):
            ready = ready_windows(part, what)
            n_events = sum(int(window.lengths.sum()) for window in ready)
            bare = n_events / bare_seconds(model, ready, threads, what == "train")
            result |= {f"{what}_bare_events_per_s": bare, f"{what}_share_of_bare": events / bare}
    return result


def table(results: dict[str, dict[str, float]]) -> Table:
    """Base models by name; throughput in windows and events per second."""
    shown = Table("base model", "fit s", *(f"{what} {unit}" for what in ("train", "score") for unit in UNITS))
    for name, result in results.items():
        cells = [f"{result['fit_s']:.1f}"]
        for what in ("train", "score"):
            cells += [f"{result[f'{what}_windows_per_s']:,.0f}", f"{result[f'{what}_events_per_s']:,.0f}"]
            share = result.get(f"{what}_share_of_bare")
            bare = result.get(f"{what}_bare_events_per_s")
            cells += ["" if bare is None else f"{bare:,.0f}", "" if share is None else f"{share:.0%}"]
        shown.add_row(name, *cells)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base_models", nargs="*", metavar="MODEL", help=f"of {', '.join(BASE_MODELS)}; default: all")
    parser.add_argument("--users", type=int, default=20_000, help="active on the last day")
    parser.add_argument("--windows", type=int, default=4000, help="learned from")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if unknown := sorted(set(options.base_models) - set(BASE_MODELS)):
        parser.error(f"no such base model: {', '.join(unknown)}")
    con = duckdb.connect(config={"threads": options.threads, "memory_limit": "2GB"})
    with tempfile.TemporaryDirectory() as folder:
        samples = make_samples(con, Path(folder), options.users)
    results = {
        name: measure(name, samples, options.windows, options.threads) for name in options.base_models or BASE_MODELS
    }
    if options.json:
        rounded = {model: {name: round(value, 3) for name, value in found.items()} for model, found in results.items()}
        print(json.dumps(rounded, indent=1))
    else:
        Console(width=160).print(table(results))


if __name__ == "__main__":
    main()
