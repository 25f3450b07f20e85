"""What benchmarks/articles.py learns from: behaviour where only order and timing tell, and the real wiki_edits."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

TYPES = 4  # of events: look, log in, change details, pay
LOG_IN, CHANGE, PAY = 1, 2, 3


class Streams(NamedTuple):
    """B accounts, T events, F fields. Events are oldest first, short ones padded with zeros at the end."""

    values: Tensor  # (B, T, F)
    length: Tensor  # (B,)
    is_bad: Tensor  # (B,), 0 or 1

    def take(self, chosen: np.ndarray | Tensor) -> "Streams":
        return Streams(*(part[chosen] for part in self))

    def padded(self, more: int) -> "Streams":
        """The same accounts with `more` steps of padding."""
        return self._replace(values=torch.nn.functional.pad(self.values, (0, 0, 0, more)))

    @property
    def is_event(self) -> Tensor:
        return torch.arange(self.values.shape[1]) < self.length[:, None]


def order_and_timing(n: int, seed: int, shortest: int = 8, longest: int = 16, bad_share: float = 0.5) -> Streams:
    """Accounts who log in, change their details and pay: the bad in this order and at once, the good the other way
    round and at leisure, with one pause elsewhere, so that counts, sums and pauses are alike. 5 % are labelled wrong.
    """
    random = np.random.default_rng(seed)
    length = random.integers(shortest, longest + 1, n)
    truth = random.random(n) < bad_share
    kinds = random.integers(0, TYPES, (n, longest))
    gaps = random.normal(0, 1, (n, longest))
    amounts = random.normal(0, 1, (n, longest))
    for i in range(n):
        at = random.integers(0, length[i] - 4)
        kinds[i, at : at + 3] = (LOG_IN, CHANGE, PAY) if truth[i] else (PAY, CHANGE, LOG_IN)
        quick, slow = (at + 2, at + 4) if truth[i] else (at + 4, at + 2)
        gaps[i, quick], gaps[i, slow] = -2, 2
    values = np.concatenate([np.eye(TYPES)[kinds], amounts[..., None], gaps[..., None]], axis=2)
    is_bad = truth ^ (random.random(n) < 0.05 * 2 * min(bad_share, 1 - bad_share))
    return _streams(values, length, is_bad)


class Days(NamedTuple):
    """User-days in the order of `day`, each with the account's newest events up to its end."""

    streams: Streams
    day: np.ndarray
    first_bad: np.ndarray  # the account's first bad day, far away where there is none


def sliding_days(accounts: int, days: int, seed: int, width: int = 16) -> Days:
    """Windows that slide by two events a day; every account has its own habits, and a third turn bad for some days.

    While bad, amounts are a little higher. Habits say nothing about being bad.
    """
    random = np.random.default_rng(seed)
    per_day, events = 2, 2 * days
    habits = random.normal(0, 1, (accounts, 1, 4))
    begin = np.where(random.random(accounts) < 1 / 3, random.integers(8, days, accounts), 10_000)
    day_of = np.arange(events) // per_day
    is_bad_day = (np.arange(days) >= begin[:, None]) & (np.arange(days) < begin[:, None] + 12)
    values = habits + random.normal(0, 1, (accounts, events, 4))
    values[..., 0] += 0.5 * is_bad_day[:, day_of]
    first = width // per_day - 1
    windows, bad, day = [], [], []
    for today in range(first, days):
        upto = per_day * (today + 1)
        windows.append(values[:, upto - width : upto])
        bad.append(is_bad_day[:, today])
        day.append(np.full(accounts, today))
    length = np.full(accounts * len(windows), width)
    streams = _streams(np.concatenate(windows), length, np.concatenate(bad))
    return Days(streams, np.concatenate(day), np.tile(begin, len(windows)))


def wiki_edits() -> tuple[Streams, Streams] | None:
    """(train, test) of the set's own split, the first 12 edits of each editor. None where it is not there."""
    path = Path(os.environ.get("RISK_DATASETS", "")) / "wiki_edits" / "edits.parquet"
    if not os.environ.get("RISK_DATASETS") or not path.is_file():
        return None
    import duckdb

    def split(name: str) -> Streams:
        fields = ", ".join(f"f{i}" for i in range(9))
        rows = duckdb.sql(
            f"select {fields}, label from '{path}' where split = '{name}' and step < 12 order by user_idx, step"
        ).fetchnumpy()
        values = np.stack([rows[f"f{i}"] for i in range(9)], axis=1).reshape(-1, 12, 9)
        return _streams(values, np.full(len(values), 12), rows["label"][::12])

    return split("train"), split("test")


def _streams(values: np.ndarray, length: np.ndarray, is_bad: np.ndarray) -> Streams:
    values = np.where((np.arange(values.shape[1]) < length[:, None])[..., None], values, 0)
    return Streams(torch.tensor(values, dtype=torch.float32), torch.tensor(length), torch.tensor(is_bad).float())
