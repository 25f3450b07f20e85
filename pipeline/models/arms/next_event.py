"""A causal LSTM that expects the next event: surprise as it streams, one step per event."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pipeline.models.arms import Arm
from pipeline.models.arms.encoders import remember
from pipeline.models.arms.saving import load_network, save_network
from pipeline.models.arms.tokens import EventEmbedding, EventHead, Window, own_level, own_mean
from pipeline.models.arms.training import Plan, device, one_thread_each, run_windows, seeded
from pipeline.models.arms.unsupervised import train_on_ordinary
from pipeline.models.fields import Fields
from pipeline.models.samples import Doubles, Samples

DECIMALS = 5


class Expectation(BaseModel):
    """arm.json of the next-event arm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden_size: Annotated[int, Field(ge=4, le=4096)]
    train_nats: list[float] = []
    later_nats: list[float] = []


class State(NamedTuple):
    """What is remembered of S streams so far: enough to expect the next event of each."""

    expects: Tensor  # (S, hidden)
    memory: tuple[Tensor, Tensor]  # (1, S, hidden) each


class NextEventNetwork(nn.Module):
    """Expects each event from those before it in the window, the first one from nothing."""

    def __init__(self, fields: Fields, shape: Expectation) -> None:
        super().__init__()
        self.embed = EventEmbedding(fields.sizes, len(fields.numeric))
        self.lstm = nn.LSTM(self.embed.width, shape.hidden_size, batch_first=True)
        remember(self.lstm)
        self.first = nn.Parameter(torch.zeros(shape.hidden_size))
        self.head = EventHead(shape.hidden_size, fields.sizes, len(fields.numeric))

    def forward(self, window: Window) -> Tensor:
        """Nats of each event given those before it, (B, T), newest first as the window; meaningless on padding."""
        oldest_first = window.oldest_first()
        hidden, _ = self.lstm(self.embed(oldest_first.codes, oldest_first.numbers))
        expects = torch.cat([self.first.to(hidden.dtype).expand(len(hidden), 1, -1), hidden[:, :-1]], dim=1)
        nats = self._nats(expects, oldest_first.codes, oldest_first.numbers)
        return nats.gather(1, window.steps_from_end.clamp(min=0))

    def start(self, streams: int = 1) -> State:
        """Nothing seen yet."""
        nothing = self.first.new_zeros(1, streams, self.lstm.hidden_size)
        return State(self.first.expand(streams, -1), (nothing, nothing))

    def step(self, state: State, codes: Tensor, numbers: Tensor) -> tuple[State, Tensor]:
        """One more event of each stream, `codes` (S, C) and `numbers` (S, M): the new state, and its nats (S,)."""
        codes, numbers = codes[:, None], numbers[:, None]
        nats = self._nats(state.expects[:, None], codes, numbers)[:, 0]
        hidden, memory = self.lstm(self.embed(codes, numbers), state.memory)
        return State(hidden[:, 0], memory), nats

    def _nats(self, expects: Tensor, codes: Tensor, numbers: Tensor) -> Tensor:
        return self.head.surprise(codes, numbers, self.head(expects)).sum(dim=2)


@dataclass(frozen=True)
class NextEventScorer:
    """A trained network; its score is the level of the day's surprise, in nats: a soft maximum over its events."""

    model: NextEventNetwork
    fields: Fields
    about: Expectation

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        """Nats (n,). Depends on each user-day's own window alone."""
        model = self.model.to(device())
        with one_thread_each(threads) as pool:
            level = run_windows(
                model, samples.tokens, self.fields, samples.windows, lambda w: own_level(model(w), w.own), pool
            )
        return level.round(DECIMALS)

    def save(self, folder: Path) -> None:
        save_network(folder, self.model, self.fields, self.about)


def load(folder: Path) -> NextEventScorer:
    """Raises InputError if a file is missing, damaged, or does not fit the others."""
    return NextEventScorer(*load_network(folder, Expectation, NextEventNetwork))


def fit(learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> NextEventScorer:
    """Train on ordinary accounts until the events of ordinary later days stop getting more expected."""
    plan = Plan(seed=seed, threads=threads, learning_rate=5e-3)
    return fit_next_event(plan, Expectation(hidden_size=64), learn, stop, progress)


def fit_next_event(
    plan: Plan, shape: Expectation, learn: Samples, stop: Samples, progress: bool = False
) -> NextEventScorer:
    """The same with a plan of one's own."""
    with seeded(plan.seed):
        model = NextEventNetwork(learn.fields, shape)
    taught = train_on_ordinary(
        model,
        "the next-event arm",
        learn,
        stop,
        plan,
        lambda window, _: model(window).masked_fill(~window.is_event, 0.0).sum(),
        lambda window: own_mean(model(window), window.own),
        progress,
    )
    about = shape.model_copy(update={"train_nats": taught.train_nats, "later_nats": taught.later_nats})
    return NextEventScorer(model, learn.fields, about)


NEXT_EVENT = Arm("next_event", "unsupervised", "surprise of an LSTM that expects each next event", fit, load)
