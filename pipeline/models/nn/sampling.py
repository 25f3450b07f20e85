"""Which labelled user-days an epoch sees, and the weight of each."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.arrays import Doubles, Flags, Ints
from pipeline.errors import InputError
from pipeline.models.nn.training import choose
from pipeline.models.samples import Samples

LEAST_BAD = 5  # known bad user-days below which there is nothing to learn
ClassWeight = Literal["sqrt", "balanced", "none"]


def check_labels(learn: Samples) -> None:
    """Raises InputError with too few labels to tell bad from good."""
    is_labelled = learn.weight > 0
    bad, good = int((learn.is_bad & is_labelled).sum()), int((~learn.is_bad & is_labelled).sum())
    if bad < LEAST_BAD or good < LEAST_BAD:
        raise InputError(
            f"a supervised base model needs at least {LEAST_BAD} bad and {LEAST_BAD} good user-days to learn from",
            f"found {bad} bad and {good} good",
            fix="collect verdicts, or use unsupervised base models until there are enough",
        )


def weight_of_bad(learn: Samples, class_weight: ClassWeight) -> float:
    """How many times a good user-day a bad one weighs in training."""
    bad, good = learn.weight[learn.is_bad].sum(), learn.weight[~learn.is_bad].sum()
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[class_weight]
    return float((good / bad) ** power)


@dataclass(frozen=True)
class Sampling:
    """Which user-days an epoch sees: every bad one while they are fewer than half, and a changing sample of good ones,
    weighted for those left out."""

    is_bad: Flags
    weight: Doubles  # (n,) of each user-day among all
    n_bad: int  # of an epoch
    n_good: int

    @classmethod
    def of(cls, learn: Samples, bad_weight: float, at_most: int) -> "Sampling":
        bad, good = int(learn.is_bad.sum()), int((~learn.is_bad).sum())
        n_bad = min(bad, max(at_most // 2, at_most - good))
        return cls(
            learn.is_bad, learn.weight * np.where(learn.is_bad, bad_weight, 1.0), n_bad, min(good, at_most - n_bad)
        )

    def choose(self, random: np.random.Generator) -> Ints:
        bad, good = np.flatnonzero(self.is_bad), np.flatnonzero(~self.is_bad)
        chosen = [bad[choose(len(bad), self.n_bad, random)], good[choose(len(good), self.n_good, random)]]
        rows: Ints = np.sort(np.concatenate(chosen))
        return rows

    @property
    def loss_weight(self) -> Doubles:
        """Weight of a chosen user-day in the loss (n,): 1 on average over an epoch."""
        bad, good = int(self.is_bad.sum()), int((~self.is_bad).sum())
        weight: Doubles = self.weight * np.where(self.is_bad, bad / self.n_bad, good / self.n_good)
        scaled: Doubles = weight * (self.n_bad + self.n_good) / self.weight.sum()
        return scaled
