"""Events on their way into a network and out of it: the same for every network that reads sequences."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.models.nn.batch import WindowBatch

FARTHEST = 3.0  # robust units: networks see numbers up to here, so that no monster is copied; nats count them in full
MAX_LOGIT = 20.0
KINDS = 3  # of a number: missing, zero, other
LOG_SCALE = (math.log(0.1), math.log(10.0))  # a predicted spread stays between these, in robust units


class EventEmbedding(nn.Module):
    """An event as numbers: a learned vector per categorical code; per number its value within +-3 robust units, whether
    it is missing, and whether it is exactly zero."""

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
        bounded = numbers.clamp(-FARTHEST, FARTHEST).masked_fill(is_missing | is_zero, 0.0)
        return torch.cat([embedded, bounded, is_missing.to(bounded.dtype), is_zero.to(bounded.dtype)], dim=2)


class Redrawn(NamedTuple):
    """A distribution over each event. L counts the codes of all fields, the kinds of numbers among them."""

    logits: Tensor  # (B, T, L)
    mean: Tensor  # (B, T, M)
    log_scale: Tensor  # (B, T, M)


class EventHead(nn.Module):
    """Redraws events from hidden states: a distribution over the codes of each categorical field and over the kind of
    each number, and a Gaussian for its value."""

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
        other). A number of the kind "other" also costs the negative log density of its Gaussian, in robust units; a
        sharp guess that is right costs less than 0. Training minimises the mean of these nats, the stacker reads
        their sums, reasons name the largest: one quantity. Meaningless on padding.
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


def own_sum(nats: Tensor, batch: WindowBatch) -> Tensor:
    """Sum over the day's own events, (B,), of nats (B, T), newest event first."""
    return nats.double().masked_fill(~batch.is_own, 0.0).sum(dim=1)


def own_level(nats: Tensor, batch: WindowBatch) -> Tensor:
    """log mean exp over the day's own events, (B,): a soft maximum, as `surprise.soft_maximum`."""
    return nats.double().masked_fill(~batch.is_own, -torch.inf).logsumexp(dim=1) - batch.own.double().log()
