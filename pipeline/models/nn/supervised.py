"""Networks that learn from labels: an encoder over event tokens, one head, a logit per user-day."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional

from pipeline.arrays import Doubles
from pipeline.models.nn.batch import WindowBatch
from pipeline.models.nn.encoders import Dropout, Shape, make_encoder
from pipeline.models.nn.events import EventEmbedding
from pipeline.models.nn.sampling import ClassWeight, Sampling, check_labels, weight_of_bad
from pipeline.models.nn.saving import load_network, save_network
from pipeline.models.nn.training import (
    Judge,
    Step,
    Task,
    TrainingPlan,
    device,
    enough_steps,
    one_thread_each,
    run_windows,
    seeded,
    train,
)
from pipeline.models.samples import Samples
from pipeline.models.tokens.fields import Fields
from pipeline.models.tokens.windows import Sequences

DECIMALS = 4  # scores are rounded, so that the last bits of a float never change a list
LEAST_JUDGED = 5  # bad later user-days below which log loss is chance
LEAST_RANKED = 200  # bad later user-days from which average precision is steady enough to choose by


@dataclass(frozen=True)
class SupervisedPlan(TrainingPlan):
    """How to train a supervised network.

    `class_weight` balanced: bad user-days together weigh as much as good ones. none: each user-day weighs the same.
    sqrt: the geometric middle of both.
    """

    epochs: int = 30
    patience: int = 6
    windows_per_epoch: int = 4_000  # half of them bad where there are enough: more adds little
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    batch_events: int = 4096
    dropout: float = 0.15
    class_weight: ClassWeight = "sqrt"


class Reader(nn.Module):
    """Event tokens, each marked as the day's own or earlier, through an encoder."""

    def __init__(self, fields: Fields, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.embed = EventEmbedding(fields.sizes, len(fields.numeric), shape.embedding_size)
        self.encoder = make_encoder(self.embed.width + 1, shape)
        self.dropout = Dropout(dropout)

    def forward(self, oldest_first: WindowBatch, random: torch.Generator | None) -> Tensor:
        """Hidden states (B, T, H) of windows that begin with their oldest event."""
        steps = oldest_first.steps_from_end
        is_own = ((steps >= 0) & (steps < oldest_first.own[:, None])).unsqueeze(2)
        events = self.embed(oldest_first.codes, oldest_first.numbers)
        hidden: Tensor = self.encoder(torch.cat([events, is_own.to(events.dtype)], 2), steps, self.dropout, random)
        return hidden


class RiskNetwork(nn.Module):
    """Is this user-day bad? The head reads three values of each hidden unit: at the newest event, and the largest of
    the day and of the window."""

    def __init__(self, fields: Fields, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.reader = Reader(fields, shape, dropout)
        self.widen = nn.Linear(3 * shape.hidden_size, shape.hidden_size)
        self.to_logit = nn.Linear(shape.hidden_size, 1)

    def forward(self, batch: WindowBatch, random: torch.Generator | None = None) -> Tensor:
        """Logits (B,) of windows; dropout only where `random` is given."""
        window = batch.reversed()
        hidden = self.reader(window, random)
        steps = window.steps_from_end[:, :, None]
        lowest = torch.finfo(hidden.dtype).min
        newest = hidden[torch.arange(len(hidden), device=hidden.device), window.lengths - 1]
        of_window = hidden.masked_fill(steps < 0, lowest).amax(dim=1)
        of_day = hidden.masked_fill((steps < 0) | (steps >= window.own[:, None, None]), lowest).amax(dim=1)
        pooled = self.reader.dropout(torch.cat([newest, of_day, of_window], dim=1), random)
        logits: Tensor = self.to_logit(torch.relu(self.widen(pooled))).squeeze(1).float()
        return logits


class SupervisedAbout(BaseModel):
    """about.json of a supervised network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: Shape
    bad_weight: float  # how many times a good user-day a bad one weighed in training
    best_epoch: int
    train_loss: list[float]
    later_loss: list[float]


@dataclass(frozen=True)
class RiskScorer:
    """A trained network. Its score is the log-odds of being bad, with the class weights taken out again."""

    model: RiskNetwork
    fields: Fields
    about: SupervisedAbout

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        """Log-odds (n,). Depends on each user-day's own window alone."""
        model = self.model.to(device())
        sequences = Sequences(samples.tokens, self.fields, samples.windows)
        with one_thread_each(threads) as pool:
            logits = run_windows(model, sequences, model, pool)
        scores: Doubles = (logits - np.log(self.about.bad_weight)).round(DECIMALS)
        return scores

    def save(self, folder: Path) -> None:
        save_network(folder, self.model, self.fields, self.about)


def load(folder: Path) -> RiskScorer:
    """Raises InputError if a file is missing, damaged, or does not fit the others."""
    return RiskScorer(*load_network(folder, SupervisedAbout, lambda fields, about: RiskNetwork(fields, about.shape)))


@dataclass(frozen=True)
class Supervised:
    """A supervised network before it is trained."""

    shape: Shape
    plan: SupervisedPlan

    def fit(self, learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> RiskScorer:
        """Train a fresh network on `learn` until `stop` stops getting better. Raises InputError with too few labels."""
        check_labels(learn)
        with seeded(seed):
            model = RiskNetwork(learn.fields, self.shape, self.plan.dropout)
        plan = replace(self.plan, seed=seed, threads=threads, progress=progress)
        return fit_network(model, plan, learn, stop)


def fit_network(model: RiskNetwork, plan: SupervisedPlan, learn: Samples, stop: Samples) -> RiskScorer:
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

    def loss(batch: WindowBatch, step: Step) -> Tensor:
        logits = model(batch, torch.Generator(batch.codes.device).manual_seed(step.seed))
        rows = torch.from_numpy(step.rows)
        labels, weights = is_bad[rows].to(logits.device), weight[rows].to(logits.device)
        return functional.binary_cross_entropy_with_logits(logits, labels, weights, reduction="sum")

    task = Task(
        name=f"the {model.shape.encoder} network",
        sequences=learn.sequences,
        size=np.ones(len(learn)),
        choose=sampling.choose,
        loss=loss,
        judge=_judge(model, stop, bad_weight, plan, random),
        unit="loss on later days",
    )
    curve = train(model, task, enough_steps(plan, learn.windows), random)
    about = SupervisedAbout(
        shape=model.shape,
        bad_weight=bad_weight,
        best_epoch=curve.best_epoch,
        train_loss=[round(loss, 5) for loss in curve.train],
        later_loss=[round(loss, 5) for loss in curve.later],
    )
    return RiskScorer(model, learn.fields, about)


def _judge(
    model: RiskNetwork, stop: Samples, bad_weight: float, plan: SupervisedPlan, random: np.random.Generator
) -> Judge | None:
    """Loss on later days: 1 - average precision where that is steady, else weighted log loss.

    None where there are too few bad user-days for either.
    """
    if stop.is_bad.sum() < LEAST_JUDGED or stop.is_bad.all():
        return None
    sampling = Sampling.of(stop, 1.0, plan.windows_per_epoch)
    rows = sampling.choose(random)
    stop, prevalence_weight = stop.take(rows), sampling.loss_weight[rows]
    weight = prevalence_weight * np.where(stop.is_bad, bad_weight, 1.0)

    def judge(pool: ThreadPoolExecutor) -> float:
        logits = run_windows(model, stop.sequences, model, pool)
        if stop.is_bad.sum() >= LEAST_RANKED:
            from sklearn.metrics import average_precision_score

            scores = logits.round(DECIMALS)
            return 1 - float(average_precision_score(stop.is_bad, scores, sample_weight=prevalence_weight))
        losses = np.logaddexp(0, np.where(stop.is_bad, -logits, logits))
        return float((weight * losses).sum() / weight.sum())

    return judge
