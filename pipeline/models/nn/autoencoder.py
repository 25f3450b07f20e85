"""An LSTM autoencoder over windows of events: it redraws ordinary behaviour well and odd events badly."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.nn.batch import WindowBatch
from pipeline.models.nn.encoders import remember
from pipeline.models.nn.events import EventEmbedding, EventHead, Redrawn, own_sum
from pipeline.models.nn.saving import fill, read_weights, write_weights
from pipeline.models.nn.training import Step, TrainingPlan, seeded
from pipeline.models.nn.unsupervised import NatsNetwork, train_without_labels
from pipeline.models.parts import unreadable
from pipeline.models.tokens.fields import Fields
from pipeline.models.tokens.windows import Sequences

WEIGHTS, FIELDS = "autoencoder_{}.safetensors", "fields.json"


class BehaviourAutoencoder(NatsNetwork):
    """Squeeze a window of events into a small code, then redraw the window from it, newest event first.

    The encoder reads towards the newest event and the decoder starts from it, so the code knows most about the day
    that is scored. The code is bounded, and noisy in training: a channel of known capacity. So an odd event does not
    slip through because its window is short.

    Shapes: B windows, T events in a window, newest first, short windows padded at the end; C categorical and
    M numeric fields. A number is NaN where missing and -inf where exactly zero.
    """

    title = "the autoencoder"

    def __init__(
        self,
        sizes: tuple[int, ...],
        n_numbers: int,
        hidden_size: int = 64,
        code_size: int = 16,
        embedding_size: int = 6,
    ) -> None:
        super().__init__()
        self.embed = EventEmbedding(sizes, n_numbers, embedding_size)
        self.encoder = nn.LSTM(self.embed.width, hidden_size, batch_first=True)
        self.to_code = nn.Linear(hidden_size, code_size)
        self.decoder = nn.LSTM(code_size, hidden_size, batch_first=True)
        for lstm in (self.encoder, self.decoder):
            remember(lstm)
        self.head = EventHead(hidden_size, sizes, n_numbers)
        self.code_to_hidden = nn.Linear(code_size, hidden_size)

    def encode(self, batch: WindowBatch) -> Tensor:
        """The code (B, code) of each window."""
        window = batch.reversed()
        hidden, _ = self.encoder(self.embed(window.codes, window.numbers))
        return torch.tanh(self.to_code(hidden[torch.arange(len(hidden)), window.lengths - 1]))  # before any padding

    def decode(self, code: Tensor, n_events: int) -> Redrawn:
        """Redraw the newest `n_events` events from each code."""
        hidden, _ = self.decoder(code.unsqueeze(1).expand(-1, n_events, -1))
        redrawn: Redrawn = self.head(hidden + self.code_to_hidden(code).unsqueeze(1))
        return redrawn

    def surprise(self, batch: WindowBatch, redrawn: Redrawn) -> Tensor:
        """Nats per window, event and field, (B, T, C + M): -log of the chance the decoder gave to each event."""
        return self.head.surprise(batch.codes, batch.numbers, redrawn)

    def forward(self, batch: WindowBatch) -> tuple[Tensor, Tensor]:
        """Nats (B, T, C + M) and code (B, code) of windows."""
        code = self.encode(batch)
        return self.surprise(batch, self.decode(code, batch.codes.size(1))), code

    def own_nats(self, batch: WindowBatch) -> Tensor:
        nats, _ = self(batch)
        return own_sum(nats.sum(dim=2), batch)


class Trained(NamedTuple):
    """A model with the losses that chose it: mean nats per event on training and on later days, per epoch."""

    model: BehaviourAutoencoder
    fields: Fields
    train_nats: list[float]
    later_nats: list[float]
    best_epoch: int


@dataclass(frozen=True)
class AutoencoderPlan(TrainingPlan):
    """How to train one of the two autoencoders. Twice as many windows in an epoch find no more."""

    windows_per_epoch: int = 5_000
    code_noise: float = 0.4  # standard deviation; the code lies within -1..1
    hidden_share: float = 0.5  # of events hidden from the encoder: they must be redrawn from the others


def train_autoencoder(learn: Sequences, later: Sequences, plan: AutoencoderPlan = AutoencoderPlan()) -> Trained:
    """Train on `learn` (the caller has left out known-bad accounts) until `later` days stop getting better."""
    fields = learn.fields
    with seeded(plan.seed):
        model = BehaviourAutoencoder(fields.sizes, len(fields.numeric))
    curve, _ = train_without_labels(model, learn, later, partial(_noisy_nats, model, plan), plan)
    return Trained(model, fields, curve.train, curve.later, curve.best_epoch)


def _noisy_nats(model: BehaviourAutoencoder, plan: AutoencoderPlan, batch: WindowBatch, step: Step) -> Tensor:
    """Total surprise of a batch redrawn from noisy codes of windows with some events hidden."""
    random = np.random.default_rng(step.seed)
    is_hidden = torch.from_numpy(random.random(batch.codes.shape[:2], dtype=np.float32) < plan.hidden_share)
    code = model.encode(batch.hide(is_hidden.to(batch.codes.device)))
    noise = torch.from_numpy(random.standard_normal(code.shape, dtype=np.float32)).to(code.device)
    redrawn = model.decode(code + plan.code_noise * noise, batch.codes.size(1))
    return model.surprise(batch, redrawn).sum(dim=2).masked_fill(~batch.is_event, 0.0).sum()


def save_autoencoders(models: Sequence[BehaviourAutoencoder], fields: Fields, folder: Path) -> None:
    """Write autoencoder_0.safetensors, one for each model, and fields.json."""
    for place, model in enumerate(models):
        write_weights(folder / WEIGHTS.format(place), model)
    fields.save(folder / FIELDS)


def load_autoencoders(folder: Path) -> tuple[tuple[BehaviourAutoencoder, ...], Fields]:
    """Read saved models. Raises InputError if a file is missing or damaged, or they do not fit each other."""
    fields = Fields.load(folder / FIELDS)
    paths = sorted(folder.glob(WEIGHTS.format("*"))) or [folder / WEIGHTS.format(0)]
    return tuple(_load(path, fields) for path in paths), fields


def _load(path: Path, fields: Fields) -> BehaviourAutoencoder:
    weights = read_weights(path)
    try:
        code_size, hidden_size = weights["to_code.weight"].shape
        embedding_size = weights["embed.codes.weight"].shape[1]
    except (KeyError, ValueError, IndexError) as error:
        raise unreadable(path, error) from None
    model = BehaviourAutoencoder(fields.sizes, len(fields.numeric), hidden_size, code_size, embedding_size)
    return fill(model, weights, path)
