"""Pre-training without labels, then fine-tuning with the few there are (masked events: Devlin et al., 2019)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.arms import Arm
from pipeline.models.arms.encoders import Shape
from pipeline.models.arms.sampling import check_labels
from pipeline.models.arms.supervised import (
    Reader,
    RiskNetwork,
    RiskScorer,
    SupervisedPlan,
    fit_network,
    load,
)
from pipeline.models.arms.tokens import EventHead, Window
from pipeline.models.arms.training import Curve, Plan, Step, Task, choose, enough_steps, run_windows, seeded, train
from pipeline.models.samples import Samples

Size = Literal["small", "large"]

SHAPES: dict[Size, Shape] = {
    "small": Shape(encoder="transformer", hidden_size=48, layers=2),  # a minute on two cores
    "large": Shape(encoder="transformer", hidden_size=256, layers=6, heads=8, embedding_size=16),  # for a GPU
}


@dataclass(frozen=True)
class PretrainingPlan(Plan):
    """How to pre-train: events of a window are hidden and all their fields redrawn from the others."""

    epochs: int = 16
    windows_per_epoch: int = 4_000
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    batch_events: int = 4096
    hidden_share: float = 0.25


class MaskedEvents(nn.Module):
    """A reader of events with a head that redraws those hidden from it."""

    def __init__(self, reader: Reader, head: EventHead) -> None:
        super().__init__()
        self.reader, self.head = reader, head

    def forward(self, window: Window, hidden_share: float, random: torch.Generator, training: bool) -> Tensor:
        """Nats of all hidden events of each window, (B,), given those that are not."""
        window = window.oldest_first()
        shape = window.codes.shape[:2]
        is_hidden = torch.rand(shape, generator=random, device=random.device) < hidden_share
        seen = self.reader(window.hide(is_hidden), random if training else None)
        nats = self.head.surprise(window.codes, window.numbers, self.head(seen)).sum(dim=2)
        total: Tensor = nats.masked_fill(~(is_hidden & window.is_event), 0.0).sum(dim=1)
        return total


def pretrain(
    network: RiskNetwork, shape: Shape, plan: PretrainingPlan, learn: Samples, later: Samples, progress: bool
) -> Curve:
    """Teach the network's reader what events go together, from windows whose labels nobody asks for."""
    fields, windows = learn.fields, learn.windows
    random = np.random.default_rng(plan.seed)
    judged = later.windows.take(choose(len(later), plan.windows_per_epoch // 2, random))
    with seeded(plan.seed):
        model = MaskedEvents(network.reader, EventHead(shape.hidden_size, fields.sizes, len(fields.numeric)))

    def loss(window: Window, step: Step) -> Tensor:
        random = torch.Generator(window.codes.device).manual_seed(step.seed)
        nats: Tensor = model(window, plan.hidden_share, random, True)
        return nats.sum()

    def read(window: Window) -> Tensor:
        random = torch.Generator(window.codes.device).manual_seed(plan.seed)
        nats: Tensor = model(window, plan.hidden_share, random, False)
        return nats

    def judge(pool: ThreadPoolExecutor) -> float:
        nats = run_windows(model, later.tokens, fields, judged, read, pool)
        return float(nats.sum()) / (plan.hidden_share * int(judged.length.sum()))

    task = Task(
        name="on masked events",
        tokens=learn.tokens,
        fields=fields,
        windows=windows,
        size=windows.length.astype(np.float64) * plan.hidden_share,
        choose=lambda random: choose(len(windows), plan.windows_per_epoch, random),
        loss=loss,
        judge=judge if len(judged) else None,
        unit="nats per hidden later event",
    )
    return train(model, task, enough_steps(plan, windows), random, progress)


def fit(
    shape: Shape, tuning: SupervisedPlan, learn: Samples, stop: Samples, seed: int, threads: int, progress: bool
) -> RiskScorer:
    """Pre-train on every window, then fine-tune on those with labels. Raises InputError without enough labels."""
    check_labels(learn)
    with seeded(seed):
        network = RiskNetwork(learn.fields, shape, tuning.dropout)
    pretrain(network, shape, PretrainingPlan(seed=seed, threads=threads), learn, stop, progress)
    return fit_network(network, shape, replace(tuning, seed=seed, threads=threads), learn, stop, progress)


def pretrained_arm(size: Size = "small") -> Arm:
    """The pre-trained arm in a size of one's choice: the same code, more of it."""
    about = "a transformer that first learns to redraw masked events, then labels"
    tuning = SupervisedPlan(learning_rate=2e-3)
    return Arm("pretrained", "supervised", about, partial(fit, SHAPES[size], tuning), load)
