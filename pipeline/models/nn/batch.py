"""Windows side by side as tensors: what every network reads."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.models.tokens.fields import MISSING, UNSEEN
from pipeline.models.tokens.windows import Sequences

CPU = torch.device("cpu")


class WindowBatch(NamedTuple):
    """B windows, newest event first, short ones padded at the end to T events; C categorical and M numeric fields."""

    codes: Tensor  # (B, T, C), 0 on padding
    numbers: Tensor  # (B, T, M); NaN is missing and stands on padding, -inf is exactly zero
    lengths: Tensor  # (B,)
    own: Tensor  # (B,) how many of the newest events are the day's own

    def reversed(self) -> "WindowBatch":
        """The same windows in the other direction: newest first becomes oldest first, or back."""
        rows = torch.arange(len(self.codes), device=self.codes.device)[:, None]
        other_end = self.steps_from_end.clamp(min=0)
        return self._replace(codes=self.codes[rows, other_end], numbers=self.numbers[rows, other_end])

    @property
    def steps_from_end(self) -> Tensor:
        """(B, T): 0 for a window's last event, negative on padding."""
        return self.lengths[:, None] - 1 - torch.arange(self.codes.size(1), device=self.codes.device)

    @property
    def is_event(self) -> Tensor:
        """(B, T): False on padding."""
        return self.steps_from_end >= 0

    @property
    def is_own(self) -> Tensor:
        """(B, T): whether an event is the day's own, newest event first."""
        return torch.arange(self.codes.size(1), device=self.own.device) < self.own[:, None]

    def hide(self, is_hidden: Tensor) -> "WindowBatch":
        """The same windows with the fields of some events (B, T) unknown. The events stay in their places."""
        where = is_hidden[:, :, None]
        return self._replace(
            codes=self.codes.masked_fill(where, UNSEEN), numbers=self.numbers.masked_fill(where, math.nan)
        )


def read_batch(sequences: Sequences, device: torch.device = CPU) -> WindowBatch:
    """Lay windows side by side, newest event first."""
    tokens, windows = sequences.tokens, sequences.windows
    length = windows.length
    steps = np.arange(int(length.max()))
    is_event = steps < length[:, None]
    place = np.where(is_event, windows.places(steps), windows.start[:, None])
    codes = tokens.codes[place].astype(np.int32)
    numbers = tokens.numbers[place]
    codes[~is_event] = MISSING
    numbers[~is_event] = np.nan
    gap_column = sequences.fields.gap_column
    if gap_column is not None:  # the event before the window is unknown
        numbers[np.arange(len(length)), length - 1, gap_column] = np.nan
    return WindowBatch(*(torch.from_numpy(array).to(device) for array in (codes, numbers, length, windows.own)))
