"""The LSTM autoencoder as an arm: how surprising the day's events are to a net that redraws ordinary ones."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.models.arms import Arm
from pipeline.models.arms.tabular import ordinary
from pipeline.models.autoencoder import (
    BehaviourAutoencoder,
    TrainingPlan,
    load_autoencoder,
    save_autoencoder,
    train_autoencoder,
)
from pipeline.models.fields import Fields
from pipeline.models.samples import Doubles, Samples
from pipeline.models.surprise import score_windows


@dataclass(frozen=True)
class AutoencoderScorer:
    """A trained autoencoder; its score is the level of surprise of the day, in nats."""

    model: BehaviourAutoencoder
    fields: Fields

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        return score_windows(self.model, self.fields, samples.tokens, samples.windows, threads).level

    def save(self, folder: Path) -> None:
        save_autoencoder(self.model, self.fields, folder)


def fit(learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> AutoencoderScorer:
    """Train on ordinary accounts until ordinary later days stop getting easier to redraw."""
    plan = TrainingPlan(seed=seed, threads=threads)
    windows, later = ordinary(learn).windows, ordinary(stop).windows
    trained = train_autoencoder(learn.tokens, learn.fields, windows, later, plan, progress)
    return AutoencoderScorer(trained.model, trained.fields)


def load(folder: Path) -> AutoencoderScorer:
    return AutoencoderScorer(*load_autoencoder(folder))


LSTM_AUTOENCODER = Arm(
    "lstm_autoencoder", "unsupervised", "surprise of an LSTM that redraws the window from a small code", fit, load
)
