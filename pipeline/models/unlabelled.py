"""What a bundle learned without labels: two autoencoders, novelty, and how surprising ordinary user-days are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipeline.arrays import Doubles
from pipeline.models.base import novelty
from pipeline.models.base.novelty import NoveltyScorer
from pipeline.models.nn.autoencoder import BehaviourAutoencoder, load_autoencoders, save_autoencoders
from pipeline.models.reference import Ordinary
from pipeline.models.samples import Samples
from pipeline.models.surprise import Surprise, score_windows
from pipeline.models.tokens.fields import Fields
from pipeline.models.tokens.windows import Sequences

NOVELTY, ORDINARY = "novelty", "ordinary.json"


@dataclass(frozen=True)
class Unlabelled:
    """Each autoencoder scores one half of the accounts, and learned from the other."""

    autoencoders: tuple[BehaviourAutoencoder, ...]
    fields: Fields
    novelty: NoveltyScorer
    ordinary: Ordinary

    def surprise(self, samples: Samples, threads: int, with_code: bool = False) -> Surprise:
        """How surprising user-days are, with events read as these models read them."""
        sequences = Sequences(samples.tokens, self.fields, samples.windows)
        return score_windows(self.autoencoders, sequences, threads, with_code=with_code)

    def percentile(self, surprise: Surprise, samples: Samples) -> Doubles:
        """Of surprise and novelty together among ordinary user-days, 0..1: the order of a list without risks."""
        return self.ordinary.percentile(surprise.level, self.novelty.score(samples), surprise.history)

    def save(self, folder: Path) -> None:
        save_autoencoders(self.autoencoders, self.fields, folder)
        (folder / NOVELTY).mkdir()
        self.novelty.save(folder / NOVELTY)
        self.ordinary.save(folder / ORDINARY)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises InputError if a file is missing or damaged."""
        return cls(*load_autoencoders(folder), novelty.load(folder / NOVELTY), Ordinary.load(folder / ORDINARY))
