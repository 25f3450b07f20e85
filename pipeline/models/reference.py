"""How surprising is usual: surprise of accounts that a model did not learn from, and a user-day's percentile among it.

Beyond a level that at most one of twenty user-days exceeds, chances follow a generalised Pareto distribution: peaks
over a threshold (Pickands, 1975; Hosking and Wallis, 1987). So a group of few user-days can have rare ones too.
"""

from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.arrays import Doubles, Ints
from pipeline.errors import InputError
from pipeline.models.parts import read_part
from pipeline.storage.files import write_atomically

HISTORY_BINS = (0, 1, 5, 16, 64)  # fewest earlier events of each group of users with as much history
LEAST_HELD_OUT = 200  # user-days a bin needs for a distribution of its own
TAIL, MOST_IN_TAIL = 0.05, 500  # of the user-days above the threshold: their share, and their number
MOST_SHAPE = 0.5  # heavier tails have no variance, and are never what a few hundred user-days can show
LEAST_SCALE = 1e-3  # of a tail
LEAST_CHANCE = 1e-15  # smaller ones are lost in the last bits of a percentile


class Distribution(BaseModel):
    """Levels on held-out user-days: quantiles up to the threshold, and the tail beyond the last level."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    least_history: int
    user_days: int
    shares: tuple[float, ...]  # of user-days at or below each level, rising within (0, 1)
    levels: tuple[float, ...]  # rising; the last is the tail's threshold
    tail_scale: float = Field(gt=0)
    tail_shape: float = Field(ge=0, le=MOST_SHAPE)

    @model_validator(mode="after")
    def rising(self) -> Self:
        if len(self.levels) != len(self.shares) or not self.levels:
            raise ValueError("a distribution needs as many levels as shares")
        if any(np.diff(self.levels) <= 0) or any(np.diff(self.shares) <= 0):
            raise ValueError("levels and shares must rise")
        return self

    @classmethod
    def of(cls, levels: Doubles, least_history: int, shape: float | None = None) -> Self:
        """At most 1,000 quantiles of `levels`, and the tail. `shape`: of the tail, by default from these levels."""
        ordered = np.sort(levels)
        n = len(ordered)
        last = max(n - 1 - min(int(n * TAIL), MOST_IN_TAIL), 0)
        kept = np.unique(np.linspace(0, last, min(1000, last + 1)).astype(int))
        # of equal levels the last one says how many lie at or below
        kept = np.unique(np.searchsorted(ordered, ordered[kept], side="right") - 1)
        excess = ordered[kept[-1] + 1 :] - ordered[kept[-1]]
        shape = tail_shape(excess) if shape is None else shape
        scale = float(excess.mean()) * (1 - shape) if len(excess) else 0.0
        return cls(
            least_history=least_history,
            user_days=n,
            shares=tuple(((kept + 1) / (n + 1)).tolist()),
            levels=tuple(ordered[kept].tolist()),
            tail_scale=max(scale, LEAST_SCALE),
            tail_shape=shape,
        )

    def percentile(self, level: Doubles) -> Doubles:
        """Share of held-out user-days below each level: interpolated, and by the tail beyond the threshold."""
        threshold, above = self.levels[-1], 1 - self.shares[-1]
        # interpolation errs in its last bits, where two equal levels must not change places
        between = np.interp(level, [self.levels[0] - self.tail_scale, *self.levels], [0.0, *self.shares])
        inside = np.minimum(between.round(12), self.shares[-1])
        excess = np.maximum(level - threshold, 0.0) / self.tail_scale
        if self.tail_shape > 0:
            chance = np.power(1 + self.tail_shape * excess, -1 / self.tail_shape)
        else:
            chance = np.exp(-excess)
        return np.where(level > threshold, 1 - above * chance, inside)


def tail_shape(excess: Doubles) -> float:
    """The shape of a generalised Pareto distribution by probability-weighted moments, from 0 (exponential) to 0.5.

    Negative shapes claim that nothing can be stranger than some level. That is never known.
    """
    n = len(excess)
    if n < 2 or excess.sum() <= 0:
        return 0.0
    share_above = (n - np.arange(1, n + 1)) / (n - 1)
    mean, weighted = float(excess.mean()), float((np.sort(excess) * share_above).mean())
    if mean <= 2 * weighted:
        return MOST_SHAPE
    return float(np.clip(2 - mean / (mean - 2 * weighted), 0.0, MOST_SHAPE).round(9))


class Reference(BaseModel):
    """Levels of accounts that were not learned from, by how much history they have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bins: tuple[Distribution, ...]
    pooled: Distribution

    @classmethod
    def of(cls, level: Doubles, history: Ints) -> Self:
        """From user-days the model was not trained on. A bin with fewer than 200 of them uses the pool.

        All tails have one shape. The scale is each bin's own.
        """
        if not len(level):
            raise InputError("no held-out user-days to compare surprise with", fix="train until a later day")
        pooled = Distribution.of(level, 0)
        bin_of = np.searchsorted(HISTORY_BINS, history, side="right") - 1
        groups = [(least, level[bin_of == i]) for i, least in enumerate(HISTORY_BINS)]
        bins = tuple(
            Distribution.of(levels, least, pooled.tail_shape)
            for least, levels in groups
            if len(levels) >= LEAST_HELD_OUT
        )
        return cls(bins=bins, pooled=pooled)

    def percentile(self, level: Doubles, history: Ints) -> Doubles:
        """The rank of user-days among held-out ones with as much history, in 0..1; never decreasing in `level`."""
        bin_of = np.searchsorted(HISTORY_BINS, history, side="right") - 1
        result = self.pooled.percentile(level)
        for distribution in self.bins:
            same = bin_of == HISTORY_BINS.index(distribution.least_history)
            result[same] = distribution.percentile(level[same])
        return result


class Ordinary(BaseModel):
    """How surprising ordinary user-days are: their sequences, how much is new about them, and both together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: Reference
    novelty: Reference
    both: Reference

    @classmethod
    def of(cls, level: Doubles, novelty: Doubles, history: Ints) -> Self:
        """From user-days the models were not trained on."""
        sequence, new = Reference.of(level, history), Reference.of(novelty, history)
        rarity = _rarity(sequence.percentile(level, history), new.percentile(novelty, history))
        return cls(sequence=sequence, novelty=new, both=Reference.of(rarity, history))

    def percentile(self, level: Doubles, novelty: Doubles, history: Ints) -> Doubles:
        """The rank of user-days among ordinary ones with as much history, in 0..1, by both together."""
        parts = self.sequence.percentile(level, history), self.novelty.percentile(novelty, history)
        return self.both.percentile(_rarity(*parts), history)

    def save(self, path: Path) -> None:
        write_atomically(path, self.model_dump_json() + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises InputError if the file is missing or damaged."""
        return read_part(path, cls)


def _rarity(*percentiles: Doubles) -> Doubles:
    """Minus the log of the chances, summed up (Fisher, 1932): one great rarity counts, and so do several small ones."""
    chances = np.maximum(1 - np.stack(percentiles), LEAST_CHANCE)
    total: Doubles = -np.log(chances).sum(axis=0)
    return total
