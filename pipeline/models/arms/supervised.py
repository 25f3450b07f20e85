"""Supervised sequence arms: an encoder over event tokens, one head, a logit per user-day."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.arms import Arm
from pipeline.models.arms.encoders import Dropout, Kind, Shape, make_encoder
from pipeline.models.arms.sampling import ClassWeight, Sampling, check_labels, weight_of_bad
from pipeline.models.arms.saving import load_network, save_network
from pipeline.models.arms.tokens import EventEmbedding, Window
from pipeline.models.arms.training import (
    Curve,
    Judge,
    Plan,
    Step,
    Task,
    device,
    enough_steps,
    one_thread_each,
    run_windows,
    seeded,
    train,
)
from pipeline.models.fields import Fields
from pipeline.models.samples import Doubles, Samples

DECIMALS = 4  # scores are rounded, so that the last bits of a float never change a list
LEAST_JUDGED = 5  # bad later user-days without which log loss says nothing
LEAST_RANKED = 200  # bad later user-days from which average precision is steady enough to choose by


@dataclass(frozen=True)
class SupervisedPlan(Plan):
    """How to train a supervised arm. `class_weight` balanced: the bad together weigh as much as the good; sqrt: the
    geometric middle between that and as they come."""

    epochs: int = 30
    patience: int = 6
    windows_per_epoch: int = 4_000  # half of them bad where there are so many: more says little new
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    batch_events: int = 4096
    dropout: float = 0.15
    class_weight: ClassWeight = "sqrt"


class Reader(nn.Module):
    """Event tokens, told which are of the judged day, through an encoder."""

    def __init__(self, fields: Fields, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.embed = EventEmbedding(fields.sizes, len(fields.numeric), shape.embedding_size)
        self.encoder = make_encoder(self.embed.width + 1, shape)
        self.dropout = Dropout(dropout)

    def forward(self, window: Window, random: torch.Generator | None) -> Tensor:
        """Hidden states (B, T, H) of a window that is oldest first, as they are."""
        steps = window.steps_from_end
        is_own = ((steps >= 0) & (steps < window.own[:, None])).unsqueeze(2)
        events = self.embed(window.codes, window.numbers)
        hidden: Tensor = self.encoder(torch.cat([events, is_own.to(events.dtype)], 2), steps, self.dropout, random)
        return hidden


class RiskNetwork(nn.Module):
    """Is this user-day bad? The head reads the newest event, the day's and the window's largest values of each
    hidden unit."""

    def __init__(self, fields: Fields, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.reader = Reader(fields, shape, dropout)
        self.widen = nn.Linear(3 * shape.hidden_size, shape.hidden_size)
        self.to_logit = nn.Linear(shape.hidden_size, 1)

    def forward(self, window: Window, random: torch.Generator | None = None) -> Tensor:
        """Logits (B,) of windows, newest first; dropout only where `random` is given."""
        window = window.oldest_first()
        hidden = self.reader(window, random)
        steps = window.steps_from_end[:, :, None]
        lowest = torch.finfo(hidden.dtype).min
        newest = hidden[torch.arange(len(hidden), device=hidden.device), window.lengths - 1]
        of_window = hidden.masked_fill(steps < 0, lowest).amax(dim=1)
        of_day = hidden.masked_fill((steps < 0) | (steps >= window.own[:, None, None]), lowest).amax(dim=1)
        pooled = self.reader.dropout(torch.cat([newest, of_day, of_window], dim=1), random)
        logits: Tensor = self.to_logit(torch.relu(self.widen(pooled))).squeeze(1).float()
        return logits


class About(BaseModel):
    """arm.json of a supervised arm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: Shape
    bad_weight: float  # in training a bad user-day weighed so many times a good one
    best_epoch: int
    train_loss: list[float]
    later_loss: list[float]


@dataclass(frozen=True)
class RiskScorer:
    """A trained network; its score is the log-odds of being bad, class weighting undone."""

    model: RiskNetwork
    fields: Fields
    about: About

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        """Log-odds (n,). Depends on each user-day's own window alone."""
        with one_thread_each(threads) as pool:
            model = self.model.to(device())
            logits = run_windows(model, samples.tokens, self.fields, samples.windows, model, pool)
        scores: Doubles = (logits - np.log(self.about.bad_weight)).round(DECIMALS)
        return scores

    def save(self, folder: Path) -> None:
        save_network(folder, self.model, self.fields, self.about)


