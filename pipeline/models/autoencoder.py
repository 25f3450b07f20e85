"""An LSTM autoencoder over windows of events: it redraws ordinary behaviour well and odd events badly."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.files import write_atomically
from pipeline.models.fields import UNSEEN, Fields
from pipeline.models.windows import Batch, Ints, Tokens, Windows, assemble, batches

if TYPE_CHECKING:
    from rich.progress import Progress

FARTHEST = (
    3.0  # robust units: the encoder sees numbers up to here, so a monster cannot be copied; all are judged in full
)
MAX_LOGIT = 20.0
KINDS = 3  # of a number: missing, zero, other
LOG_SCALE = (math.log(0.1), math.log(10.0))  # a predicted spread stays between these, in robust units


class Redrawn(NamedTuple):
    """What the decoder makes of a window, for each of its events. L is the number of codes of all fields."""

    logits: Tensor  # (B, T, L)
    mean: Tensor  # (B, T, M)
    log_scale: Tensor  # (B, T, M)


class BehaviourAutoencoder(nn.Module):
    """Squeeze a window of events into a small code, then redraw the window from it, newest event first.

    The encoder reads towards the newest event and the decoder starts from it, so the code knows most about the day
    that is judged. The code is bounded and, in training, noisy: a channel of known capacity, so that an odd event
    does not slip through just because its window is short.

    Shapes: B windows, T events in a window, newest first, short windows padded at the end; C categorical and
    M numeric fields. A number is NaN where missing and -inf where exactly zero.
    """

    offsets: Tensor
    sums: Tensor

    def __init__(
        self,
        sizes: tuple[int, ...],
        n_numbers: int,
        hidden_size: int = 64,
        code_size: int = 16,
        embedding_size: int = 6,
    ) -> None:
        super().__init__()
        self.n_numbers = n_numbers
        self.embed = nn.Embedding(max(sum(sizes), 1), embedding_size)
        self.encoder = nn.LSTM(len(sizes) * embedding_size + 3 * n_numbers, hidden_size, batch_first=True)
        self.to_code = nn.Linear(hidden_size, code_size)
        self.decoder = nn.LSTM(code_size, hidden_size, batch_first=True)
        for lstm in (self.encoder, self.decoder):  # begin by remembering: a window may be long
            nn.init.constant_(lstm.get_parameter("bias_hh_l0")[hidden_size : 2 * hidden_size], 1.0)
        # each number has a kind too, redrawn like any other categorical field
        all_sizes = torch.tensor([*sizes, *[KINDS] * n_numbers], dtype=torch.int32)
        self.to_logits = nn.Linear(hidden_size, int(all_sizes.sum()))
        self.to_numbers = nn.Linear(hidden_size, 2 * n_numbers)
        self.code_to_hidden = nn.Linear(code_size, hidden_size)
        self.register_buffer("offsets", (all_sizes.cumsum(0) - all_sizes).int(), persistent=False)
        # (L, C + M): which codes belong to which field, to sum all fields' chances in one product
        sums = torch.repeat_interleave(torch.eye(len(all_sizes)), all_sizes, dim=0)
        self.register_buffer("sums", sums, persistent=False)

    def encode(self, codes: Tensor, numbers: Tensor, lengths: Tensor) -> Tensor:
        """The code (B, code) of windows: `codes` (B, T, C), `numbers` (B, T, M), `lengths` (B,)."""
        embedded = self.embed(codes + self.offsets[: codes.size(2)]).flatten(2)
        is_missing, is_zero = numbers.isnan(), numbers.isneginf()
        seen = numbers.clamp(-FARTHEST, FARTHEST).masked_fill(is_missing | is_zero, 0.0)
        events = torch.cat([embedded, seen, is_missing.to(seen.dtype), is_zero.to(seen.dtype)], dim=2)
        rows = torch.arange(len(codes))
        towards_newest = (lengths[:, None] - 1 - torch.arange(codes.size(1))).clamp(min=0)
        hidden, _ = self.encoder(events[rows[:, None], towards_newest])
        return torch.tanh(self.to_code(hidden[rows, lengths - 1]))  # before any padding

    def decode(self, code: Tensor, n_events: int) -> Redrawn:
        """Redraw the newest `n_events` events from each code."""
        hidden, _ = self.decoder(code.unsqueeze(1).expand(-1, n_events, -1))
        hidden = hidden + self.code_to_hidden(code).unsqueeze(1)
        mean, spread = self.to_numbers(hidden).chunk(2, dim=2)
        low, high = LOG_SCALE
        logits = self.to_logits(hidden).clamp(-MAX_LOGIT, MAX_LOGIT)
        return Redrawn(logits, mean, low + (high - low) * torch.sigmoid(spread))

    def forward(self, codes: Tensor, numbers: Tensor, lengths: Tensor) -> tuple[Redrawn, Tensor]:
        code = self.encode(codes, numbers, lengths)
        return self.decode(code, codes.size(1)), code

    def surprise(self, codes: Tensor, numbers: Tensor, redrawn: Redrawn) -> Tensor:
        """Nats per window, event and field, (B, T, C + M): -log of the chance the decoder gave to what happened.

        A categorical field costs its cross-entropy. A number costs the cross-entropy of its kind (missing, zero,
        other) and, where other, the negative log density of its Gaussian, in robust units: a sharp guess that is
        right costs less than 0. Training minimises the mean of this, the stacker reads its sums, reasons name its
        largest cells: one quantity. Meaningless on padding.
        """
        is_missing, is_zero = numbers.isnan(), numbers.isneginf()
        kinds = torch.where(is_missing, 0, torch.where(is_zero, 1, 2)).to(codes.dtype)
        targets = torch.cat([codes, kinds], dim=2) + self.offsets
        # Logits are bounded, so their exponentials need no shift, and one product sums them for every field.
        nats = (redrawn.logits.exp() @ self.sums).log() - redrawn.logits.gather(2, targets.long())
        value = numbers.masked_fill(is_missing | is_zero, 0.0)
        error = (value - redrawn.mean) * torch.exp(-redrawn.log_scale)
        density = 0.5 * error.square() + redrawn.log_scale + 0.5 * math.log(2 * math.pi)
        return torch.cat(
            [nats[:, :, : codes.size(2)], nats[:, :, codes.size(2) :] + density * (kinds == 2)],
            dim=2,
        )


class Trained(NamedTuple):
    """A model with the losses that chose it: mean nats per event on training and on later days, per epoch."""

    model: BehaviourAutoencoder
    fields: Fields
    train_nats: list[float]
    later_nats: list[float]
    best_epoch: int


@dataclass(frozen=True)
class TrainingPlan:
    """How to train. Equal plans on equal tokens give equal weights, to the byte, whatever the number of threads."""

    seed: int = 7
    threads: int = 2
    epochs: int = 24
    patience: int = 3
    windows_per_epoch: int = 10_000
    batch_events: int = 2048
    learning_rate: float = 1e-2
    code_noise: float = 0.4  # standard deviation; the code lies within -1..1
    hidden_share: float = 0.5  # of events hidden from the encoder: they must be redrawn from the others


def tensors(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    return torch.from_numpy(batch.codes), torch.from_numpy(batch.numbers), torch.from_numpy(batch.lengths)


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


def train_autoencoder(
    tokens: Tokens,
    fields: Fields,
    windows: Windows,
    later: Windows,
    plan: TrainingPlan = TrainingPlan(),
    progress: bool = False,
) -> Trained:
    """Train on `windows` (the caller has left out known-bad accounts) until `later` days stop getting better.

    Each epoch sees another fixed choice of at most `windows_per_epoch` windows. Judged by the nats per event of
    the later days' own events only: their earlier events were trained on.
    """
    if not len(windows) or not len(later):
        raise InputError(
            "the sequence model needs user-days to train on and later ones to be judged by",
            f"found {len(windows)} and {len(later)}",
            fix="train until a later day, or raise RISK_TRAIN_DAYS",
        )
    random = np.random.default_rng(plan.seed)
    later = later.take(_choose(len(later), plan.windows_per_epoch // 2, random))
    train_nats: list[float] = []
    later_nats: list[float] = []
    with torch.random.fork_rng(devices=[]), one_thread_each(plan.threads) as pool, _bar(progress) as bar:
        torch.manual_seed(plan.seed)
        model = BehaviourAutoencoder(fields.sizes, len(fields.numeric))
        optimiser = torch.optim.Adam(model.parameters(), lr=plan.learning_rate)
        best, best_epoch = model.state_dict(), 0
        task = bar.add_task("training the autoencoder", total=plan.epochs)
        for epoch in range(plan.epochs):
            for group in optimiser.param_groups:  # falls to a tenth along half a cosine
                group["lr"] = plan.learning_rate * (0.55 + 0.45 * math.cos(math.pi * epoch / plan.epochs))
            chosen = windows.take(_choose(len(windows), plan.windows_per_epoch, random))
            train_nats.append(_epoch(model, optimiser, tokens, fields, chosen, plan, random, pool))
            later_nats.append(nats_per_event(model, tokens, fields, later, pool))
            if later_nats[-1] <= min(later_nats):
                best, best_epoch = {name: value.clone() for name, value in model.state_dict().items()}, epoch
            best_yet = f"{min(later_nats):.3f} nats per later event"
            bar.update(task, advance=1, description=f"training the autoencoder, {best_yet}")
            if epoch - best_epoch >= plan.patience:
                break
        bar.update(task, completed=plan.epochs)
        model.load_state_dict(best)
    return Trained(model.eval(), fields, train_nats, later_nats, best_epoch)


def _bar(shown: bool) -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, disable=not shown)


def _choose(n: int, at_most: int, random: np.random.Generator) -> Ints:
    return np.sort(random.permutation(n)[:at_most])


def _epoch(
    model: BehaviourAutoencoder,
    optimiser: torch.optim.Optimizer,
    tokens: Tokens,
    fields: Fields,
    windows: Windows,
    plan: TrainingPlan,
    random: np.random.Generator,
    pool: ThreadPoolExecutor,
) -> float:
    """One pass over `windows` in batches of like length and random order; the mean nats per event.

    A step's gradient is the sum of two halves, computed apart and always added in the same order.
    """
    model.train()
    parameters = list(model.parameters())
    groups = list(batches(windows, plan.batch_events))
    total = 0.0
    for i in random.permutation(len(groups)):
        batch = windows.take(groups[i])
        halves = [batch.take(np.arange(half, len(batch), 2)) for half in range(min(2, len(batch)))]
        seeds = random.integers(2**63, size=2)

        def gradient(half: Windows, seed: int, n_events: int) -> tuple[float, tuple[Tensor, ...]]:
            nats = _noisy_nats(model, tensors(assemble(tokens, half, fields.gap_column)), plan, seed)
            return nats.item(), torch.autograd.grad(nats / n_events, parameters)

        n_events = int(batch.length.sum())
        results = list(pool.map(gradient, halves, seeds, [n_events] * 2))
        for parameter, *parts in zip(parameters, *(gradients for _, gradients in results), strict=True):
            parameter.grad = sum(parts[1:], parts[0])
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        total += sum(nats for nats, _ in results)
    return total / int(windows.length.sum())


def _noisy_nats(
    model: BehaviourAutoencoder, window: tuple[Tensor, Tensor, Tensor], plan: TrainingPlan, seed: int
) -> Tensor:
    """Total surprise of a batch redrawn from noisy codes of windows with some events hidden."""
    codes, numbers, lengths = window
    random = np.random.default_rng(seed)
    is_event = torch.arange(codes.size(1)) < lengths[:, None]
    is_hidden = torch.from_numpy(random.random(codes.shape[:2], dtype=np.float32) < plan.hidden_share)[:, :, None]
    code = model.encode(codes.masked_fill(is_hidden, UNSEEN), numbers.masked_fill(is_hidden, math.nan), lengths)
    noise = torch.from_numpy(random.standard_normal(code.shape, dtype=np.float32))
    redrawn = model.decode(code + plan.code_noise * noise, codes.size(1))
    nats = model.surprise(codes, numbers, redrawn).sum(dim=2)
    return nats.masked_fill(~is_event, 0.0).sum()


def nats_per_event(
    model: BehaviourAutoencoder, tokens: Tokens, fields: Fields, windows: Windows, pool: ThreadPoolExecutor
) -> float:
    """Mean surprise of the user-days' own events."""
    model.eval()

    def own_nats(chosen: Ints) -> float:
        part = windows.take(chosen)
        with torch.inference_mode():
            codes, numbers, lengths = tensors(assemble(tokens, part, fields.gap_column))
            redrawn, _ = model(codes, numbers, lengths)
            is_own = torch.arange(codes.size(1)) < torch.from_numpy(part.end - part.today)[:, None]
            nats = model.surprise(codes, numbers, redrawn).sum(dim=2).double()
            return float(nats.masked_fill(~is_own, 0.0).sum())

    return sum(pool.map(own_nats, batches(windows, 8192))) / int((windows.end - windows.today).sum())


