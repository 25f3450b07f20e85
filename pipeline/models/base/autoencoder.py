"""The LSTM autoencoder as a base model, so that it can be judged beside the others: the level of its surprise."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.arrays import Doubles
from pipeline.models.nn.autoencoder import (
    AutoencoderPlan,
    BehaviourAutoencoder,
    load_autoencoders,
    save_autoencoders,
    train_autoencoder,
)
from pipeline.models.samples import Samples
from pipeline.models.surprise import score_windows
from pipeline.models.tokens.fields import Fields
from pipeline.models.tokens.windows import Sequences


@dataclass(frozen=True)
class AutoencoderScorer:
    """A trained autoencoder. Its score is the level of surprise of the day, in nats."""

    model: BehaviourAutoencoder
    fields: Fields

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        return score_windows([self.model], Sequences(samples.tokens, self.fields, samples.windows), threads).level

    def save(self, folder: Path) -> None:
        save_autoencoders([self.model], self.fields, folder)


def fit(learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> AutoencoderScorer:
    """Train on ordinary accounts until ordinary later days stop getting easier to redraw."""
    plan = AutoencoderPlan(seed, threads, progress)
    trained = train_autoencoder(learn.ordinary().sequences, stop.ordinary().sequences, plan)
    return AutoencoderScorer(trained.model, trained.fields)


def load(folder: Path) -> AutoencoderScorer:
    """Raises InputError if a file is missing, damaged, or does not fit the others."""
    (model, *_), fields = load_autoencoders(folder)
    return AutoencoderScorer(model, fields)
