"""How surprising each user-day is: for its own user, and among users with as much history."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from pipeline.errors import InputError
from pipeline.files import write_atomically
from pipeline.models.autoencoder import BehaviourAutoencoder, one_thread_each, tensors
from pipeline.models.fields import Fields
from pipeline.models.windows import Ints, Tokens, Windows, assemble, batches

Doubles = NDArray[np.float64]

SURPRISE = "surprise"  # the column user-days are ranked by without labels
WORST = 3  # events per user-day kept for reasons
DECIMALS = 5  # results are rounded, so that the last bits of a float never change a list
LEAST_OWN_EVENTS = 5  # earlier events needed before a user is compared with their own past
LEAST_OWN_SPREAD = 0.5  # nats; a perfectly even past would otherwise make any change infinite
HISTORY_BINS = (0, 1, 5, 16, 64)  # fewest earlier events of each group of users with as much history
LEAST_HELD_OUT = 200  # user-days a bin needs for a distribution of its own


@dataclass(frozen=True)
class Surprise:
    """Scores of n user-days, in nats, in the order of their windows. F fields, categorical first."""

    level: Doubles  # (n,) what user-days are ranked by
    mean: Doubles  # (n,) per event of the day
    per_field: Doubles  # (n, F) mean over the day's events
    worst: Doubles  # (n,) of the day's most surprising event
    own_excess: Doubles  # (n,) NaN with fewer than 5 earlier events
    history: Ints  # (n,) earlier events in the window
    code: Doubles  # (n, code)
    worst_position: Ints  # (n, 3) places in the tokens, most surprising first; -1 where the day has fewer
    worst_fields: Doubles  # (n, 3, F) what each of those events cost per field; NaN where there is none

    def columns(self, fields: Fields) -> dict[str, pa.Array]:
        """The columns of the `scores` snapshot: surprise, surprise_mean, …, surprise_<field>, code_00 …"""
        named = {
            SURPRISE: self.level,
            "surprise_mean": self.mean,
            "surprise_worst_event": self.worst,
            "surprise_own_excess": self.own_excess,
            **{f"surprise_{name}": self.per_field[:, i] for i, name in enumerate(fields.names)},
            **{f"code_{i:02d}": self.code[:, i] for i in range(self.code.shape[1])},
        }
        return {name: pa.array(values, pa.float64(), from_pandas=True) for name, values in named.items()}


def soft_maximum(nats: Doubles, is_own: NDArray[np.bool_]) -> Doubles:
    """log mean exp over each row's own events: the level a user-day is ranked by.

    For a well-fitting model the chance of an event at least x nats too surprising falls like exp(-x), so the
    largest of n such events grows like log n: exactly what the mean takes off again. So one monstrous event
    counts nearly in full, many mildly odd ones count by their common size, and a long day gains nothing by length.
    """
    lowest = np.where(is_own, nats, -np.inf)
    top = lowest.max(axis=1, keepdims=True)
    level: Doubles = top[:, 0] + np.log(np.exp(lowest - top).sum(axis=1) / is_own.sum(axis=1))
    return level


def own_excess(nats: Doubles, mean: Doubles, n_own: Ints, history: Ints) -> Doubles:
    """How far the day's `mean` lies above the median of the row's earlier events, in robust units of these.

    A row holds the day's `n_own` events, then `history` earlier ones. NaN with fewer than 5 of these.
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


def score_windows(
    model: BehaviourAutoencoder,
    fields: Fields,
    tokens: Tokens,
    windows: Windows,
    threads: int = 2,
    batch_events: int = 8192,
) -> Surprise:
    """Score user-days. A score depends on its own window alone, not on its neighbours or how they are batched."""
    n, n_fields = len(windows), len(fields.names)
    result = Surprise(
        level=np.empty(n),
        mean=np.empty(n),
        per_field=np.empty((n, n_fields)),
        worst=np.empty(n),
        own_excess=np.empty(n),
        history=windows.history,
        code=np.empty((n, model.to_code.out_features)),
        worst_position=np.full((n, WORST), -1, np.int64),
        worst_fields=np.full((n, WORST, n_fields), np.nan),
    )

    def score(chosen: Ints) -> None:
        _score_batch(model, fields, tokens, windows.take(chosen), chosen, result)

    model.eval()
    with one_thread_each(threads) as pool:
        for _ in pool.map(score, batches(windows, batch_events)):
            pass
    return result


