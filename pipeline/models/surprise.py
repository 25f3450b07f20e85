"""How surprising each user-day is: the network's nats per event, summed up per user-day.

There are two networks, each for one half of the accounts, and none reads an account that it learned from. So an
account is as surprising on days of the training as it will be later (cross-fitting: Chernozhukov et al., 2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from pipeline.arrays import Doubles, Flags, Floats, Ints
from pipeline.models.nn.autoencoder import BehaviourAutoencoder
from pipeline.models.nn.batch import WindowBatch
from pipeline.models.nn.training import SCORED_EVENTS, map_batches, one_thread_each
from pipeline.models.tokens.fields import Fields
from pipeline.models.tokens.windows import Sequences

WORST = 3  # events per user-day kept for reasons
DECIMALS = 5  # results are rounded, so that the last bits of a float never change a list
LEAST_OWN_EVENTS = 5  # earlier events needed before a user is compared with their own past
LEAST_OWN_SPREAD = 0.5  # nats; a perfectly even past would otherwise make any change infinite


@dataclass(frozen=True)
class Surprise:
    """Scores of n user-days in nats, in the order of their windows. F fields, categorical first."""

    level: Doubles  # (n,) of the day as a whole
    mean: Doubles  # (n,) per event of the day
    per_field: Doubles  # (n, F) mean over the day's events
    worst: Doubles  # (n,) of the day's most surprising event
    own_excess: Doubles  # (n,) NaN with fewer than 5 earlier events
    history: Ints  # (n,) earlier events in the window
    code: Doubles  # (n, code); no columns where nobody asked for it
    worst_position: Ints  # (n, 3) places in the tokens, most surprising first; -1 where the day has fewer
    worst_fields: Doubles  # (n, 3, F) nats of each of those events per field; NaN where there is none

    def columns(self, fields: Fields) -> dict[str, pa.Array]:
        """The columns of the `scores` snapshot: surprise, surprise_mean, …, surprise_<field>."""
        named = {
            "surprise": self.level,
            "surprise_mean": self.mean,
            "surprise_worst_event": self.worst,
            "surprise_own_excess": self.own_excess,
            **{f"surprise_{name}": self.per_field[:, i] for i, name in enumerate(fields.names)},
        }
        return {name: pa.array(values, pa.float64(), from_pandas=True) for name, values in named.items()}


def soft_maximum(nats: Doubles, is_own: Flags) -> Doubles:
    """log mean exp over each row's own events: the level a user-day is ranked by.

    For a well-fitting model, the chance of an event at least x nats too surprising falls like exp(-x). So the largest
    of n such events grows like log n, and the mean takes exactly that off again. One monstrous event counts nearly in
    full, many mildly odd ones count by their common size, and a long day gains nothing by its length.
    """
    lowest = np.where(is_own, nats, -np.inf)
    top = lowest.max(axis=1, keepdims=True)
    level: Doubles = top[:, 0] + np.log(np.exp(lowest - top).sum(axis=1) / is_own.sum(axis=1))
    return level


def own_excess(nats: Doubles, mean: Doubles, n_own: Ints, history: Ints) -> Doubles:
    """How far the day's `mean` lies above the median of the row's earlier events, in their robust units.

    A row holds the day's `n_own` events, then `history` earlier ones. NaN with fewer than 5 earlier ones.
    """
    steps = np.arange(nats.shape[1])
    is_earlier = (steps >= n_own[:, None]) & (steps < (n_own + history)[:, None])
    ordered = np.sort(np.where(is_earlier, nats, np.inf), axis=1)
    rows = np.arange(len(nats))

    def quantile(share: float) -> Doubles:
        at = share * np.maximum(history - 1, 0)
        low = np.floor(at).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(history - 1, 0))
        value: Doubles = ordered[rows, low] * (1 - (at - low)) + ordered[rows, high] * (at - low)
        return value

    with np.errstate(invalid="ignore"):
        spread = np.maximum((quantile(0.75) - quantile(0.25)) / 1.349, LEAST_OWN_SPREAD)
        excess: Doubles = (mean - quantile(0.5)) / spread
    return np.where(history >= LEAST_OWN_EVENTS, excess, np.nan)


def learned_columns(surprise: Surprise, fields: Fields) -> dict[str, Doubles]:
    """The autoencoder's columns for the stacker, by name: surprise and its parts. NaN for unknown.

    Not the code: it comes from one model, which has learned from half of the accounts.
    """
    return {name: column.to_numpy(zero_copy_only=False) for name, column in surprise.columns(fields).items()}


def score_windows(
    models: Sequence[BehaviourAutoencoder],
    sequences: Sequences,
    threads: int = 2,
    batch_events: int = SCORED_EVENTS,
    with_code: bool = False,
) -> Surprise:
    """Score user-days, those of each half of the accounts by its own model; a single model scores all of them.

    Codes all come from the first model, because two models have different axes. A score depends on its own window
    alone, not on its neighbours or how they are batched.
    """
    n, n_fields = len(sequences), len(sequences.fields.names)
    first = models[0]
    result = Surprise(
        level=np.empty(n),
        mean=np.empty(n),
        per_field=np.empty((n, n_fields)),
        worst=np.empty(n),
        own_excess=np.empty(n),
        history=sequences.windows.history,
        code=np.empty((n, first.to_code.out_features if with_code else 0)),
        worst_position=np.full((n, WORST), -1, np.int64),
        worst_fields=np.full((n, WORST, n_fields), np.nan),
    )

    def score(model: BehaviourAutoencoder, of_model: Ints, batch: WindowBatch, chosen: Ints) -> None:
        rows = of_model[chosen]
        nats, code = model(batch)
        if with_code:
            code = code if model is first else first.encode(batch)
            result.code[rows] = code.numpy().astype(np.float64).round(DECIMALS)
        _sum_up(nats.numpy(), sequences.windows.end[rows], sequences.windows.own[rows], rows, result)

    half = sequences.half if len(models) > 1 else np.zeros(n, np.int64)
    with one_thread_each(threads) as pool:
        for place, model in enumerate(models):
            model.eval()
            of_model = np.flatnonzero(half == place)
            read = partial(score, model, of_model)
            for _ in map_batches(model, sequences.take(of_model), read, pool, batch_events):
                pass
    return result


def _sum_up(cells: Floats, end: Ints, own: Ints, rows: Ints, result: Surprise) -> None:
    """Write a few windows' nats (B, T, F) to their `rows` of the result. A window ends before token `end`."""
    nats = cells.sum(axis=2, dtype=np.float64)  # (B, T)
    is_own = np.arange(nats.shape[1]) < own[:, None]
    mean = np.where(is_own, nats, 0.0).sum(axis=1) / own
    per_field = np.where(is_own[:, :, None], cells, 0.0).sum(axis=1, dtype=np.float64) / own[:, None]
    by_size = np.argsort(np.where(is_own, -nats, np.inf), axis=1, kind="stable")[:, :WORST]
    is_there = np.arange(by_size.shape[1]) < own[:, None]
    all_rows = np.arange(len(rows))
    result.level[rows] = soft_maximum(nats, is_own).round(DECIMALS)
    result.mean[rows] = mean.round(DECIMALS)
    result.per_field[rows] = per_field.round(DECIMALS)
    result.worst[rows] = nats[all_rows, by_size[:, 0]].round(DECIMALS)
    result.own_excess[rows] = own_excess(nats, mean, own, result.history[rows]).round(DECIMALS)
    kept = slice(0, by_size.shape[1])
    result.worst_position[rows, kept] = np.where(is_there, end[:, None] - 1 - by_size, -1)
    worst_cells = cells[all_rows[:, None], by_size].astype(np.float64).round(DECIMALS)
    result.worst_fields[rows, kept] = np.where(is_there[:, :, None], worst_cells, np.nan)
