"""What networks that learn without labels share: ordinary accounts teach them, ordinary later days stop them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from pipeline.models.arms.tabular import ordinary
from pipeline.models.arms.tokens import Window
from pipeline.models.arms.training import Plan, Step, Task, choose, enough_steps, run_windows, train
from pipeline.models.samples import Samples
from pipeline.models.windows import Windows


@dataclass(frozen=True)
class Taught:
    """Nats per event by epoch, and the later windows that chose among the epochs."""

    train_nats: list[float]
    later_nats: list[float]
    later: Windows


def train_on_ordinary(
    model: nn.Module,
    name: str,
    learn: Samples,
    stop: Samples,
    plan: Plan,
    loss: Callable[[Window, Step], Tensor],
    surprise: Callable[[Window], Tensor],
    progress: bool,
) -> Taught:
    """Train until the events of ordinary later days stop getting more expected.

    `loss` is a sum of nats over windows; `surprise` the mean nats of each window's own events, (B,).
    """
    windows, later = ordinary(learn).windows, ordinary(stop).windows
    random = np.random.default_rng(plan.seed)
    later = later.take(choose(len(later), plan.windows_per_epoch // 2, random))
    own = later.end - later.today

    def judge(pool: ThreadPoolExecutor) -> float:
        mean = run_windows(model, learn.tokens, learn.fields, later, surprise, pool)
        return float(mean @ own) / int(own.sum())

    task = Task(
        name=name,
        tokens=learn.tokens,
        fields=learn.fields,
        windows=windows,
        size=windows.length,
        choose=lambda random: choose(len(windows), plan.windows_per_epoch, random),
        loss=loss,
        judge=judge,
        unit="nats per later event",
    )
    curve = train(model, task, enough_steps(plan, windows), random, progress)
    return Taught([round(x, 4) for x in curve.train], [round(x, 4) for x in curve.later], later)
