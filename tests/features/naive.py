"""The features once more, one cell at a time and with no thought for speed: what the SQL must agree with.

Written from the meaning in fct_user_days.yml, in exact fractions where the SQL is exact.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

from random_lake import Lake
from support import Row

from pipeline.domain import ROLES

KINDS = ("device", "network", "payment", "address", "counterparty")
Value = float | int | Fraction | None
WARM_UP = timedelta(days=28)
MEASURES = ("event_count", "spend_amount", "max_purchase_amount", "refund_amount")


def column(kind: str) -> str:
    return kind if kind == "category" else f"{kind}_id"


def known(values: Iterable[Value]) -> list[Value]:
    return [value for value in values if value is not None]


def largest(values: Iterable[Value]) -> Value:
    return max(known(values), default=None)


def over(above: Value, below: Value) -> Value:
    return None if above is None or not below else Fraction(above) / Fraction(below)


def mean(values: Sequence[Value]) -> Value:
    return over(sum(values), len(values)) if values else None


def spread(values: Sequence[Value]) -> float:
    middle = mean(values)
    return math.sqrt(mean([(value - middle) ** 2 for value in values]))


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])


def to_log(value: Value) -> float:
    return math.copysign(math.log1p(abs(value)), value)


def from_log(value: float) -> float:
    return math.copysign(math.expm1(abs(value)), value)


class Naive:
    """Everything that `as_of` could see of a lake, and the cells that follow from it."""

    def __init__(self, lake: Lake, as_of: datetime) -> None:
        seen_by = as_of.astimezone(UTC).replace(tzinfo=None)
        self.domain = lake.domain
        self.delay = lake.domain.label_delay_days
        self.roles = set(lake.domain.event_types.values())
        self.zone = ZoneInfo(lake.domain.timezone)
        self.events = [row for row in lake.events if row["arrived_at"] <= seen_by]
        self.labels = [row for row in lake.labels if row["arrived_at"] <= seen_by]
        self.novelty_first = min(map(day_of, self.events)) + WARM_UP

    def user_days(self, first: date, last: date) -> dict[tuple[str, date], dict[str, Value]]:
        keys = sorted({(row["user_id"], day_of(row)) for row in self.events if first <= day_of(row) <= last})
        cells = {(user, day): self.cells(user, day) for user, day in keys}
        for feature in (*MEASURES, "max_hour_event_count", "new_counterparty_count"):
            for (_, day), of_user in cells.items():
                everyone = [other[feature] for (_, other_day), other in cells.items() if other_day == day]
                of_user[f"{feature}_percentile"] = percentile(of_user[feature], everyone)
        return cells

    def cells(self, user: str, day: date) -> dict[str, Value]:
        today = self.of_user(user, day, day)
        past = {
            back: self.of_user(user, day - timedelta(days=back), day - timedelta(days=back)) for back in range(1, 29)
        }
        past = {back: rows for back, rows in past.items() if rows}
        return {
            **self.volume(today),
            **self.pace(today),
            **self.money(today),
            **self.novelty(user, day, today),
            **self.own_past(today, past),
            **self.shared(user, day, today),
            **self.counterparties(day, today),
            **self.label_history(day, today),
        }

    # what happened that day

    def volume(self, today: list[Row]) -> dict[str, Value]:
        def different(name: str) -> Value:
            return len({row[name] for row in today} - {None}) or None

        cells: dict[str, Value] = {
            "event_count": len(today),
            "active_hour_count": len({self.local(row).hour for row in today}),
            "session_count": different("session_id"),
            "item_count": different("item_id"),
            "category_count": different("category"),
            "counterparty_count": different("counterparty_id"),
        }
        for role in ROLES:
            cells[f"{role}_count"] = len(of_role(today, role)) if role in self.roles else None
        for role in ("refund", "payment_failure"):
            count, purchases = cells[f"{role}_count"], cells["purchase_count"]
            is_known = count is not None and purchases is not None
            cells[f"{role}_ratio"] = over(count, count + purchases) if is_known else None
        return cells

    def pace(self, today: list[Row]) -> dict[str, Value]:
        times = [row["event_at"] for row in today]
        gaps = [seconds(later - earlier) for earlier, later in pairwise(times)]
        usual_gap = median(gaps) if gaps else None
        deviation = median(abs(gap - usual_gap) for gap in gaps) if len(gaps) >= 2 else None
        hours = [time.replace(minute=0, second=0, microsecond=0) for time in times]
        return {
            "median_gap_seconds": usual_gap,
            "min_gap_seconds": min(gaps, default=None),
            "gap_variation_ratio": over(deviation, usual_gap),
            "max_hour_event_count": max(hours.count(hour) for hour in hours),
            "night_ratio": over(sum(self.local(row).hour < 6 for row in today), len(today)),
            "active_span_hours": seconds(times[-1] - times[0]) / 3600,
        }

    def money(self, today: list[Row]) -> dict[str, Value]:
        prices = amounts(today, "purchase")
        return {
            "spend_amount": self.total(today, "purchase"),
            "max_purchase_amount": largest(prices),
            "mean_purchase_amount": mean(prices),
            "refund_amount": self.total(today, "refund"),
            "max_refund_amount": largest(amounts(today, "refund")),
            "adjustment_amount": self.total(today, "adjustment"),
            "max_quantity": largest(row["quantity"] for row in today),
            "round_amount_ratio": over(sum(price == int(price) for price in prices), len(prices)),
        }

    def total(self, rows: list[Row], role: str) -> Value:
        if role not in self.roles:
            return None
        if not of_role(rows, role):
            return 0
        return sum(amounts(rows, role)) if amounts(rows, role) else None

    # what is new

    def novelty(self, user: str, day: date, today: list[Row]) -> dict[str, Value]:
        earlier = [row for row in self.events if row["user_id"] == user and day_of(row) < day]
        cells: dict[str, Value] = {"account_age_days": (day - min(map(day_of, [*earlier, *today]))).days}
        for kind in (*KINDS, "category"):
            used = {row[column(kind)] for row in today} - {None}
            is_known = bool(used) and day >= self.novelty_first
            cells[f"new_{kind}_count"] = len(used - {row[column(kind)] for row in earlier}) if is_known else None
        places = {row["counterparty_id"] for row in today} - {None}
        known_places = {row["counterparty_id"] for row in earlier}
        at_new = [row for row in today if row["counterparty_id"] in places - known_places]
        cells["new_counterparty_ratio"] = over(cells["new_counterparty_count"], len(places))
        cells["new_counterparty_max_amount"] = (
            largest(amounts(at_new, "purchase")) if day >= self.novelty_first else None
        )
        return cells

    # against its own past

    def own_past(self, today: list[Row], past: dict[int, list[Row]]) -> dict[str, Value]:
        last_week = [row for back, rows in past.items() if back <= 7 for row in rows]
        everything = [row for rows in past.values() for row in rows]
        prices, prices_7d = amounts(everything, "purchase"), amounts(last_week, "purchase")
        cells: dict[str, Value] = {
            "active_day_28d_count": len(past),
            "active_day_7d_count": sum(back <= 7 for back in past),
            "inactive_days": min(past, default=None),
            "event_7d_count": len(last_week),
            "event_28d_count": len(everything),
            "usual_mean_purchase_amount": mean(prices),
            "mean_purchase_7d_amount": mean(prices_7d),
        }
        measure_of: dict[str, Callable[[list[Row]], Value]] = {
            "event_count": len,
            "spend_amount": lambda rows: self.total(rows, "purchase"),
            "max_purchase_amount": lambda rows: largest(amounts(rows, "purchase")),
            "refund_amount": lambda rows: self.total(rows, "refund"),
        }
        for measure, of in measure_of.items():
            logs = [to_log(value) for value in known(map(of, past.values()))]
            value = of(today)
            if measure != "refund_amount":
                cells[f"usual_{measure}"] = from_log(quantile(logs, 0.5)) if logs else None
            cells[f"{measure}_own_deviation"] = (
                (to_log(value) - quantile(logs, 0.5)) / ((quantile(logs, 0.75) - quantile(logs, 0.25)) / 1.349 + 0.25)
                if value is not None and len(logs) >= 3
                else None
            )
        highest = largest(amounts(today, "purchase"))
        fortnight = [row for back, rows in past.items() if back <= 14 for row in rows]
        before = [row for back, rows in past.items() if back > 14 for row in rows]
        cells["max_purchase_14d_own_ratio"] = over(
            largest(amounts(fortnight, "purchase")), mean(amounts(before, "purchase"))
        )
        cells["max_purchase_own_ratio"] = over(highest, mean(prices))
        cells["max_purchase_record_ratio"] = over(highest, largest(prices))
        cells["max_purchase_own_spreads"] = (
            float(highest - mean(prices)) / (spread(prices) + 1) if highest is not None and len(prices) >= 3 else None
        )
        return cells

    # those it shares things with

    def shared(self, user: str, day: date, today: list[Row]) -> dict[str, Value]:
        cells: dict[str, Value] = {}
        for kind in KINDS:
            others = [
                len({row["user_id"] for row in self.using(kind, value, day - timedelta(days=28), day)} - {user})
                for value in entities(today, kind)
            ]
            cells[f"{kind}_other_user_count"] = largest(others)
            if kind == "counterparty":
                cells["rarest_counterparty_other_user_count"] = min(others, default=None)
        return cells

    def counterparties(self, day: date, today: list[Row]) -> dict[str, Value]:
        deviations, busy, shifts = [], [], []
        for place in entities(today, "counterparty"):
            past = self.using("counterparty", place, day - timedelta(days=28), day - timedelta(days=1))
            prices = amounts(past, "purchase")
            now = self.using("counterparty", place, day, day)
            paid = amounts([row for row in today if row["counterparty_id"] == place], "purchase")
            if prices:
                deviations += [float(price - mean(prices)) / (spread(prices) + 1) for price in paid]
            if past:
                busy.append(over(len(now), Fraction(len(past), 28) + 1))
            shifts.append(over(mean(amounts(now, "purchase")), mean(prices)))
        return {
            "counterparty_amount_deviation": largest(deviations),
            "counterparty_busy_ratio": largest(busy),
            "counterparty_amount_shift_ratio": largest(shifts),
        }

    def label_history(self, day: date, today: list[Row]) -> dict[str, Value]:
        cells: dict[str, Value] = {}
        long_ago, week_ago = day - timedelta(days=27 + self.delay), day - timedelta(days=6 + self.delay)
        matured = day - timedelta(days=self.delay)

        def bad(kind: str, value: str, first: date, last: date) -> int:
            rows = self.using(kind, value, first, last)
            return len({(day_of(row), row["event_id"]) for row in rows if self.is_known_bad(row, day)})

        def worst(kind: str, first: date) -> Value:
            if self.domain.labels is None:
                return None
            return largest(bad(kind, value, first, day) for value in entities(today, kind))

        def worst_share(first: date) -> Value:
            if self.domain.labels is None:
                return None
            return largest(
                over(
                    bad("counterparty", place, first, matured),
                    len(self.using("counterparty", place, first, matured)) + 1,
                )
                for place in entities(today, "counterparty")
            )

        for kind in KINDS:
            cells[f"{kind}_bad_28d_count"] = worst(kind, long_ago)
        cells["counterparty_bad_7d_count"] = worst("counterparty", week_ago)
        cells["counterparty_bad_3d_ratio"] = worst_share(day - timedelta(days=2 + self.delay))
        cells["counterparty_bad_7d_ratio"] = worst_share(week_ago)
        cells["counterparty_bad_28d_ratio"] = worst_share(long_ago)
        return cells | self.trouble(day, today, long_ago, matured)

    def trouble(self, day: date, today: list[Row], long_ago: date, matured: date) -> dict[str, Value]:
        """How long ago bad events at its counterparties began and ended, and how many of the events since were bad."""
        first, last, shares = [], [], []
        for place in entities(today, "counterparty") if self.domain.labels is not None else ():
            rows = self.using("counterparty", place, long_ago, day)
            bad = [row for row in rows if self.is_known_bad(row, day)]
            began = min(map(day_of, bad), default=day)
            since = [row for row in rows if began <= day_of(row) <= matured and bad]
            worst = {(day_of(row), row["event_id"]) for row in bad if day_of(row) <= matured}
            shares.append(over(len(worst), len(since) + 1))
            if bad:
                first.append((day - began).days)
                last.append((day - max(map(day_of, bad))).days)
        cells: dict[str, Value] = {
            "counterparty_bad_since_first_ratio": largest(shares),
            "counterparty_first_bad_days": min(first, default=None),
            "counterparty_last_bad_days": min(last, default=None),
        }
        return cells

    def is_known_bad(self, row: Row, day: date) -> bool:
        """By the last known of it at the end of `day`; a verdict on its whole day overrules what was before."""
        about = [
            label
            for label in self.labels
            if label["user_id"] == row["user_id"] and covers(label, day_of(row))
            if label["known_at"].date() <= day and label["event_id"] in (None, row["event_id"])
        ]
        latest = max((label for label in about if label["event_id"]), key=_when, default=None)
        verdict = max((label for label in about if not label["event_id"]), key=_when, default=None)
        if verdict is None or (latest and latest["is_bad"] and latest["known_at"] > verdict["known_at"]):
            return bool(latest and latest["is_bad"])
        return bool(verdict["is_bad"])

    # looking things up

    def of_user(self, user: str, first: date, last: date) -> list[Row]:
        rows = [row for row in self.events if row["user_id"] == user and first <= day_of(row) <= last]
        return sorted(rows, key=lambda row: (row["event_at"], row["event_id"]))

    def using(self, kind: str, value: str, first: date, last: date) -> list[Row]:
        return [row for row in self.events if row[column(kind)] == value and first <= day_of(row) <= last]

    def local(self, row: Row) -> datetime:
        return row["event_at"].replace(tzinfo=UTC).astimezone(self.zone)

    def tokens(self, day: date) -> list[dict[str, object]]:
        rows = [row for row in self.events if day_of(row) == day]
        return [
            self.token(row) for row in sorted(rows, key=lambda row: (row["user_id"], row["event_at"], row["event_id"]))
        ]

    def token(self, row: Row) -> dict[str, object]:
        token = {name: row[name] for name in ("user_id", "event_id", "event_at", "event_type", "category", "channel")}
        local = self.local(row)
        token |= {"local_hour": str(local.hour), "weekday": str(local.isoweekday())}
        for kind in (*KINDS, "category"):
            value = row[column(kind)]
            first = min(
                (
                    day_of(other)
                    for other in self.events
                    if other["user_id"] == row["user_id"] and other[column(kind)] == value
                ),
                default=None,
            )
            is_known = value is not None and day_of(row) >= self.novelty_first
            token[f"is_new_{kind}"] = ("yes" if first == day_of(row) else "no") if is_known else None
        for name in ("amount", "quantity"):
            token[name] = None if row[name] is None else float(row[name])
        return token


def covers(label: Row, day: date) -> bool:
    """A label with an end is about all days that began before it."""
    first = label["happened_at"].date()
    return day == first if label["ends_at"] is None else first <= day and start_of(day) < label["ends_at"]


def start_of(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time())


def _when(label: Row) -> tuple[datetime, bool]:
    return label["known_at"], label["is_bad"]


def day_of(row: Row) -> date:
    return row["event_at"].date()


def of_role(rows: list[Row], role: str) -> list[Row]:
    return [row for row in rows if row["role"] == role]


def amounts(rows: list[Row], role: str) -> list[Fraction]:
    return [Fraction(row["amount"]) for row in of_role(rows, role) if row["amount"] is not None]


def entities(rows: list[Row], kind: str) -> list[str]:
    return sorted({row[column(kind)] for row in rows} - {None})


def seconds(gap: timedelta) -> Fraction:
    return Fraction(gap // timedelta(microseconds=1), 1_000_000)


def percentile(value: Value, everyone: list[Value]) -> Value:
    """Share of the others with less, or with nothing."""
    if value is None:
        return None
    return over(sum(other is None or other < value for other in everyone), len(everyone) - 1) or 0
