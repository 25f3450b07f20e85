"""Small labelled streams: user-days whose bad ones differ from the good in one respect only."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
from event_streams import FIELDS, FIRST, random_tokens

from pipeline.models.days import DAY_US, day_number
from pipeline.models.samples import Samples
from pipeline.models.tokens.windows import Tokens, user_day_windows

EVENTS = 8  # of each user-day
BROWSE, PURCHASE = 2, 3
COLUMNS = ("event_count", "new_device_count", "spend_amount", "never_known")


def samples_of(tokens: Tokens, is_bad_user: np.ndarray, seed: int = 0) -> Samples:
    """All user-days of the tokens, every day of a bad user bad, with features that say nothing."""
    windows = user_day_windows(tokens, FIRST, FIRST + timedelta(400))
    is_bad = is_bad_user[windows.user]
    rows = np.random.default_rng(seed).poisson(1, (len(windows), len(COLUMNS))).astype(np.float32)
    rows[:, -1] = np.nan
    rows[::7, 1] = np.nan
    return Samples(tokens, FIELDS, windows, COLUMNS, rows, is_bad, is_bad, np.ones(len(windows)))


def patternless(lengths: list[int], seed: int = 0, bad_share: float = 0.3) -> Samples:
    """Windows of any length without any pattern."""
    random = np.random.default_rng(seed)
    return samples_of(random_tokens(lengths, seed), random.random(len(lengths)) < bad_share, seed)


def by_order(n_users: int = 500, seed: int = 0) -> Samples:
    """Bad user-days buy twice and then look around; good ones do the same things in another order."""
    return _one_day_each(n_users, seed, _buy_first, _any_pace)


def by_timing(n_users: int = 500, seed: int = 0) -> Samples:
    """Bad user-days slow down steadily; good ones have the same gaps shuffled."""
    return _one_day_each(n_users, seed, _any_order, _slowing_down)


def by_nothing(n_users: int = 500, seed: int = 0) -> Samples:
    """Labels that were drawn by lot."""
    return _one_day_each(n_users, seed, _any_order, _any_pace)


def cut(samples: Samples) -> tuple[Samples, Samples, Samples]:
    """Earlier days to learn from, later ones to stop by, and the last to be judged on."""
    days = [FIRST + timedelta(day) for day in (0, 5, 6, 7, 8, 9)]
    return samples.between(*days[:2]), samples.between(*days[2:4]), samples.between(*days[4:])


def _buy_first(is_bad: bool, random: np.random.Generator) -> np.ndarray:
    codes = np.array([PURCHASE] * 2 + [BROWSE] * (EVENTS - 2))
    shuffled = random.permutation(codes)
    if is_bad:
        return codes
    return shuffled[::-1] if (shuffled == codes).all() else shuffled


def _any_order(is_bad: bool, random: np.random.Generator) -> np.ndarray:
    return random.permutation([PURCHASE] * 2 + [BROWSE] * (EVENTS - 2))


def _slowing_down(is_bad: bool, random: np.random.Generator) -> np.ndarray:
    gaps = random.normal(size=EVENTS - 1)
    return np.sort(gaps) if is_bad else gaps


def _any_pace(is_bad: bool, random: np.random.Generator) -> np.ndarray:
    return random.normal(size=EVENTS - 1)


def _one_day_each(n_users, seed, order, pace) -> Samples:
    random = np.random.default_rng(seed)
    is_bad = random.random(n_users) < 0.3
    codes = np.full((n_users, EVENTS, 2), 2, np.uint8)
    numbers = np.zeros((n_users, EVENTS, 2), np.float32)
    numbers[:, 0, 1] = np.nan
    for user in range(n_users):
        codes[user, :, 0] = order(bool(is_bad[user]), random)
        numbers[user, 1:, 1] = pace(bool(is_bad[user]), random)
    at = (day_number(FIRST) + np.arange(n_users) % 10)[:, None] * DAY_US + np.arange(EVENTS) * 1_000_000
    tokens = Tokens(
        users=pa.array([f"u{i:04d}" for i in range(n_users)]),
        user=np.repeat(np.arange(n_users, dtype=np.int32), EVENTS),
        at=at.ravel().astype(np.int64),
        codes=codes.reshape(-1, 2),
        numbers=numbers.reshape(-1, 2),
    )
    return samples_of(tokens, is_bad, seed)
