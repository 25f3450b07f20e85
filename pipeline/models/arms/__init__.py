"""Arms: ways to read behaviour, each with one small interface, judged side by side by the referee."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pipeline.models.samples import Doubles, Samples


class Scorer(Protocol):
    """A fitted arm."""

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        """One number per user-day, (n,): higher is stranger or riskier. Depends on the user-day's own row alone."""
        ...

    def save(self, folder: Path) -> None:
        """Write what `load` needs to `folder`, without pickle: the same scorer gives the same bytes."""
        ...


@dataclass(frozen=True)
class Arm:
    """One way to read behaviour. `fit(learn, stop, seed, threads, progress)` learns from earlier user-days, and ends
    when later ones stop getting better; an unsupervised arm leaves accounts known bad out of both."""

    name: str
    kind: Literal["unsupervised", "supervised"]
    about: str
    fit: Callable[[Samples, Samples, int, int, bool], Scorer]
    load: Callable[[Path], Scorer]
