"""A few users who do everything that is awkward: ties, gaps, unknown values, late events, labels that change."""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import support

from pipeline.domain import ROLES, Domain, Labels

FIRST, DAYS = date(2026, 3, 1), 40  # clocks go forward on 29 March in Europe, on 8 March in America
LAST = FIRST + timedelta(days=DAYS - 1)
AS_OF = datetime.combine(LAST, datetime.min.time(), UTC) + timedelta(hours=28)
MONEY = ("0", "1", "9.99", "20", "20.01", "149.5", "1200.0001", "-3.5", "-1")


def shop(*, roles: tuple[str, ...] = ROLES, timezone: str = "Europe/Berlin", label_delay: int | None = 5) -> Domain:
    return Domain(
        name="shop",
        currency="EUR",
        timezone=timezone,
        event_types={role: role for role in roles},
        labels=None if label_delay is None else Labels(delay_days=label_delay),
    )


@dataclass
class Lake:
    """What happened, and what became known of it: the same rows that are written to a home."""

    domain: Domain
    events: list[support.Row] = field(default_factory=list)
    labels: list[support.Row] = field(default_factory=list)

    def write(self, home: Path, batches: int = 3, seed: int = 0) -> Path:
        """In `batches` batches, each row in a random one."""
        chance = random.Random(seed)
        for rows, write in ((self.events, support.write_events), (self.labels, support.write_labels)):
            shares: list[list[support.Row]] = [[] for _ in range(batches)]
            for row in rows:
                chance.choice(shares).append(row)
            for share in filter(None, shares):
                write(home, share)
        return home


def draw(seed: int, domain: Domain, users: int = 8) -> Lake:
    chance = random.Random(seed)
    roles = sorted(set(domain.event_types.values()))
    lake = Lake(domain)
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        for user in range(users):
            # the last user is new, the one before was away for a long time
            is_away = (user == users - 1 and number < DAYS - 5) or (user == users - 2 and 4 < number < DAYS - 3)
            if not is_away and chance.random() < 0.55:
                lake.events += _user_day(chance, f"user {user}", day, roles)
    _number_within_days(lake.events)
    if domain.labels is not None:
        lake.labels = _labels(chance, lake.events)
    return lake


def _user_day(chance: random.Random, user: str, day: date, roles: list[str]) -> list[support.Row]:
    rows = []
    for _ in range(chance.choice((1, 1, 2, 3, 5, 9))):
        at = support.moment(day, chance.choice((0, 1, 2.5, 4, 5, 12, 12, 12.01, 17, 22, 23, 23.9)))
        if chance.random() < 0.3:
            at += timedelta(seconds=chance.random() * 300)
        role = chance.choice([*roles, "purchase"] if "purchase" in roles else roles)
        waited = timedelta(hours=chance.choice((0, 1, 1, 1, 20, 70, 200)))
        rows.append(
            support.event(
                user,
                at,
                "numbered later",
                event_type=role,
                role=role,
                arrived_at=at + waited,
                session_id=_some(chance, "session", 3),
                item_id=_some(chance, "item", 9),
                category=_some(chance, "category", 6),
                channel=_some(chance, "channel", 2),
                amount=None if chance.random() < 0.3 else Decimal(chance.choice(MONEY)),
                quantity=None if chance.random() < 0.5 else Decimal(chance.choice(("1", "2", "12.5"))),
                device_id=_some(chance, "device", 12),
                network_id=_some(chance, "network", 5),
                payment_id=_some(chance, "payment", 20),
                address_id=_some(chance, "address", 8),
                counterparty_id=_some(chance, "counterparty", 7),
            )
        )
    return rows


def _some(chance: random.Random, kind: str, many: int) -> str | None:
    return None if chance.random() < 0.35 else f"{kind} {min(chance.randrange(many), chance.randrange(many))}"


def _number_within_days(events: list[support.Row]) -> None:
    """An event_id is unique within its day, not beyond."""
    numbers: dict[date, int] = {}
    for row in events:
        day = row["event_at"].date()
        numbers[day] = numbers.get(day, 0) + 1
        row["event_id"] = f"event {numbers[day]}"


def _labels(chance: random.Random, events: list[support.Row]) -> list[support.Row]:
    """Of single events, days and longer times; known at once or late; some overruled, once or twice, some at once."""
    labels = []
    for row in events:
        if chance.random() > 0.12:
            continue
        known_at = row["event_at"] + timedelta(days=chance.choice((0, 1, 4, 5, 5.5, 9)))
        event_id = None if chance.random() < 0.25 else row["event_id"]
        began, ends_at = row["event_at"], None
        if event_id is None and chance.random() < 0.5:
            began -= timedelta(days=chance.choice((0, 0, 1, 3, 12)))
            ends_at = min(known_at, row["event_at"] + timedelta(days=chance.choice((0.001, 1, 2))))
            ends_at = chance.choice((ends_at, datetime.combine(ends_at.date() + timedelta(1), datetime.min.time())))
            known_at = max(known_at, ends_at)
        for is_bad in chance.choice(((True,), (True,), (False,), (True, False), (False, True), (True, False, True))):
            arrived_at = known_at + timedelta(days=chance.choice((0, 0, 0, 2)))
            labels.append(
                support.label(
                    row["user_id"], began, known_at, event_id, ends_at=ends_at, is_bad=is_bad, arrived_at=arrived_at
                )
            )
            known_at += timedelta(days=chance.choice((0, 1, 6)))
    return labels
