"""How surprising is usual: surprise on held-out days, and the percentile of a user-day among them."""

from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from pipeline.arrays import Doubles, Ints
from pipeline.errors import InputError
from pipeline.models.parts import read_part
from pipeline.storage.files import write_atomically

HISTORY_BINS = (0, 1, 5, 16, 64)  # fewest earlier events of each group of users with as much history
LEAST_HELD_OUT = 200  # user-days a bin needs for a distribution of its own


class Distribution(BaseModel):
    """Levels of surprise on held-out user-days: quantiles, and the tail beyond the largest."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    least_history: int
    user_days: int
    shares: tuple[float, ...]  # of user-days at or below each level, rising within (0, 1)
    levels: tuple[float, ...]  # rising
    tail_scale: float

    @model_validator(mode="after")
    def rising(self) -> Self:
        if len(self.levels) != len(self.shares) or not self.levels or self.tail_scale <= 0:
            raise ValueError("a distribution needs as many levels as shares and a positive tail")
        if any(np.diff(self.levels) <= 0) or any(np.diff(self.shares) <= 0):
            raise ValueError("levels and shares must rise")
        return self

    @classmethod
    def of(cls, levels: Doubles, least_history: int) -> Self:
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

        Beyond the largest, the share above falls like one over the distance. That claims no rarity that was never
        measured, and any two monsters keep their order.
        """
        largest, above = self.levels[-1], 1 - self.shares[-1]
        # interpolation errs in its last bits, where two equal levels must not change places
        between = np.interp(level, [self.levels[0] - self.tail_scale, *self.levels], [0.0, *self.shares])
        inside = np.minimum(between.round(12), self.shares[-1])
        beyond = 1 - above / (1 + np.maximum(level - largest, 0.0) / self.tail_scale)
        return np.where(level > largest, beyond, inside)


class Reference(BaseModel):
    """Surprise of held-out later days, by how much history the users have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bins: tuple[Distribution, ...]
    pooled: Distribution

    @classmethod
    def of(cls, level: Doubles, history: Ints) -> Self:
        """From user-days the model was not trained on. A bin with fewer than 200 of them uses the pool."""
        if not len(level):
            raise InputError("no held-out user-days to compare surprise with", fix="train until a later day")
        bin_of = np.searchsorted(HISTORY_BINS, history, side="right") - 1
        groups = [(least, level[bin_of == i]) for i, least in enumerate(HISTORY_BINS)]
        bins = tuple(Distribution.of(levels, least) for least, levels in groups if len(levels) >= LEAST_HELD_OUT)
        return cls(bins=bins, pooled=Distribution.of(level, 0))

    def percentile(self, level: Doubles, history: Ints) -> Doubles:
        """The rank of user-days among held-out ones with as much history, in 0..1; never decreasing in `level`."""
        bin_of = np.searchsorted(HISTORY_BINS, history, side="right") - 1
        result = self.pooled.percentile(level)
        for distribution in self.bins:
            same = bin_of == HISTORY_BINS.index(distribution.least_history)
            result[same] = distribution.percentile(level[same])
        return result

    def save(self, path: Path) -> None:
        write_atomically(path, self.model_dump_json() + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises InputError if the file is missing or damaged."""
        return read_part(path, cls)
