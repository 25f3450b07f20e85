"""How networks learn from windows: one loop for every arm, equal to the byte on any number of CPU threads."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.models.arms.tokens import Window, read_windows
from pipeline.models.fields import Fields
from pipeline.models.windows import Ints, Tokens, Windows, batches

if TYPE_CHECKING:
    from rich.progress import Progress

LEAST_STEPS = 12  # per epoch, where there is little to learn from,
LEAST_EVENTS = 256  # as long as batches hold so many

Doubles = NDArray[np.float64]
Judge = Callable[[ThreadPoolExecutor], float]


@dataclass(frozen=True)
class Plan:
    """How to train. Equal plans on equal tokens give equal weights, to the byte, whatever the number of threads."""

    seed: int = 7
    threads: int = 2
    epochs: int = 24
    patience: int = 3
    windows_per_epoch: int = 10_000
    batch_events: int = 2048
    learning_rate: float = 1e-2
    weight_decay: float = 0.0
    settled_after: int = 0  # epochs before the first one that may be chosen


P = TypeVar("P", bound=Plan)


class Step(NamedTuple):
    """What a loss knows beside the windows of its half batch."""

    rows: Ints  # which of the task's windows these are
    seed: int
    epoch: int


@dataclass(frozen=True)
class Task:
    """What is learned from which windows.

    `loss` is a sum over windows, divided by the sum of their `size` in each step. `judge` is lower the better on
    later days; without it, training goes on to its last epoch.
    """

    name: str
    tokens: Tokens
    fields: Fields
    windows: Windows
    size: NDArray[np.float64] | Ints  # (n,)
    choose: Callable[[np.random.Generator], Ints]  # the windows of an epoch
    loss: Callable[[Window, Step], Tensor]
    judge: Judge | None
    unit: str


class Curve(NamedTuple):
    """Losses that chose a model: on training and on later days, per epoch."""

    train: list[float]
    later: list[float]
    best_epoch: int


def device() -> torch.device:
    """A GPU where there is one. Only on a CPU are results equal to the byte."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def mixed_precision(where: torch.device) -> torch.autocast:
    """bfloat16 for products on a GPU, nothing on a CPU."""
    return torch.autocast(where.type, torch.bfloat16, enabled=where.type != "cpu")


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Weights drawn in here depend on the seed alone, and torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def one_thread_each(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Workers that each run torch on one thread.

    For nets this small two batches side by side beat one batch shared by two threads, results do not depend on the
    number of threads, and a busy machine slows the work down in proportion instead of stalling it.
    """
    had_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(had_threads)


def choose(n: int, at_most: int, random: np.random.Generator) -> Ints:
    """At most so many of n, in order."""
    return np.sort(random.permutation(n)[:at_most])


def enough_steps(plan: P, windows: Windows) -> P:
    """The plan with smaller batches where there is little to learn from."""
    events = int(windows.length.mean() * min(len(windows), plan.windows_per_epoch))
    return replace(plan, batch_events=min(plan.batch_events, max(events // LEAST_STEPS, LEAST_EVENTS)))


def train(model: nn.Module, task: Task, plan: Plan, random: np.random.Generator, progress: bool = False) -> Curve:
    """Leave `model` with the weights of the epoch that later days liked best, on the CPU."""
    train_loss: list[float] = []
    later_loss: list[float] = []
    model.to(device())
    optimiser = torch.optim.AdamW(model.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    best, best_epoch = model.state_dict(), 0
    with one_thread_each(plan.threads) as pool, _bar(progress) as bar:
        shown = bar.add_task(f"training {task.name}", total=plan.epochs)
        for epoch in range(plan.epochs):
            for group in optimiser.param_groups:  # falls to a tenth along half a cosine
                group["lr"] = plan.learning_rate * (0.55 + 0.45 * math.cos(math.pi * epoch / plan.epochs))
            train_loss.append(_epoch(model, optimiser, task, plan, epoch, random, pool))
            if task.judge is None:
                best_epoch = epoch
                bar.update(shown, advance=1)
                continue
            later_loss.append(task.judge(pool))
            settled = later_loss[plan.settled_after :]
            if settled and settled[-1] <= min(settled):
                best, best_epoch = {name: value.clone() for name, value in model.state_dict().items()}, epoch
            bar.update(shown, advance=1, description=f"training {task.name}, {min(later_loss):.3f} {task.unit}")
            if settled and epoch - best_epoch >= plan.patience:
                break
        bar.update(shown, completed=plan.epochs)
    if task.judge is not None:
        model.load_state_dict(best)
    model.cpu().eval()
    return Curve(train_loss, later_loss, best_epoch)


def _epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    task: Task,
    plan: Plan,
    epoch: int,
    random: np.random.Generator,
    pool: ThreadPoolExecutor,
) -> float:
    """One pass over the epoch's windows in batches of like length and random order; the mean loss.

    A step's gradient is the sum of two halves, computed apart and always added in the same order.
    """
    model.train()
    parameters = list(model.parameters())
    where = device_of(model)
    rows = task.choose(random)
    groups = list(batches(task.windows.take(rows), plan.batch_events))
    total = 0.0
    for i in random.permutation(len(groups)):
        batch = rows[groups[i]]
        halves = [batch[half::2] for half in range(min(2, len(batch)))]
        seeds = random.integers(2**63, size=2)

        def gradient(half: Ints, seed: int, size: float) -> tuple[float, tuple[Tensor, ...]]:
            window = read_windows(task.tokens, task.fields, task.windows.take(half), where)
            with mixed_precision(where):
                loss = task.loss(window, Step(half, int(seed), epoch))
            return loss.item(), torch.autograd.grad(loss / size, parameters)

        results = list(pool.map(gradient, halves, seeds, [float(task.size[batch].sum())] * 2))
        for parameter, *parts in zip(parameters, *(gradients for _, gradients in results), strict=True):
            parameter.grad = sum(parts[1:], parts[0])
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        total += sum(loss for loss, _ in results)
    return total / float(task.size[rows].sum())


def run_windows(
    model: nn.Module,
    tokens: Tokens,
    fields: Fields,
    windows: Windows,
    read: Callable[[Window], Tensor],
    pool: ThreadPoolExecutor,
    batch_events: int = 8192,
) -> Doubles:
    """What `read` makes of each window, (n,) or (n, k), without gradients and in the order of `windows`."""
    where = device_of(model)

    def of(chosen: Ints) -> Doubles:
        with torch.inference_mode(), mixed_precision(where):
            found = read(read_windows(tokens, fields, windows.take(chosen), where))
        result: Doubles = found.double().cpu().numpy()
        return result

    groups = list(batches(windows, batch_events))
    if not groups:
        return np.zeros(0)
    parts = np.concatenate(list(pool.map(of, groups)))
    result = np.empty_like(parts)
    result[np.concatenate(groups)] = parts
    return result


def _bar(shown: bool) -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, disable=not shown)
