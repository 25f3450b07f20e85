"""Event tokens on their way into a network and out of it: the same for every arm that reads sequences."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.models.fields import UNSEEN, Fields
from pipeline.models.windows import Tokens, Windows, assemble

FARTHEST = 3.0  # robust units: networks see numbers up to here, so a monster cannot be copied; all are judged in full
MAX_LOGIT = 20.0
KINDS = 3  # of a number: missing, zero, other
LOG_SCALE = (math.log(0.1), math.log(10.0))  # a predicted spread stays between these, in robust units


class Window(NamedTuple):
    """B windows side by side, short ones padded at the end to T events; C categorical and M numeric fields."""

    codes: Tensor  # (B, T, C)
    numbers: Tensor  # (B, T, M); NaN is missing, -inf exactly zero
    lengths: Tensor  # (B,)
    own: Tensor  # (B,) how many of the newest events are of the judged day

    def oldest_first(self) -> "Window":
        """The same windows the other way round: from newest first to oldest first, or back."""
        rows = torch.arange(len(self.codes), device=self.codes.device)[:, None]
        other_end = self.steps_from_end.clamp(min=0)
        return self._replace(codes=self.codes[rows, other_end], numbers=self.numbers[rows, other_end])

    @property
    def steps_from_end(self) -> Tensor:
        """(B, T): 0 for a window's last event, negative on padding."""
        return self.lengths[:, None] - 1 - torch.arange(self.codes.size(1), device=self.codes.device)

    @property
    def is_event(self) -> Tensor:
        return self.steps_from_end >= 0

    def hide(self, is_hidden: Tensor) -> "Window":
        """The same windows without what is known of some events, (B, T): they are still there."""
        where = is_hidden[:, :, None]
        return self._replace(
            codes=self.codes.masked_fill(where, UNSEEN), numbers=self.numbers.masked_fill(where, math.nan)
        )


def read_windows(tokens: Tokens, fields: Fields, windows: Windows, device: torch.device) -> Window:
    """Lay windows side by side, newest event first."""
    batch = assemble(tokens, windows, fields.gap_column)
    arrays = (batch.codes, batch.numbers, batch.lengths, windows.end - windows.today)
    return Window(*(torch.from_numpy(array).to(device) for array in arrays))


class EventEmbedding(nn.Module):
    """What a network sees of an event: a learned vector per categorical code, and per number its value within
    +-3 robust units, whether it is missing, and whether it is exactly zero."""

    offsets: Tensor

    def __init__(self, sizes: tuple[int, ...], n_numbers: int, embedding_size: int = 6) -> None:
        super().__init__()
        self.codes = nn.Embedding(max(sum(sizes), 1), embedding_size)
        self.width = len(sizes) * embedding_size + 3 * n_numbers
        counts = torch.tensor(sizes, dtype=torch.int32)
        self.register_buffer("offsets", (counts.cumsum(0) - counts).int(), persistent=False)

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """(B, T, width) of `codes` (B, T, C) and `numbers` (B, T, M)."""
        embedded = self.codes(codes + self.offsets).flatten(2)
        is_missing, is_zero = numbers.isnan(), numbers.isneginf()
        seen = numbers.clamp(-FARTHEST, FARTHEST).masked_fill(is_missing | is_zero, 0.0)
        return torch.cat([embedded, seen, is_missing.to(seen.dtype), is_zero.to(seen.dtype)], dim=2)


class Redrawn(NamedTuple):
    """What a network makes of each event. L is the number of codes of all fields, each number's kind among them."""

    logits: Tensor  # (B, T, L)
    mean: Tensor  # (B, T, M)
    log_scale: Tensor  # (B, T, M)


class EventHead(nn.Module):
    """Redraws events from hidden states: a distribution over the codes of each categorical field and over the kind
    of each number, and a Gaussian for its value."""

    offsets: Tensor
    sums: Tensor

    def __init__(self, hidden_size: int, sizes: tuple[int, ...], n_numbers: int) -> None:
        super().__init__()
        # each number has a kind too, redrawn like any other categorical field
        all_sizes = torch.tensor([*sizes, *[KINDS] * n_numbers], dtype=torch.int32)
        self.to_logits = nn.Linear(hidden_size, int(all_sizes.sum()))
        self.to_numbers = nn.Linear(hidden_size, 2 * n_numbers)
        self.register_buffer("offsets", (all_sizes.cumsum(0) - all_sizes).int(), persistent=False)
        # (L, C + M): which codes belong to which field, to sum all fields' chances in one product
        sums = torch.repeat_interleave(torch.eye(len(all_sizes)), all_sizes, dim=0)
        self.register_buffer("sums", sums, persistent=False)

    def forward(self, hidden: Tensor) -> Redrawn:
        mean, spread = self.to_numbers(hidden).float().chunk(2, dim=2)
        low, high = LOG_SCALE
        logits = self.to_logits(hidden).float().clamp(-MAX_LOGIT, MAX_LOGIT)
        return Redrawn(logits, mean, low + (high - low) * torch.sigmoid(spread))

    def surprise(self, codes: Tensor, numbers: Tensor, redrawn: Redrawn) -> Tensor:
        """Nats per window, event and field, (B, T, C + M): -log of the chance given to what happened.

        A categorical field costs its cross-entropy. A number costs the cross-entropy of its kind (missing, zero,
        other) and, where other, the negative log density of its Gaussian, in robust units: a sharp guess that is
        right costs less than 0. Training minimises the mean of this, the stacker reads its sums, reasons name its
        largest cells: one quantity. Meaningless on padding.
        """
        is_missing, is_zero = numbers.isnan(), numbers.isneginf()
        kinds = torch.where(is_missing, 0, torch.where(is_zero, 1, 2)).to(codes.dtype)
        targets = torch.cat([codes, kinds], dim=2) + self.offsets
        # Logits are bounded, so their exponentials need no shift, and one product sums them for every field.
        with torch.autocast(codes.device.type, enabled=False):
            nats = (redrawn.logits.exp() @ self.sums).log() - redrawn.logits.gather(2, targets.long())
        value = numbers.masked_fill(is_missing | is_zero, 0.0)
        error = (value - redrawn.mean) * torch.exp(-redrawn.log_scale)
        density = 0.5 * error.square() + redrawn.log_scale + 0.5 * math.log(2 * math.pi)
        return torch.cat(
            [nats[:, :, : codes.size(2)], nats[:, :, codes.size(2) :] + density * (kinds == 2)],
            dim=2,
        )


def own_mean(nats: Tensor, own: Tensor) -> Tensor:
    """Mean over the newest `own` events, (B,), of nats (B, T), newest first."""
    is_own = torch.arange(nats.size(1), device=nats.device) < own[:, None]
    return nats.double().masked_fill(~is_own, 0.0).sum(dim=1) / own


def own_level(nats: Tensor, own: Tensor) -> Tensor:
    """log mean exp over the newest `own` events, (B,): a soft maximum, as `surprise.soft_maximum`."""
    is_own = torch.arange(nats.size(1), device=nats.device) < own[:, None]
    return nats.double().masked_fill(~is_own, -torch.inf).logsumexp(dim=1) - own.double().log()
