"""A causal LSTM that expects the next event from the events before it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pipeline.arrays import Doubles
from pipeline.models.nn.batch import WindowBatch
from pipeline.models.nn.encoders import remember
from pipeline.models.nn.events import EventEmbedding, EventHead, own_level, own_sum
from pipeline.models.nn.saving import load_network, save_network
from pipeline.models.nn.training import TrainingPlan, device, enough_steps, one_thread_each, run_windows, seeded
from pipeline.models.nn.unsupervised import NatsNetwork, train_without_labels
from pipeline.models.samples import Samples
from pipeline.models.tokens.fields import Fields
from pipeline.models.tokens.windows import Sequences

DECIMALS = 5


class NextEventAbout(BaseModel):
    """about.json of the next-event network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden_size: Annotated[int, Field(ge=4, le=4096)]
    train_nats: list[float] = []
    later_nats: list[float] = []


class NextEventNetwork(NatsNetwork):
    """Expects each event from those before it in the window, the first one from nothing."""

    title = "the next-event network"

    def __init__(self, fields: Fields, about: NextEventAbout) -> None:
        super().__init__()
        self.embed = EventEmbedding(fields.sizes, len(fields.numeric))
        self.lstm = nn.LSTM(self.embed.width, about.hidden_size, batch_first=True)
        remember(self.lstm)
        self.first = nn.Parameter(torch.zeros(about.hidden_size))
        self.head = EventHead(about.hidden_size, fields.sizes, len(fields.numeric))

    def forward(self, batch: WindowBatch) -> Tensor:
        """Nats of each event given those before it, (B, T), newest first as the batch. Meaningless on padding."""
        oldest_first = batch.reversed()
        hidden, _ = self.lstm(self.embed(oldest_first.codes, oldest_first.numbers))
        expects = torch.cat([self.first.to(hidden.dtype).expand(len(hidden), 1, -1), hidden[:, :-1]], dim=1)
        nats = self.head.surprise(oldest_first.codes, oldest_first.numbers, self.head(expects)).sum(dim=2)
        return nats.gather(1, batch.steps_from_end.clamp(min=0))

    def own_nats(self, batch: WindowBatch) -> Tensor:
        return own_sum(self(batch), batch)


@dataclass(frozen=True)
class NextEventScorer:
    """A trained network. Its score is the level of the day's surprise in nats: a soft maximum over its events."""

    model: NextEventNetwork
    fields: Fields
    about: NextEventAbout

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        """Nats (n,). Depends on each user-day's own window alone."""
        model = self.model.to(device())
        sequences = Sequences(samples.tokens, self.fields, samples.windows)
        with one_thread_each(threads) as pool:
            return run_windows(model, sequences, lambda batch: own_level(model(batch), batch), pool).round(DECIMALS)

    def save(self, folder: Path) -> None:
        save_network(folder, self.model, self.fields, self.about)


def load(folder: Path) -> NextEventScorer:
    """Raises InputError if a file is missing, damaged, or does not fit the others."""
    return NextEventScorer(*load_network(folder, NextEventAbout, NextEventNetwork))


def fit(learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> NextEventScorer:
    """Train on ordinary accounts until the events of ordinary later days stop getting more expected."""
    plan = TrainingPlan(seed, threads, progress, learning_rate=5e-3)
    return fit_next_event(plan, NextEventAbout(hidden_size=64), learn, stop)


def fit_next_event(plan: TrainingPlan, shape: NextEventAbout, learn: Samples, stop: Samples) -> NextEventScorer:
    """As `fit`, with another plan and shape."""
    with seeded(plan.seed):
        model = NextEventNetwork(learn.fields, shape)
    taught = learn.ordinary().sequences
    curve, _ = train_without_labels(
        model,
        taught,
        stop.ordinary().sequences,
        lambda batch, _: model(batch).masked_fill(~batch.is_event, 0.0).sum(),
        enough_steps(plan, taught.windows),
    )
    about = NextEventAbout(
        hidden_size=shape.hidden_size,
        train_nats=[round(nats, 4) for nats in curve.train],
        later_nats=[round(nats, 4) for nats in curve.later],
    )
    return NextEventScorer(model, learn.fields, about)
