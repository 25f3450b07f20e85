"""The baseline: how much is new about a user-day, by a sum that one line of SQL could make."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Doubles
from pipeline.catalogue import features
from pipeline.models.base.tabular import Scale
from pipeline.models.parts import read_part, write_part
from pipeline.models.samples import Samples

MOST = 10.0  # robust units that a single column may add
DECIMALS = 6
ABOUT = "about.json"


@dataclass(frozen=True)
class NoveltyScorer:
    """The sum of how far each novelty column lies above its median, in robust units.

    It is zero for everybody where the features have no such column.
    """

    scale: Scale

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        total: Doubles = np.clip(self.scale.apply(samples), 0.0, MOST).sum(axis=1)
        return total.round(DECIMALS)

    def save(self, folder: Path) -> None:
        write_part(folder / ABOUT, self.scale)


def fit(learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> NoveltyScorer:
    """Learn the usual range of the features of the family "novelty" whose high values are odd in themselves."""
    catalogue = features()
    columns = [
        name
        for name in learn.columns
        if name in catalogue and catalogue[name].family == "novelty" and catalogue[name].speaks_alone
    ]
    return NoveltyScorer(Scale.of(learn.ordinary(), columns))


def load(folder: Path) -> NoveltyScorer:
    """Raises InputError if the file is missing or damaged."""
    return NoveltyScorer(read_part(folder / ABOUT, Scale))