def _score_batch(
    model: BehaviourAutoencoder, fields: Fields, tokens: Tokens, windows: Windows, rows: Ints, result: Surprise
) -> None:
    """Score a few windows and write them to their `rows` of the result."""
    with torch.inference_mode():
        codes, numbers, lengths = tensors(assemble(tokens, windows, fields.gap_column))
        redrawn, code = model(codes, numbers, lengths)
        cells = model.surprise(codes, numbers, redrawn).numpy()  # (B, T, F)
    nats = cells.sum(axis=2, dtype=np.float64)  # (B, T)
    count = windows.end - windows.today
    is_own = np.arange(nats.shape[1]) < count[:, None]
    mean = np.where(is_own, nats, 0.0).sum(axis=1) / count
    per_field = np.where(is_own[:, :, None], cells, 0.0).sum(axis=1, dtype=np.float64) / count[:, None]
    by_size = np.argsort(np.where(is_own, -nats, np.inf), axis=1, kind="stable")[:, :WORST]
    is_there = np.arange(by_size.shape[1]) < count[:, None]
    all_rows = np.arange(len(rows))
    result.level[rows] = soft_maximum(nats, is_own).round(DECIMALS)
    result.mean[rows] = mean.round(DECIMALS)
    result.per_field[rows] = per_field.round(DECIMALS)
    result.worst[rows] = nats[all_rows, by_size[:, 0]].round(DECIMALS)
    result.own_excess[rows] = own_excess(nats, mean, count, windows.history).round(DECIMALS)
    result.code[rows] = code.numpy().astype(np.float64).round(DECIMALS)
    kept = slice(0, by_size.shape[1])
    result.worst_position[rows, kept] = np.where(is_there, windows.end[:, None] - 1 - by_size, -1)
    worst_cells = cells[all_rows[:, None], by_size].astype(np.float64).round(DECIMALS)
    result.worst_fields[rows, kept] = np.where(is_there[:, :, None], worst_cells, np.nan)


class Distribution(BaseModel):
    """Levels seen on held-out user-days: quantiles, and how the tail goes on beyond the largest."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    least_history: int
    user_days: int
    shares: tuple[float, ...]  # of user-days at or below each level, rising within (0, 1)
    levels: tuple[float, ...]  # rising
    tail_scale: float

    @model_validator(mode="after")
    def rising(self) -> "Distribution":
        if len(self.levels) != len(self.shares) or not self.levels or self.tail_scale <= 0:
            raise ValueError("a distribution needs as many levels as shares and a positive tail")
        if any(np.diff(self.levels) <= 0) or any(np.diff(self.shares) <= 0):
            raise ValueError("levels and shares must rise")
        return self

    @classmethod
    def of(cls, levels: Doubles, least_history: int) -> "Distribution":
        """At most about 1,200 quantiles of `levels`, all of the largest 200 among them."""
        ordered = np.sort(levels)
        n = len(ordered)
        kept = np.unique(np.concatenate([np.linspace(0, n - 1, 1000).astype(int), np.arange(max(n - 200, 0), n)]))
        # of equal levels the last one says how many lie at or below
        kept = np.unique(np.searchsorted(ordered, ordered[kept], side="right") - 1)
        high = np.quantile(ordered, 0.95)
        excess = ordered[ordered > high] - high
        return cls(
            least_history=least_history,
            user_days=n,
            shares=tuple(((kept + 1) / (n + 1)).tolist()),
            levels=tuple(ordered[kept].tolist()),
            tail_scale=max(float(excess.mean()) if len(excess) else 0.0, 1e-3),
        )

    def percentile(self, level: Doubles) -> Doubles:
        """Share of held-out user-days below each level, interpolated.

        Beyond the largest, the share above falls like one over the distance: no claim of a rarity we have not seen,
        yet any two monsters keep their order.
        """
        largest, above = self.levels[-1], 1 - self.shares[-1]
        # interpolation errs in its last bits, where two equal levels must not change places
        between = np.interp(level, [self.levels[0] - self.tail_scale, *self.levels], [0.0, *self.shares])
        inside = np.minimum(between.round(12), self.shares[-1])
        beyond = 1 - above / (1 + np.maximum(level - largest, 0.0) / self.tail_scale)
        return np.where(level > largest, beyond, inside)


class Reference(BaseModel):
    """Surprise of held-out later days, for users with as much history as each other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bins: tuple[Distribution, ...]
    pooled: Distribution

    @classmethod
    def of(cls, level: Doubles, history: Ints) -> "Reference":
        """From user-days the model was not trained on. A bin with fewer than 200 of them is left to the pool."""
        if not len(level):
            raise InputError("no held-out user-days to compare surprise with", fix="train until a later day")
        bin_of = np.searchsorted(HISTORY_BINS, history, side="right") - 1
        groups = [(least, level[bin_of == i]) for i, least in enumerate(HISTORY_BINS)]
        bins = tuple(Distribution.of(seen, least) for least, seen in groups if len(seen) >= LEAST_HELD_OUT)
        return cls(bins=bins, pooled=Distribution.of(level, 0))

    def percentile(self, level: Doubles, history: Ints) -> Doubles:
        """Where user-days fall among held-out ones with as much history, in 0..1; never decreasing in `level`."""
        bin_of = np.searchsorted(HISTORY_BINS, history, side="right") - 1
        result = self.pooled.percentile(level)
        for distribution in self.bins:
            same = bin_of == HISTORY_BINS.index(distribution.least_history)
            result[same] = distribution.percentile(level[same])
        return result

    def level_at(self, share: float) -> float:
        """The pooled level that this share of held-out user-days stays below."""
        return float(np.interp(share, self.pooled.shares, self.pooled.levels))

    def save(self, path: Path) -> None:
        write_atomically(path, self.model_dump_json() + "\n")

    @classmethod
    def load(cls, path: Path) -> "Reference":
        """Raises InputError if the file is missing or is not ours."""
        try:
            return cls.model_validate_json(path.read_text())
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            found = str(error).splitlines()[0]
            fix = "roll back to another bundle, or train again"
            raise InputError(f"cannot read the surprise reference from {path.name}", found, fix=fix) from None