def save_autoencoder(model: BehaviourAutoencoder, fields: Fields, folder: Path) -> None:
    """Write autoencoder.safetensors and fields.json."""
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    write_atomically(folder / "autoencoder.safetensors", save(weights))
    fields.save(folder / "fields.json")


def load_autoencoder(folder: Path) -> tuple[BehaviourAutoencoder, Fields]:
    """Read a saved model. Raises InputError if a file is missing or damaged, or the two do not fit each other."""
    fields = Fields.load(folder / "fields.json")
    fix = "roll back to another bundle, or train again"
    try:
        weights = load_file(folder / "autoencoder.safetensors")
        code_size, hidden_size = weights["to_code.weight"].shape
        model = BehaviourAutoencoder(
            fields.sizes, len(fields.numeric), hidden_size, code_size, weights["embed.weight"].shape[1]
        )
    except Exception as error:  # safetensors raises its own type, and OSError, and KeyError here
        raise InputError("cannot read the autoencoder's weights", str(error), fix=fix) from None
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if wanted != found:
        wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        lines = [f"{name}: fields.json asks for {wanted.get(name)}, weights have {found.get(name)}" for name in wrong]
        raise InputError("the autoencoder's weights do not fit its fields", *lines, fix=fix)
    model.load_state_dict(weights)
    return model.eval(), fields
