"""A base model fitted twice, so that no account is scored by a fit that learned from it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from pipeline.arrays import Doubles
from pipeline.models.base import Scorer
from pipeline.models.samples import Samples
from pipeline.models.tokens.windows import HALVES


@dataclass(frozen=True)
class Halves:
    """Two fits of one base model. Each scores one half of the accounts, and learned from the other."""

    scorers: tuple[Scorer, ...]

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        half, scores = samples.sequences.half, np.empty(len(samples))
        for place, scorer in enumerate(self.scorers):
            scores[half == place] = scorer.score(samples.take(half == place), threads)
        return scores

    @property
    def exchanged(self) -> Self:
        """Each scores the accounts that it learned from: to show overfitting."""
        return type(self)(self.scorers[::-1])

    def save(self, folder: Path) -> None:
        for place, scorer in enumerate(self.scorers):
            _part(folder, place).mkdir()
            scorer.save(_part(folder, place))

    @classmethod
    def load(cls, folder: Path, load: Callable[[Path], Scorer]) -> Self:
        """Raises InputError if a half is missing or damaged."""
        return cls(tuple(load(_part(folder, place)) for place in range(HALVES)))


def _part(folder: Path, place: int) -> Path:
    return folder / f"half_{place}"
