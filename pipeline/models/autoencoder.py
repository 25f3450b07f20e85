"""An LSTM autoencoder over windows of events: it redraws ordinary behaviour well and odd events badly."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.files import write_atomically
from pipeline.models.arms.encoders import remember
from pipeline.models.arms.saving import check_fit
from pipeline.models.arms.tokens import KINDS, LOG_SCALE, EventEmbedding, EventHead, Redrawn, Window
from pipeline.models.arms.training import Plan, Step, Task, choose, one_thread_each, run_windows, seeded, train
from pipeline.models.fields import Fields
from pipeline.models.windows import Batch, Tokens, Windows

__all__ = [
    "KINDS",
    "LOG_SCALE",
    "BehaviourAutoencoder",
    "Trained",
    "TrainingPlan",
    "load_autoencoder",
    "nats_per_event",
    "one_thread_each",
    "save_autoencoder",
    "tensors",
    "train_autoencoder",
]


class BehaviourAutoencoder(nn.Module):
    """Squeeze a window of events into a small code, then redraw the window from it, newest event first.

    The encoder reads towards the newest event and the decoder starts from it, so the code knows most about the day
    that is judged. The code is bounded and, in training, noisy: a channel of known capacity, so that an odd event
    does not slip through just because its window is short.

    Shapes: B windows, T events in a window, newest first, short windows padded at the end; C categorical and
    M numeric fields. A number is NaN where missing and -inf where exactly zero.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        n_numbers: int,
        hidden_size: int = 64,
        code_size: int = 16,
        embedding_size: int = 6,
    ) -> None:
        super().__init__()
        self.embed = EventEmbedding(sizes, n_numbers, embedding_size)
        self.encoder = nn.LSTM(self.embed.width, hidden_size, batch_first=True)
        self.to_code = nn.Linear(hidden_size, code_size)
        self.decoder = nn.LSTM(code_size, hidden_size, batch_first=True)
        for lstm in (self.encoder, self.decoder):
            remember(lstm)
        self.head = EventHead(hidden_size, sizes, n_numbers)
        self.code_to_hidden = nn.Linear(code_size, hidden_size)

    def encode(self, codes: Tensor, numbers: Tensor, lengths: Tensor) -> Tensor:
        """The code (B, code) of windows: `codes` (B, T, C), `numbers` (B, T, M), `lengths` (B,)."""
        window = Window(codes, numbers, lengths, lengths).oldest_first()
        hidden, _ = self.encoder(self.embed(window.codes, window.numbers))
        return torch.tanh(self.to_code(hidden[torch.arange(len(codes)), lengths - 1]))  # before any padding

    def decode(self, code: Tensor, n_events: int) -> Redrawn:
        """Redraw the newest `n_events` events from each code."""
        hidden, _ = self.decoder(code.unsqueeze(1).expand(-1, n_events, -1))
        redrawn: Redrawn = self.head(hidden + self.code_to_hidden(code).unsqueeze(1))
        return redrawn

    def forward(self, codes: Tensor, numbers: Tensor, lengths: Tensor) -> tuple[Redrawn, Tensor]:
        code = self.encode(codes, numbers, lengths)
        return self.decode(code, codes.size(1)), code

    def surprise(self, codes: Tensor, numbers: Tensor, redrawn: Redrawn) -> Tensor:
        """Nats per window, event and field, (B, T, C + M): -log of the chance the decoder gave to what happened."""
        return self.head.surprise(codes, numbers, redrawn)


class Trained(NamedTuple):
    """A model with the losses that chose it: mean nats per event on training and on later days, per epoch."""

    model: BehaviourAutoencoder
    fields: Fields
    train_nats: list[float]
    later_nats: list[float]
    best_epoch: int


@dataclass(frozen=True)
class TrainingPlan(Plan):
    """How to train the autoencoder."""

    code_noise: float = 0.4  # standard deviation; the code lies within -1..1
    hidden_share: float = 0.5  # of events hidden from the encoder: they must be redrawn from the others


def tensors(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    return torch.from_numpy(batch.codes), torch.from_numpy(batch.numbers), torch.from_numpy(batch.lengths)


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
    check_windows(windows, later)
    random = np.random.default_rng(plan.seed)
    later = later.take(choose(len(later), plan.windows_per_epoch // 2, random))
    with seeded(plan.seed):
        model = BehaviourAutoencoder(fields.sizes, len(fields.numeric))
    task = Task(
        name="the autoencoder",
        tokens=tokens,
        fields=fields,
        windows=windows,
        size=windows.length,
        choose=lambda random: choose(len(windows), plan.windows_per_epoch, random),
        loss=lambda window, step: _noisy_nats(model, window, step, plan),
        judge=lambda pool: nats_per_event(model, tokens, fields, later, pool),
        unit="nats per later event",
    )
    curve = train(model, task, plan, random, progress)
    return Trained(model, fields, curve.train, curve.later, curve.best_epoch)


def check_windows(windows: Windows, later: Windows) -> None:
    """Raises InputError where there is nothing to learn from, or nothing to be judged by."""
    if not len(windows) or not len(later):
        raise InputError(
            "the sequence model needs user-days to train on and later ones to be judged by",
            f"found {len(windows)} and {len(later)}",
            fix="train until a later day, or raise RISK_TRAIN_DAYS",
        )


def _noisy_nats(model: BehaviourAutoencoder, window: Window, step: Step, plan: TrainingPlan) -> Tensor:
    """Total surprise of a batch redrawn from noisy codes of windows with some events hidden."""
    random = np.random.default_rng(step.seed)
    is_hidden = torch.from_numpy(random.random(window.codes.shape[:2], dtype=np.float32) < plan.hidden_share)
    seen = window.hide(is_hidden.to(window.codes.device))
    code = model.encode(seen.codes, seen.numbers, seen.lengths)
    noise = torch.from_numpy(random.standard_normal(code.shape, dtype=np.float32)).to(code.device)
    redrawn = model.decode(code + plan.code_noise * noise, window.codes.size(1))
    nats = model.surprise(window.codes, window.numbers, redrawn).sum(dim=2)
    return nats.masked_fill(~window.is_event, 0.0).sum()


def nats_per_event(
    model: BehaviourAutoencoder, tokens: Tokens, fields: Fields, windows: Windows, pool: ThreadPoolExecutor
) -> float:
    """Mean surprise of the user-days' own events."""

    def own_nats(window: Window) -> Tensor:
        redrawn, _ = model(window.codes, window.numbers, window.lengths)
        is_own = torch.arange(window.codes.size(1), device=window.own.device) < window.own[:, None]
        nats = model.surprise(window.codes, window.numbers, redrawn).sum(dim=2).double()
        return nats.masked_fill(~is_own, 0.0).sum(dim=1)

    total = run_windows(model, tokens, fields, windows, own_nats, pool).sum()
    return float(total) / int((windows.end - windows.today).sum())


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
            fields.sizes, len(fields.numeric), hidden_size, code_size, weights["embed.codes.weight"].shape[1]
        )
    except Exception as error:  # safetensors raises its own type, and OSError, and KeyError here
        raise InputError("cannot read the autoencoder's weights", str(error), fix=fix) from None
    check_fit("the autoencoder's weights", model, weights)
    model.load_state_dict(weights)
    return model.eval(), fields