def load(folder: Path) -> RiskScorer:
    """Raises InputError if a file is missing, damaged, or does not fit the others."""
    return RiskScorer(*load_network(folder, About, lambda fields, about: RiskNetwork(fields, about.shape)))


def fit(
    shape: Shape, plan: SupervisedPlan, learn: Samples, stop: Samples, seed: int, threads: int, progress: bool
) -> RiskScorer:
    """Train a fresh network on `learn` until `stop` stops getting better. Raises InputError without enough labels."""
    check_labels(learn)
    with seeded(seed):
        model = RiskNetwork(learn.fields, shape, plan.dropout)
    return fit_network(model, shape, replace(plan, seed=seed, threads=threads), learn, stop, progress)


def fit_network(
    model: RiskNetwork, shape: Shape, plan: SupervisedPlan, learn: Samples, stop: Samples, progress: bool
) -> RiskScorer:
    """Train a network from the weights it has. User-days of weight 0 have no label and are left out."""
    check_labels(learn)
    learn, stop = learn.take(learn.weight > 0), stop.take(stop.weight > 0)
    bad_weight = weight_of_bad(learn, plan.class_weight)
    random = np.random.default_rng(plan.seed)
    sampling = Sampling.of(learn, bad_weight, plan.windows_per_epoch)
    with torch.no_grad():
        share = sampling.weight[learn.is_bad].sum() / sampling.weight.sum()
        model.to_logit.bias.fill_(float(np.log(share / (1 - share))))
    weight = torch.from_numpy(sampling.loss_weight.astype(np.float32))
    is_bad = torch.from_numpy(learn.is_bad.astype(np.float32))

    def loss(window: Window, step: Step) -> Tensor:
        logits = model(window, torch.Generator(window.codes.device).manual_seed(step.seed))
        rows = torch.from_numpy(step.rows)
        truth, counts = is_bad[rows].to(logits.device), weight[rows].to(logits.device)
        return functional.binary_cross_entropy_with_logits(logits, truth, counts, reduction="sum")

    task = Task(
        name=f"the {shape.encoder} arm",
        tokens=learn.tokens,
        fields=learn.fields,
        windows=learn.windows,
        size=np.ones(len(learn)),
        choose=sampling.choose,
        loss=loss,
        judge=_judge(model, stop, bad_weight, plan, random),
        unit="loss on later days",
    )
    curve = train(model, task, enough_steps(plan, learn.windows), random, progress)
    return RiskScorer(model, learn.fields, _about(shape, bad_weight, curve))


def _judge(
    model: RiskNetwork, stop: Samples, bad_weight: float, plan: SupervisedPlan, random: np.random.Generator
) -> Judge | None:
    """How badly later days are told apart: by average precision where that is steady, else by weighted log loss.

    None where they have too few bad user-days for either.
    """
    if stop.is_bad.sum() < LEAST_JUDGED or stop.is_bad.all():
        return None
    sampling = Sampling.of(stop, 1.0, plan.windows_per_epoch)
    rows = sampling.choose(random)
    stop, as_they_come = stop.take(rows), sampling.loss_weight[rows]
    weight = as_they_come * np.where(stop.is_bad, bad_weight, 1.0)

    def judge(pool: ThreadPoolExecutor) -> float:
        logits = run_windows(model, stop.tokens, stop.fields, stop.windows, model, pool)
        if stop.is_bad.sum() >= LEAST_RANKED:
            from sklearn.metrics import average_precision_score

            return 1 - float(average_precision_score(stop.is_bad, logits.round(DECIMALS), sample_weight=as_they_come))
        losses = np.logaddexp(0, np.where(stop.is_bad, -logits, logits))
        return float((weight * losses).sum() / weight.sum())

    return judge


def _about(shape: Shape, bad_weight: float, curve: Curve) -> About:
    return About(
        shape=shape,
        bad_weight=bad_weight,
        best_epoch=curve.best_epoch,
        train_loss=[round(loss, 5) for loss in curve.train],
        later_loss=[round(loss, 5) for loss in curve.later],
    )


def supervised_arm(encoder: Kind, about: str, plan: SupervisedPlan = SupervisedPlan(), **sizes: int) -> Arm:
    """A supervised arm with this encoder."""
    shape = Shape(encoder=encoder, **sizes)
    return Arm(encoder, "supervised", about, partial(fit, shape, plan), load)
