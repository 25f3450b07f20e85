"""Networks that learn without labels: ordinary accounts teach them, ordinary later days stop them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.models.nn.batch import WindowBatch
from pipeline.models.nn.training import Curve, Step, Task, TrainingPlan, choose, run_windows, train
from pipeline.models.tokens.windows import Sequences


class NatsNetwork(nn.Module, ABC):
    """A network that measures events in nats: -log of the chance it gave to them."""

    title: str

    @abstractmethod
    def own_nats(self, batch: WindowBatch) -> Tensor:
        """Nats of each window's own events together, (B,)."""


def train_without_labels(
    model: NatsNetwork,
    learn: Sequences,
    later: Sequences,
    loss: Callable[[WindowBatch, Step], Tensor],
    plan: TrainingPlan,
) -> tuple[Curve, Sequences]:
    """Train on `learn` until the events of `later` days cost no fewer nats. The caller has left out known-bad accounts.

    `loss` is a sum of nats over windows. Each epoch sees another fixed choice of at most `windows_per_epoch` windows.
    Later days are judged by their own events only: their earlier events were trained on. Returns the curve and the
    later user-days that it was measured on. Raises InputError without user-days on either side.
    """
    if not len(learn) or not len(later):
        raise InputError(
            "the sequence model needs user-days to train on and later ones to be judged by",
            f"found {len(learn)} and {len(later)}",
            fix="train until a later day, or raise RISK_TRAIN_DAYS",
        )
    random = np.random.default_rng(plan.seed)
    judged = later.take(choose(len(later), plan.windows_per_epoch // 2, random))
    task = Task(
        name=model.title,
        sequences=learn,
        size=learn.windows.length,
        choose=lambda random: choose(len(learn), plan.windows_per_epoch, random),
        loss=loss,
        judge=lambda pool: nats_per_event(model, judged, pool),
        unit="nats per later event",
    )
    return train(model, task, plan, random), judged


def nats_per_event(model: NatsNetwork, sequences: Sequences, pool: ThreadPoolExecutor) -> float:
    """Mean nats of the user-days' own events."""
    total = run_windows(model, sequences, model.own_nats, pool).sum()
    return float(total) / int(sequences.windows.own.sum())
