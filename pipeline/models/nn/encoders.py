"""Encoders: each event of a window in the light of the others. The one place where supervised networks differ.

Shapes: B windows, T events, oldest first, short windows padded at the end; E numbers per event in, H out. Values on
padding never reach an event.
"""

from collections.abc import Callable
from typing import Annotated, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.tokens.windows import MAX_EVENTS

Kind = Literal["lstm", "gru", "rnn", "cnn", "transformer"]


class Shape(BaseModel):
    """The size of an encoder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: Kind
    hidden_size: Annotated[int, Field(ge=4, le=4096)] = 48
    layers: Annotated[int, Field(ge=1, le=64)] = 1
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    embedding_size: Annotated[int, Field(ge=1, le=256)] = 6

    @model_validator(mode="after")
    def heads_share_the_hidden_units(self) -> Self:
        if self.encoder == "transformer" and self.hidden_size % self.heads:
            raise ValueError(f"{self.hidden_size} hidden units cannot be shared by {self.heads} heads")
        return self


class Dropout(nn.Module):
    """Dropout that draws from a generator of its own, so that other threads do not change its draws.

    Without a generator it does nothing.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor, random: torch.Generator | None) -> Tensor:
        if random is None or self.share == 0:
            return x
        is_kept = torch.rand(x.shape, generator=random, device=x.device) >= self.share
        kept: Tensor = x * is_kept / (1 - self.share)
        return kept


class RecurrentEncoder(nn.Module):
    """An LSTM, a GRU or a plain tanh RNN that reads from the oldest event to the newest."""

    def __init__(self, width: int, shape: Shape) -> None:
        super().__init__()
        make: Callable[..., nn.RNNBase] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[shape.encoder]
        self.net = make(width, shape.hidden_size, shape.layers, batch_first=True)
        if isinstance(self.net, nn.LSTM):
            remember(self.net)

    def forward(
        self, events: Tensor, steps_from_end: Tensor, dropout: Dropout, random: torch.Generator | None
    ) -> Tensor:
        hidden: Tensor = self.net(dropout(events, random))[0]
        return hidden


def remember(lstm: nn.LSTM) -> None:
    """Open an LSTM's forget gates at the start: a window may be long."""
    for layer in range(lstm.num_layers):
        nn.init.constant_(lstm.get_parameter(f"bias_hh_l{layer}")[lstm.hidden_size : 2 * lstm.hidden_size], 1.0)


class ConvolutionalEncoder(nn.Module):
    """1-D convolutions over neighbouring events, each layer reaching twice as far (van den Oord et al., 2016)."""

    def __init__(self, width: int, shape: Shape) -> None:
        super().__init__()
        size = shape.hidden_size
        self.to_hidden = nn.Linear(width, size)
        self.layers = nn.ModuleList(
            nn.Conv1d(size, size, kernel_size=3, padding=2**i, dilation=2**i) for i in range(shape.layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(shape.layers))

    def forward(
        self, events: Tensor, steps_from_end: Tensor, dropout: Dropout, random: torch.Generator | None
    ) -> Tensor:
        is_padding = (steps_from_end < 0)[:, :, None]
        hidden = self.to_hidden(events)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            normed = norm(hidden).masked_fill(is_padding, 0.0)  # as beyond the window's ends
            reached = torch.relu(layer(normed.transpose(1, 2)).transpose(1, 2))
            hidden = hidden + dropout(reached, random)
        result: Tensor = hidden
        return result


class TransformerEncoder(nn.Module):
    """Attention between all events of a window; an event's position is the number of events after it.

    It normalises before each sublayer (Xiong et al., 2020), so it trains without a warm-up.
    """

    def __init__(self, width: int, shape: Shape) -> None:
        super().__init__()
        self.to_hidden = nn.Linear(width, shape.hidden_size)
        self.place = nn.Embedding(MAX_EVENTS, shape.hidden_size)
        nn.init.normal_(self.place.weight, std=0.1)
        self.layers = nn.ModuleList(_Block(shape.hidden_size, shape.heads) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.hidden_size)

    def forward(
        self, events: Tensor, steps_from_end: Tensor, dropout: Dropout, random: torch.Generator | None
    ) -> Tensor:
        hidden = self.to_hidden(events) + self.place(steps_from_end.clamp(min=0))
        may_look_at = (steps_from_end >= 0)[:, None, None, :]
        for layer in self.layers:
            hidden = layer(hidden, may_look_at, dropout, random)
        result: Tensor = self.norm(hidden)
        return result


class _Block(nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_widening = nn.LayerNorm(size), nn.LayerNorm(size)
        self.to_all = nn.Linear(size, 3 * size)
        self.back = nn.Linear(size, size)
        self.widen, self.narrow = nn.Linear(size, 2 * size), nn.Linear(2 * size, size)

    def forward(self, hidden: Tensor, may_look_at: Tensor, dropout: Dropout, random: torch.Generator | None) -> Tensor:
        n, t, size = hidden.shape
        mixed = self.to_all(self.before_attention(hidden)).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(mixed[0], mixed[1], mixed[2], attn_mask=may_look_at)
        hidden = hidden + dropout(self.back(attended.transpose(1, 2).reshape(n, t, size)), random)
        wide = functional.gelu(self.widen(self.before_widening(hidden)))
        result: Tensor = hidden + dropout(self.narrow(wide), random)
        return result


def make_encoder(width: int, shape: Shape) -> nn.Module:
    """The encoder of this shape for `width` numbers per event."""
    if shape.encoder == "cnn":
        return ConvolutionalEncoder(width, shape)
    if shape.encoder == "transformer":
        return TransformerEncoder(width, shape)
    return RecurrentEncoder(width, shape)
