"""How networks learn from windows: one loop for all of them, equal to the byte on any number of CPU threads."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.arrays import Doubles, Ints
from pipeline.models.nn.batch import WindowBatch, read_batch
from pipeline.models.tokens.windows import Sequences, Windows, batches

if TYPE_CHECKING:
    from rich.progress import Progress

LEAST_STEPS = 12  # per epoch, where there is little to learn from,
LEAST_EVENTS = 256  # as long as batches hold so many
SCORED_EVENTS = 8192  # of a batch that is only read

Judge = Callable[[ThreadPoolExecutor], float]
R = TypeVar("R")


@dataclass(frozen=True)
class TrainingPlan:
    """How to train. Equal plans on equal tokens give equal weights, to the byte, whatever the number of threads."""

    seed: int = 7
    threads: int = 2
    progress: bool = False  # whether to draw a bar
    epochs: int = 24
    patience: int = 3  # epochs without improvement before training stops
    windows_per_epoch: int = 10_000
    batch_events: int = 2048
    learning_rate: float = 1e-2
    weight_decay: float = 0.0
    settled_after: int = 0  # epochs before the first one that may be chosen


P = TypeVar("P", bound=TrainingPlan)


class Step(NamedTuple):
    """What a loss may use beside the windows of its half batch."""

    rows: Ints  # positions of these windows in the task
    seed: int
    epoch: int


@dataclass(frozen=True)
class Task:
    """What a network learns from.

    `loss` is a sum over windows; each step divides it by the sum of their `size`. `judge` is lower the better on
    later days. Without a judge, training runs to its last epoch.
    """

    name: str
    sequences: Sequences
    size: Doubles | Ints  # (n,)
    choose: Callable[[np.random.Generator], Ints]  # the windows of an epoch
    loss: Callable[[WindowBatch, Step], Tensor]
    judge: Judge | None
    unit: str


class Curve(NamedTuple):
    """Losses per epoch, on training and on later days, and the epoch that was kept."""

    train: list[float]
    later: list[float]
    best_epoch: int


def device() -> torch.device:
    """A GPU where there is one. Results are equal to the byte on a CPU only."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def mixed_precision(where: torch.device) -> torch.autocast:
    """bfloat16 for products on a GPU, full precision on a CPU."""
    return torch.autocast(where.type, torch.bfloat16, enabled=where.type != "cpu")


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Weights drawn in here depend on the seed alone. Torch's own generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def one_thread_each(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Workers that each run torch on one thread.

    For networks this small, two batches side by side beat one batch shared by two threads. Results do not depend on
    the number of threads. A busy machine slows the work down in proportion instead of stalling it.
    """
    had_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(had_threads)


def choose(n: int, at_most: int, random: np.random.Generator) -> Ints:
    """A random choice of at most so many of n, in order."""
    return np.sort(random.permutation(n)[:at_most])


def enough_steps(plan: P, windows: Windows) -> P:
    """The plan with smaller batches where there is little to learn from."""
    events = int(windows.length.mean() * min(len(windows), plan.windows_per_epoch))
    return replace(plan, batch_events=min(plan.batch_events, max(events // LEAST_STEPS, LEAST_EVENTS)))


def train(model: nn.Module, task: Task, plan: TrainingPlan, random: np.random.Generator) -> Curve:
    """Train on the best device. Leaves `model` on the CPU with the weights of the epoch that later days liked best."""
    train_loss: list[float] = []
    later_loss: list[float] = []
    model.to(device())
    optimiser = torch.optim.AdamW(model.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    best, best_epoch = model.state_dict(), 0
    with one_thread_each(plan.threads) as pool, _bar(plan.progress) as bar:
        loop = _Loop(model, optimiser, task, plan, random, pool)
        shown = bar.add_task(f"training {task.name}", total=plan.epochs)
        for epoch in range(plan.epochs):
            train_loss.append(loop.one_epoch(epoch))
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


@dataclass(frozen=True)
class _Loop:
    """A training run."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    task: Task
    plan: TrainingPlan
    random: np.random.Generator
    pool: ThreadPoolExecutor

    def one_epoch(self, epoch: int) -> float:
        """One pass over the epoch's windows in batches of like length and random order. Returns the mean loss.

        A step's gradient is the sum of two halves, computed apart and always added in the same order.
        """
        task, random = self.task, self.random
        for group in self.optimiser.param_groups:  # falls to a tenth along half a cosine
            group["lr"] = self.plan.learning_rate * (0.55 + 0.45 * math.cos(math.pi * epoch / self.plan.epochs))
        self.model.train()
        parameters = list(self.model.parameters())
        where = device_of(self.model)
        rows = task.choose(random)
        groups = list(batches(task.sequences.windows.take(rows), self.plan.batch_events))
        total = 0.0
        for i in random.permutation(len(groups)):
            batch = rows[groups[i]]
            halves = [batch[half::2] for half in range(min(2, len(batch)))]
            seeds = random.integers(2**63, size=2)

            def gradient(half: Ints, seed: int, size: float) -> tuple[float, tuple[Tensor, ...]]:
                windows = read_batch(task.sequences.take(half), where)
                with mixed_precision(where):
                    loss = task.loss(windows, Step(half, int(seed), epoch))
                return loss.item(), torch.autograd.grad(loss / size, parameters)

            results = list(self.pool.map(gradient, halves, seeds, [float(task.size[batch].sum())] * 2))
            for parameter, *parts in zip(parameters, *(gradients for _, gradients in results), strict=True):
                parameter.grad = sum(parts[1:], parts[0])
            nn.utils.clip_grad_norm_(parameters, 1.0)
            self.optimiser.step()
            total += sum(loss for loss, _ in results)
        return total / float(task.size[rows].sum())


def map_batches(
    model: nn.Module,
    sequences: Sequences,
    read: Callable[[WindowBatch, Ints], R],
    pool: ThreadPoolExecutor,
    batch_events: int = SCORED_EVENTS,
) -> Iterator[tuple[Ints, R]]:
    """Call `read` for each batch and the positions of its windows, without gradients. Yields positions and result."""
    where = device_of(model)

    def one(rows: Ints) -> tuple[Ints, R]:
        with torch.inference_mode(), mixed_precision(where):
            return rows, read(read_batch(sequences.take(rows), where), rows)

    yield from pool.map(one, batches(sequences.windows, batch_events))


def run_windows(
    model: nn.Module, sequences: Sequences, read: Callable[[WindowBatch], Tensor], pool: ThreadPoolExecutor
) -> Doubles:
    """`read` of each window, (n,) or (n, k), in the order of `sequences`."""

    def on_cpu(batch: WindowBatch, _: Ints) -> Doubles:
        values: Doubles = read(batch).double().cpu().numpy()
        return values

    parts = list(map_batches(model, sequences, on_cpu, pool))
    if not parts:
        return np.zeros(0)
    rows, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    result = np.empty_like(values)
    result[rows] = values
    return result


def _bar(shown: bool) -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, disable=not shown)
