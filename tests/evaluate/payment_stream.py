"""A few hundred customers who pay at terminals, some compromised, some cards stolen; labels are known a week later."""

from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa

FIRST, DAYS, DELAY_DAYS = date(2026, 3, 1), 63, 7
TERMINAL_DAYS, CARD_DAYS = 21, 14  # how long a compromise lasts


def payments(customers: int = 600, terminals: int = 250, seed: int = 5) -> tuple[pa.Table, pa.Table]:
    """(events, labels): each customer pays about a daily usual amount at a few terminals of its own.

    At a compromised terminal half of all payments are bad and look like any other; of a stolen card every third is,
    and two to five times as large.
    """
    random = np.random.default_rng(seed)
    rate, usual = random.gamma(2.0, 0.5, customers), random.lognormal(3.3, 0.6, customers)
    own = random.integers(0, terminals, (customers, 6))
    count = random.poisson(rate[:, None] * np.ones(DAYS))
    user = np.repeat(np.arange(customers), count.sum(axis=1))
    day = np.concatenate([np.repeat(np.arange(DAYS), row) for row in count])
    n = len(user)
    second = random.integers(0, 86_400, n)
    terminal = np.where(random.random(n) < 0.9, own[user, random.integers(0, 6, n)], random.integers(0, terminals, n))
    amount = usual[user] * random.lognormal(0, 0.4, n)

    opened = _starts(random, terminals, 0.2)[terminal]
    at_terminal = (day >= opened) & (day < opened + TERMINAL_DAYS) & (random.random(n) < 0.5)
    stolen = _starts(random, customers, 0.15)[user]
    of_card = (day >= stolen) & (day < stolen + CARD_DAYS) & (random.random(n) < 0.35)
    amount[of_card] *= random.uniform(2, 5, of_card.sum())
    is_bad = at_terminal | of_card
    return _tables(user, terminal, day, second, amount, is_bad)


def _starts(random: np.random.Generator, n: int, share: float) -> np.ndarray:
    """First day of each one's compromise, far away for those that have none."""
    return np.where(random.random(n) < share, random.integers(0, DAYS, n), 10_000)


def _tables(user, terminal, day, second, amount, is_bad) -> tuple[pa.Table, pa.Table]:
    order = np.lexsort((second, day, user))
    begin = datetime.combine(FIRST, datetime.min.time())
    at = [begin + timedelta(days=int(day[i]), seconds=int(second[i])) for i in order]
    events = pa.table(
        {
            "event_id": [f"e{i:06d}" for i in range(len(order))],
            "user_id": [f"u{user[i]:04d}" for i in order],
            "event_at": pa.array(at, pa.timestamp("us")),
            "amount": np.round(amount[order], 2),
            "counterparty_id": [f"t{terminal[i]:03d}" for i in order],
        }
    )
    bad = events.filter(pa.array(is_bad[order]))
    known_at = [moment + timedelta(days=DELAY_DAYS) for moment in bad["event_at"].to_pylist()]
    labels = pa.table(
        {
            "user_id": bad["user_id"],
            "event_id": bad["event_id"],
            "happened_at": bad["event_at"],
            "known_at": pa.array(known_at, pa.timestamp("us")),
            "is_bad": pa.array([True] * len(bad)),
        }
    )
    return events, labels
