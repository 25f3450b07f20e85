"""The networks of benchmarks/articles.py: articles' sample code with its mistakes, and what we do instead.

Shapes: B accounts, T events, F fields, H hidden units.
"""

from collections.abc import Callable

import numpy as np
import torch
from article.streams import Streams
from torch import Tensor, nn

HIDDEN = 24


class LastSample(nn.Module):
    """`out[-1]` of an LSTM with batch_first=True: all T steps of the batch's last account, one for each account."""

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        self.lstm = nn.LSTM(streams.values.shape[2], HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, 1)

    def forward(self, streams: Streams) -> Tensor:
        out, _ = self.lstm(streams.values)  # (B, T, H)
        return self.head(self.read(out, streams.length)).squeeze(1)

    def read(self, out: Tensor, length: Tensor) -> Tensor:
        return out[-1]


class LastStep(LastSample):
    """`out[:, -1]`: for a short window, what is left after reading its padding."""

    def read(self, out: Tensor, length: Tensor) -> Tensor:
        return out[:, -1]


class NewestEvent(LastSample):
    """What the LSTM knows after each account's newest event, before any padding."""

    def read(self, out: Tensor, length: Tensor) -> Tensor:
        return out[torch.arange(len(out)), length - 1]


class CellNet(nn.Module):
    """An LSTM written out, so that its activation can be chosen, as Keras lets one do."""

    def __init__(self, streams: Streams, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTMCell(streams.values.shape[2], HIDDEN), nn.Linear(HIDDEN, 1)
        self.activation = activation
        self.largest = 0.0  # cell state seen

    def forward(self, streams: Streams) -> Tensor:
        hidden = cell = torch.zeros(len(streams.values), HIDDEN)
        given = streams.values @ self.cell.weight_ih.T + self.cell.bias_ih + self.cell.bias_hh  # (B, T, 4H)
        for step, is_event in enumerate(streams.is_event.unbind(1)):
            gates = given[:, step] + hidden @ self.cell.weight_hh.T
            keep_in, forget, new, let_out = gates.chunk(4, dim=1)
            next_cell = torch.sigmoid(forget) * cell + torch.sigmoid(keep_in) * self.activation(new)
            next_hidden = torch.sigmoid(let_out) * self.activation(next_cell)
            cell = torch.where(is_event[:, None], next_cell, cell)
            hidden = torch.where(is_event[:, None], next_hidden, hidden)
        self.largest = max(self.largest, float(cell.detach().abs().max()))
        return self.head(hidden).squeeze(1)


class EventCnn(nn.Module):
    """1-D convolutions over events, the largest answer over real events only."""

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        fields = streams.values.shape[2]
        self.first = nn.Conv1d(fields, HIDDEN, 3, padding=1)
        self.second = nn.Conv1d(HIDDEN, HIDDEN, 3, padding=1)
        self.head = nn.Linear(HIDDEN, 1)

    def forward(self, streams: Streams) -> Tensor:
        is_event = streams.is_event[:, None]
        found = torch.relu(self.first(streams.values.transpose(1, 2))) * is_event
        found = torch.relu(self.second(found)).masked_fill(~is_event, 0)
        return self.head(found.amax(dim=2)).squeeze(1)


def image_layers(height: int, width: int) -> nn.Module:
    """Two 3x3 convolutions and a dense layer: the sample code for handwritten digits. (B, 1, H, W) to (B, 1)."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Flatten(), nn.Linear(16 * height * width, 32), nn.ReLU(), nn.Linear(32, 1)),
    )


class FeatureImage(nn.Module):
    """An account's features folded into a square, in an order somebody happened to have."""

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        features = aggregates(streams)
        self.side = int(np.ceil(np.sqrt(features.shape[1])))
        self.layers = image_layers(self.side, self.side)
        self.order = torch.randperm(features.shape[1])
        self.mean, self.scale = features.mean(0), features.std(0) + 1e-6

    def forward(self, streams: Streams) -> Tensor:
        features = ((aggregates(streams) - self.mean) / self.scale)[:, self.order]
        features = nn.functional.pad(features, (0, self.side**2 - features.shape[1]))
        return self.layers(features.reshape(-1, 1, self.side, self.side)).squeeze(1)


class TableImage(nn.Module):
    """The table of events by fields as it stands: neighbouring fields are treated as if near to each other."""

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        self.layers = image_layers(*streams.values.shape[1:])

    def forward(self, streams: Streams) -> Tensor:
        return self.layers(streams.values[:, None]).squeeze(1)


def aggregates(streams: Streams) -> Tensor:
    """Mean, spread, least and most of each field over real events, and how many there are: (B, 4F + 1)."""
    is_event, n = streams.is_event[..., None], streams.length[:, None].float()
    mean = streams.values.sum(1) / n
    spread = (((streams.values - mean[:, None]) ** 2 * is_event).sum(1) / n).sqrt()
    least = streams.values.masked_fill(~is_event, torch.inf).amin(1)
    most = streams.values.masked_fill(~is_event, -torch.inf).amax(1)
    return torch.cat([mean, spread, least, most, n], dim=1)


def fit(
    make: Callable[[Streams], nn.Module], train: Streams, seed: int, epochs: int, batch: int = 64, rate: float = 0.003
) -> nn.Module:
    """Adam, no clipping, full batches only, as sample code has it."""
    torch.manual_seed(seed)
    net = make(train)
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in range(epochs):
        for chosen in torch.randperm(len(train.is_bad)).split(batch):
            if len(chosen) == batch:
                part = train.take(chosen)
                optimiser.zero_grad()
                nn.functional.binary_cross_entropy_with_logits(net(part), part.is_bad).backward()
                optimiser.step()
    return net.eval()


def scores(net: nn.Module, streams: Streams, batch: int = 500) -> np.ndarray:
    """Log-odds, (B,)."""
    with torch.no_grad():
        parts = [net(streams.take(chosen)) for chosen in torch.arange(len(streams.is_bad)).split(batch)]
    return torch.cat(parts).double().numpy()
