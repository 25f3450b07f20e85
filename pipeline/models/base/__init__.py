"""Base models: what a stacker reads beside the features. All have one small interface and are judged side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pipeline.arrays import Doubles
from pipeline.models.samples import Samples

DECIMALS = 5


class Scorer(Protocol):
    """A fitted base model."""

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        """One number per user-day, (n,): higher is stranger or riskier. Depends on the user-day's own row alone."""
        ...

    def save(self, folder: Path) -> None:
        """Write what `load` needs to `folder`, without pickle. Equal scorers write equal bytes."""
        ...


@dataclass(frozen=True)
class Learner:
    """A base model before it is fitted.

    `fit(learn, stop, seed, threads, progress)` learns from earlier user-days and ends when later ones stop getting
    better. An unsupervised base model leaves accounts known bad out of both.
    """

    name: str
    kind: Literal["unsupervised", "supervised"]
    about: str
    fit: Callable[[Samples, Samples, int, int, bool], Scorer]
    load: Callable[[Path], Scorer]


def column_of(base_model: str) -> str:
    """The stacker's column of a base model."""
    return f"score_{base_model}"


def base_columns(scorers: Mapping[str, Scorer], samples: Samples, threads: int) -> dict[str, Doubles]:
    """The scores of base models, by column name."""
    return {column_of(name): scorer.score(samples, threads).round(DECIMALS) for name, scorer in scorers.items()}
