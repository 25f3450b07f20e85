"""A variational autoencoder over windows (Kingma and Welling, 2014): a code with a price in nats."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pipeline.models.arms import Arm
from pipeline.models.arms.encoders import remember
from pipeline.models.arms.saving import load_network, save_network
from pipeline.models.arms.tokens import EventEmbedding, EventHead, Window, own_mean
from pipeline.models.arms.training import Plan, Step, device, one_thread_each, run_windows, seeded
from pipeline.models.arms.unsupervised import train_on_ordinary
from pipeline.models.fields import Fields
from pipeline.models.samples import Doubles, Samples
from pipeline.models.windows import Windows

DECIMALS = 5
ACTIVE = 0.01  # variance of a unit's mean over windows from which it says something (Burda et al., 2016)


@dataclass(frozen=True)
class VariationalPlan(Plan):
    """How to train. The code's price rises from 0 to full over `annealing` epochs (Bowman et al., 2016), and each
    unit's first `free_nats` cost nothing (Kingma et al., 2016), so that units are not given up before they are used."""

    learning_rate: float = 5e-3
    annealing: int = 6
    free_nats: float = 0.05
    settled_after: int = 6


class Posterior(BaseModel):
    """arm.json. `kl_nats` near 0 or few active units: the posterior collapsed and the code says nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden_size: Annotated[int, Field(ge=4, le=4096)]
    code_size: Annotated[int, Field(ge=1, le=1024)]
    kl_nats: float = 0.0  # of a later window's code, on average
    active_units: int = 0
    train_nats: list[float] = []
    later_nats: list[float] = []


class VariationalAutoencoder(nn.Module):
    """An LSTM reads a window into a Gaussian over codes, another redraws it from one, newest event first."""

    def __init__(self, fields: Fields, shape: Posterior) -> None:
        super().__init__()
        sizes, n_numbers, hidden_size = fields.sizes, len(fields.numeric), shape.hidden_size
        self.embed = EventEmbedding(sizes, n_numbers)
        self.encoder = nn.LSTM(self.embed.width, hidden_size, batch_first=True)
        self.to_posterior = nn.Linear(hidden_size, 2 * shape.code_size)
        self.decoder = nn.LSTM(shape.code_size, hidden_size, batch_first=True)
        for lstm in (self.encoder, self.decoder):
            remember(lstm)
        self.code_to_hidden = nn.Linear(shape.code_size, hidden_size)
        self.head = EventHead(hidden_size, sizes, n_numbers)

    def posterior(self, window: Window) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (B, code) of the code of each window."""
        oldest_first = window.oldest_first()
        hidden, _ = self.encoder(self.embed(oldest_first.codes, oldest_first.numbers))
        last = hidden[torch.arange(len(hidden), device=hidden.device), window.lengths - 1]
        mean, log_variance = self.to_posterior(last).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-10.0, 4.0)

    def nats(self, window: Window, code: Tensor) -> Tensor:
        """What each event costs given a code, (B, T): meaningless on padding."""
        hidden, _ = self.decoder(code.unsqueeze(1).expand(-1, window.codes.size(1), -1))
        redrawn = self.head(hidden + self.code_to_hidden(code).unsqueeze(1))
        return self.head.surprise(window.codes, window.numbers, redrawn).sum(dim=2)


def kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Nats by which each unit's Gaussian differs from the standard one, (B, code)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)


def negative_bound(model: VariationalAutoencoder, window: Window) -> Tensor:
    """Nats per event of the day, (B,): the mean of its own events' with the code at its mean, and the code's price
    spread evenly over all events of the window."""
    mean, log_variance = model.posterior(window)
    return own_mean(model.nats(window, mean), window.own) + kl(mean, log_variance).sum(dim=1) / window.lengths


@dataclass(frozen=True)
class VariationalScorer:
    """A trained VAE; its score is the negative evidence lower bound per event of the day, the code at its mean."""

    model: VariationalAutoencoder
    fields: Fields
    about: Posterior

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        """Nats per event (n,). Depends on each user-day's own window alone."""
        model = self.model.to(device())
        with one_thread_each(threads) as pool:
            read = partial(negative_bound, model)
            return run_windows(model, samples.tokens, self.fields, samples.windows, read, pool).round(DECIMALS)

    def save(self, folder: Path) -> None:
        save_network(folder, self.model, self.fields, self.about)


def load(folder: Path) -> VariationalScorer:
    """Raises InputError if a file is missing, damaged, or does not fit the others."""
    return VariationalScorer(*load_network(folder, Posterior, VariationalAutoencoder))


def fit(learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> VariationalScorer:
    """Train on ordinary accounts until ordinary later days stop getting better."""
    return fit_vae(
        VariationalPlan(seed=seed, threads=threads), Posterior(hidden_size=64, code_size=16), learn, stop, progress
    )


def fit_vae(
    plan: VariationalPlan, shape: Posterior, learn: Samples, stop: Samples, progress: bool
) -> VariationalScorer:
    """The same with a plan of one's own. Judged by the full price, without free nats."""
    with seeded(plan.seed):
        model = VariationalAutoencoder(learn.fields, shape)
    taught = train_on_ordinary(
        model,
        "the variational autoencoder",
        learn,
        stop,
        plan,
        lambda window, step: _loss(model, window, step, plan),
        partial(negative_bound, model),
        progress,
    )
    kl_nats, active_units = _use_of_code(model, learn, taught.later, plan.threads)
    about = shape.model_copy(
        update={
            "kl_nats": round(kl_nats, 4),
            "active_units": active_units,
            "train_nats": taught.train_nats,
            "later_nats": taught.later_nats,
        }
    )
    return VariationalScorer(model, learn.fields, about)


def _loss(model: VariationalAutoencoder, window: Window, step: Step, plan: VariationalPlan) -> Tensor:
    mean, log_variance = model.posterior(window)
    noise = torch.randn(mean.shape, generator=torch.Generator(mean.device).manual_seed(step.seed), device=mean.device)
    nats = model.nats(window, mean + noise * torch.exp(0.5 * log_variance)).masked_fill(~window.is_event, 0.0)
    price = kl(mean, log_variance).mean(dim=0).clamp(min=plan.free_nats).sum() * len(mean)
    return nats.sum() + min((step.epoch + 1) / (plan.annealing + 1), 1.0) * price


def _use_of_code(model: VariationalAutoencoder, samples: Samples, windows: Windows, threads: int) -> tuple[float, int]:
    """Mean nats of the code of a window, and how many of its units move from window to window."""

    def read(window: Window) -> Tensor:
        mean, log_variance = model.posterior(window)
        return torch.cat([mean, kl(mean, log_variance)], dim=1)

    with one_thread_each(threads) as pool:
        mean, price = np.hsplit(run_windows(model, samples.tokens, samples.fields, windows, read, pool), 2)
    return float(price.sum(axis=1).mean()), int((mean.var(axis=0) > ACTIVE).sum())


VAE = Arm("vae", "unsupervised", "surprise of a variational autoencoder, its code's price in nats included", fit, load)
