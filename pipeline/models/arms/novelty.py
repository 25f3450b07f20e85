"""The floor: how much is new about a user-day, by a sum that one line of SQL could make."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.catalogue import features
from pipeline.models.arms import Arm
from pipeline.models.arms.saving import load_about, save_about
from pipeline.models.arms.tabular import Scale, ordinary
from pipeline.models.samples import Doubles, Samples

MOST = 10.0  # robust units that a single column may add
DECIMALS = 6


@dataclass(frozen=True)
class NoveltyScorer:
    """The sum of what is above the median in the novelty columns, in robust units.

    Zero for everybody where the features have no such column: a floor that says nothing.
    """

    scale: Scale

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        total: Doubles = np.clip(self.scale.apply(samples), 0.0, MOST).sum(axis=1)
        return total.round(DECIMALS)

    def save(self, folder: Path) -> None:
        save_about(folder, self.scale)


def fit(learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> NoveltyScorer:
    """Learn the columns' usual range. Those of the catalogue's novelty family count in which high is odd in itself."""
    known = features()
    columns = [
        name for name in learn.columns if name in known and known[name].family == "novelty" and known[name].speaks_alone
    ]
    return NoveltyScorer(Scale.of(ordinary(learn), columns))


def load(folder: Path) -> NoveltyScorer:
    return NoveltyScorer(load_about(folder, Scale))


NOVELTY = Arm(
    "novelty", "unsupervised", "how much is new about the account that day: the floor, no learning", fit, load
)
