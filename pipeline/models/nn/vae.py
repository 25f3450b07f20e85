"""A variational autoencoder over windows (Kingma and Welling, 2014): a code with a price in nats."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pipeline.arrays import Doubles
from pipeline.models.nn.batch import WindowBatch
from pipeline.models.nn.encoders import remember
from pipeline.models.nn.events import EventEmbedding, EventHead, own_sum
from pipeline.models.nn.saving import load_network, save_network
from pipeline.models.nn.training import (
    Step,
    TrainingPlan,
    device,
    enough_steps,
    one_thread_each,
    run_windows,
    seeded,
)
from pipeline.models.nn.unsupervised import NatsNetwork, train_without_labels
from pipeline.models.samples import Samples
from pipeline.models.tokens.fields import Fields
from pipeline.models.tokens.windows import Sequences

DECIMALS = 5
ACTIVE = 0.01  # variance of a unit's mean over windows from which the unit is in use (Burda et al., 2016)


@dataclass(frozen=True)
class VaePlan(TrainingPlan):
    """How to train. The code's price rises from 0 to full over `annealing` epochs (Bowman et al., 2016). Each unit's
    first `free_nats` cost nothing (Kingma et al., 2016), so that no unit is given up before it is used."""

    learning_rate: float = 5e-3
    annealing: int = 6
    free_nats: float = 0.05
    settled_after: int = 6


class VaeAbout(BaseModel):
    """about.json. `kl_nats` near 0 or few active units: the posterior collapsed and the code is empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden_size: Annotated[int, Field(ge=4, le=4096)]
    code_size: Annotated[int, Field(ge=1, le=1024)]
    kl_nats: float = 0.0  # of a later window's code, on average
    active_units: int = 0
    train_nats: list[float] = []
    later_nats: list[float] = []


class VariationalAutoencoder(NatsNetwork):
    """An LSTM reads a window into a Gaussian over codes; another redraws the window from a code, newest event first."""

    title = "the variational autoencoder"

    def __init__(self, fields: Fields, about: VaeAbout) -> None:
        super().__init__()
        sizes, n_numbers, hidden_size = fields.sizes, len(fields.numeric), about.hidden_size
        self.embed = EventEmbedding(sizes, n_numbers)
        self.encoder = nn.LSTM(self.embed.width, hidden_size, batch_first=True)
        self.to_posterior = nn.Linear(hidden_size, 2 * about.code_size)
        self.decoder = nn.LSTM(about.code_size, hidden_size, batch_first=True)
        for lstm in (self.encoder, self.decoder):
            remember(lstm)
        self.code_to_hidden = nn.Linear(about.code_size, hidden_size)
        self.head = EventHead(hidden_size, sizes, n_numbers)

    def posterior(self, batch: WindowBatch) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (B, code) of the code of each window."""
        oldest_first = batch.reversed()
        hidden, _ = self.encoder(self.embed(oldest_first.codes, oldest_first.numbers))
        last = hidden[torch.arange(len(hidden), device=hidden.device), batch.lengths - 1]
        mean, log_variance = self.to_posterior(last).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-10.0, 4.0)

    def nats(self, batch: WindowBatch, code: Tensor) -> Tensor:
        """Nats of each event given a code, (B, T). Meaningless on padding."""
        hidden, _ = self.decoder(code.unsqueeze(1).expand(-1, batch.codes.size(1), -1))
        redrawn = self.head(hidden + self.code_to_hidden(code).unsqueeze(1))
        return self.head.surprise(batch.codes, batch.numbers, redrawn).sum(dim=2)

    def negative_bound(self, batch: WindowBatch) -> Tensor:
        """Nats per own event, (B,): their mean with the code at its mean, plus the code's price.

        The price is spread evenly over all events of the window.
        """
        mean, log_variance = self.posterior(batch)
        own_mean = own_sum(self.nats(batch, mean), batch) / batch.own
        return own_mean + kl(mean, log_variance).sum(dim=1) / batch.lengths

    def own_nats(self, batch: WindowBatch) -> Tensor:
        return self.negative_bound(batch) * batch.own


def kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Nats by which each unit's Gaussian differs from the standard one, (B, code)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)


@dataclass(frozen=True)
class VaeScorer:
    """A trained VAE. Its score is the negative evidence lower bound per event of the day, the code at its mean."""

    model: VariationalAutoencoder
    fields: Fields
    about: VaeAbout

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        """Nats per event (n,). Depends on each user-day's own window alone."""
        model = self.model.to(device())
        sequences = Sequences(samples.tokens, self.fields, samples.windows)
        with one_thread_each(threads) as pool:
            return run_windows(model, sequences, model.negative_bound, pool).round(DECIMALS)

    def save(self, folder: Path) -> None:
        save_network(folder, self.model, self.fields, self.about)


def load(folder: Path) -> VaeScorer:
    """Raises InputError if a file is missing, damaged, or does not fit the others."""
    return VaeScorer(*load_network(folder, VaeAbout, VariationalAutoencoder))


def fit(learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> VaeScorer:
    """Train on ordinary accounts until ordinary later days stop getting better."""
    return fit_vae(VaePlan(seed, threads, progress), VaeAbout(hidden_size=64, code_size=16), learn, stop)


def fit_vae(plan: VaePlan, shape: VaeAbout, learn: Samples, stop: Samples) -> VaeScorer:
    """As `fit`, with another plan and shape. Later days are judged by the full price, without free nats."""
    with seeded(plan.seed):
        model = VariationalAutoencoder(learn.fields, shape)
    taught = learn.ordinary().sequences
    curve, later = train_without_labels(
        model,
        taught,
        stop.ordinary().sequences,
        partial(_loss, model, plan),
        enough_steps(plan, taught.windows),
    )
    kl_nats, active_units = _use_of_code(model, later, plan.threads)
    about = VaeAbout(
        hidden_size=shape.hidden_size,
        code_size=shape.code_size,
        kl_nats=round(kl_nats, 4),
        active_units=active_units,
        train_nats=[round(nats, 4) for nats in curve.train],
        later_nats=[round(nats, 4) for nats in curve.later],
    )
    return VaeScorer(model, learn.fields, about)


def _loss(model: VariationalAutoencoder, plan: VaePlan, batch: WindowBatch, step: Step) -> Tensor:
    mean, log_variance = model.posterior(batch)
    noise = torch.randn(mean.shape, generator=torch.Generator(mean.device).manual_seed(step.seed), device=mean.device)
    nats = model.nats(batch, mean + noise * torch.exp(0.5 * log_variance)).masked_fill(~batch.is_event, 0.0)
    price = kl(mean, log_variance).mean(dim=0).clamp(min=plan.free_nats).sum() * len(mean)
    return nats.sum() + min((step.epoch + 1) / (plan.annealing + 1), 1.0) * price


def _use_of_code(model: VariationalAutoencoder, sequences: Sequences, threads: int) -> tuple[float, int]:
    """Mean nats of a window's code, and how many of its units differ between windows."""

    def read(batch: WindowBatch) -> Tensor:
        mean, log_variance = model.posterior(batch)
        return torch.cat([mean, kl(mean, log_variance)], dim=1)

    with one_thread_each(threads) as pool:
        mean, price = np.hsplit(run_windows(model, sequences, read, pool), 2)
    return float(price.sum(axis=1).mean()), int((mean.var(axis=0) > ACTIVE).sum())
