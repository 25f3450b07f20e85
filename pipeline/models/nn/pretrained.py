"""Pre-training without labels, then fine-tuning with the few there are (masked events: Devlin et al., 2019)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.nn.batch import WindowBatch
from pipeline.models.nn.encoders import Shape
from pipeline.models.nn.events import EventHead
from pipeline.models.nn.sampling import check_labels
from pipeline.models.nn.supervised import Reader, RiskNetwork, RiskScorer, SupervisedPlan, fit_network
from pipeline.models.nn.training import (
    Curve,
    Step,
    Task,
    TrainingPlan,
    choose,
    enough_steps,
    run_windows,
    seeded,
    train,
)
from pipeline.models.samples import Samples


@dataclass(frozen=True)
class PretrainingPlan(TrainingPlan):
    """How to pre-train: events of a window are hidden and all their fields redrawn from the others."""

    epochs: int = 16
    windows_per_epoch: int = 4_000
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    batch_events: int = 4096
    hidden_share: float = 0.25


class MaskedEvents(nn.Module):
    """A reader of events with a head that redraws the events hidden from it."""

    def __init__(self, reader: Reader, head: EventHead, hidden_share: float) -> None:
        super().__init__()
        self.reader, self.head, self.hidden_share = reader, head, hidden_share

    def forward(self, batch: WindowBatch, random: torch.Generator, training: bool) -> Tensor:
        """Nats of all hidden events of each window, (B,), given the others."""
        window = batch.reversed()
        shape = window.codes.shape[:2]
        is_hidden = torch.rand(shape, generator=random, device=random.device) < self.hidden_share
        states = self.reader(window.hide(is_hidden), random if training else None)
        nats = self.head.surprise(window.codes, window.numbers, self.head(states)).sum(dim=2)
        total: Tensor = nats.masked_fill(~(is_hidden & window.is_event), 0.0).sum(dim=1)
        return total


def pretrain(network: RiskNetwork, plan: PretrainingPlan, learn: Samples, later: Samples) -> Curve:
    """Teach the network's reader which events go together, from windows with or without labels."""
    fields, sequences = learn.fields, learn.sequences
    random = np.random.default_rng(plan.seed)
    judged = later.sequences.take(choose(len(later), plan.windows_per_epoch // 2, random))
    with seeded(plan.seed):
        head = EventHead(network.shape.hidden_size, fields.sizes, len(fields.numeric))
        model = MaskedEvents(network.reader, head, plan.hidden_share)

    def loss(batch: WindowBatch, step: Step) -> Tensor:
        nats: Tensor = model(batch, torch.Generator(batch.codes.device).manual_seed(step.seed), True)
        return nats.sum()

    def read(batch: WindowBatch) -> Tensor:
        nats: Tensor = model(batch, torch.Generator(batch.codes.device).manual_seed(plan.seed), False)
        return nats

    def judge(pool: ThreadPoolExecutor) -> float:
        nats = run_windows(model, judged, read, pool)
        return float(nats.sum()) / (plan.hidden_share * int(judged.windows.length.sum()))

    task = Task(
        name="on masked events",
        sequences=sequences,
        size=sequences.windows.length.astype(np.float64) * plan.hidden_share,
        choose=lambda random: choose(len(sequences), plan.windows_per_epoch, random),
        loss=loss,
        judge=judge if len(judged) else None,
        unit="nats per hidden later event",
    )
    return train(model, task, enough_steps(plan, sequences.windows), random)


@dataclass(frozen=True)
class Pretrained:
    """A supervised network that is pre-trained first."""

    shape: Shape
    tuning: SupervisedPlan

    def fit(self, learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> RiskScorer:
        """Pre-train on every window, then fine-tune on those with labels. Raises InputError with too few labels."""
        check_labels(learn)
        with seeded(seed):
            network = RiskNetwork(learn.fields, self.shape, self.tuning.dropout)
        pretrain(network, PretrainingPlan(seed, threads, progress), learn, stop)
        return fit_network(network, replace(self.tuning, seed=seed, threads=threads, progress=progress), learn, stop)
