"""Choose comparable days, and set a day's profile beside theirs in the small tables that suites validate."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from expectations.usual import FEWEST_DAYS, Usual, swing_of_events, swing_of_share, swing_of_users
from pipeline.validate.profile import FEW, Profile

if TYPE_CHECKING:
    import pandas as pd

LOOK_BACK_DAYS = 28
PROFILED_DAYS = 5  # of the comparable days: enough to know what is usual, and a cold start stays cheap
MEASURES = (
    "user_count",
    "top_user_share",
    "midnight_share",
    "zero_amount_share",
    "common_amount_share",
    "refused_share",
)
STEADY = 2.5  # a count is compared only if it usually stays within this factor of its median
STEADY_AMOUNT = 2.0


def kind_of(day: date) -> str:
    """Saturdays are compared with Saturdays, Sundays with Sundays, working days with each other."""
    return {5: "saturday", 6: "sunday"}.get(day.weekday(), "working day")


def comparable_days(day: date, rows: Mapping[date, int]) -> list[date]:
    """Days with events before `day`, newest first: of its own kind, or of all kinds if those are too few."""
    past = [day - timedelta(days=back) for back in range(1, LOOK_BACK_DAYS + 1)]
    trading = [other for other in past if rows.get(other, 0) > 0]
    same = [other for other in trading if kind_of(other) == kind_of(day)]
    return same if len(same) >= FEWEST_DAYS else trading


def is_trading_day(day: date, rows: Mapping[date, int], first_day: date | None) -> bool | None:
    """Whether the shop had events on most of the last four such weekdays. None without such weekdays.

    After four weeks without events, any day counts as a trading day: the feed is dead, not the shop closed.
    """
    if first_day is not None and first_day < day - timedelta(days=LOOK_BACK_DAYS) and not any(rows.values()):
        return True
    past = [day - timedelta(weeks=back) for back in range(1, LOOK_BACK_DAYS // 7 + 1)]
    counts = [rows.get(other, 0) for other in past if first_day is not None and other >= first_day]
    return median(counts) > 0 if counts else None


def rhythm_shift(hours: Mapping[int, float], usual: Mapping[int, float]) -> float | None:
    """Share of events that would have to move to another hour to make one day's rhythm the other's."""
    events, reference = sum(hours.values()), sum(usual.values())
    if events < 10 * FEW or reference == 0:
        return None
    return sum(abs(hours.get(h, 0) / events - usual.get(h, 0) / reference) for h in range(24)) / 2


def hour_counts(profiles: Sequence[Profile]) -> dict[int, float]:
    return {h: float(sum(p.hours[h].event_count for p in profiles if h in p.hours)) for h in range(24)}


def missing_hours(today: Profile, references: Sequence[Profile]) -> int | None:
    """Hours without events today that had many on every comparable day."""
    if len(references) < FEWEST_DAYS or today.event_count == 0:
        return None
    busy = [h for h in range(24) if all(h in p.hours and p.hours[h].event_count >= FEW for p in references)]
    return sum(h not in today.hours for h in busy)


def usual_measures(references: Sequence[Profile], volumes: Sequence[int]) -> dict[str, Usual]:
    """The usual value of each measure of the whole day."""
    pooled = hour_counts(references)
    values: dict[str, list[float | None]] = {name: [getattr(p, name) for p in references] for name in MEASURES}
    values["event_count"] = list(volumes)
    values["rhythm_shift"] = [rhythm_shift(hour_counts([p]), pooled) for p in references]
    users = usual_users(references)
    by_chance = {"event_count": swing_of_events(users), "user_count": swing_of_users(users)}
    found = {name: Usual.of(seen, by_chance.get(name, 0)) for name, seen in values.items()}
    return {name: usual for name, usual in found.items() if usual is not None}


def usual_users(references: Sequence[Profile]) -> float | None:
    return median(p.user_count for p in references) if references else None


def day_table(today: Profile, references: Sequence[Profile], compared_days: int) -> "pd.DataFrame":
    """One row: the day as a whole."""
    names = ("event_count", *MEASURES, "late_share", "future_share")
    row: dict[str, Any] = {name: getattr(today, name) for name in names}
    row["table"], row["reference_days"] = "events", compared_days
    row["missing_hours"] = missing_hours(today, references)
    row["rhythm_shift"] = rhythm_shift(hour_counts([today]), hour_counts(references))
    return _table("table", [row])


def event_type_table(today: Profile, references: Sequence[Profile]) -> "pd.DataFrame":
    """One row per event type of today or of comparable days, beside what is usual for it."""
    names = sorted({*today.event_types, *(name for p in references for name in p.event_types)})
    rows = []
    for name in names:
        now = today.event_types.get(name)
        then = [p.event_types.get(name) for p in references]
        counts = Usual.of([past.event_count if past else 0 for past in then], swing_of_events(usual_users(references)))
        amounts = Usual.of([past.amount_median if past else None for past in then])
        can_count = counts is not None and counts.lowest >= FEW and counts.is_steady(STEADY)
        can_price = amounts is not None and amounts.is_steady(STEADY_AMOUNT) and now is not None
        rows.append(
            {
                "event_type": name,
                "event_count": now.event_count if now else 0,
                "usual_count": counts.median if counts else None,
                "times_usual": (now.event_count if now else 0) / counts.median if can_count and counts else None,
                "amount_median": now.amount_median if now else None,
                "usual_amount_median": amounts.median if amounts else None,
                "times_usual_amount": now.amount_median / amounts.median
                if can_price and amounts and now and now.amount_median is not None
                else None,
            }
        )
    return _table("event_type", rows or [{"event_type": "none", "times_usual": None, "times_usual_amount": None}])


def hour_table(today: Profile) -> "pd.DataFrame":
    """One row per hour of the domain's clock that had events."""
    rows = [{"hour": f"{hour:02}:00", **found.model_dump()} for hour, found in sorted(today.hours.items())]
    return _table("hour", rows or [{"hour": "none", "repeated_share": None}])


def column_table(today: Profile, references: Sequence[Profile]) -> "pd.DataFrame":
    """One row per optional column: its null share, and how far that is above the usual."""
    rows, by_chance = [], swing_of_share(today.user_count)
    for column, null_share in today.null_shares.items():
        usual = Usual.of([p.null_shares.get(column) for p in references])
        rise = null_share - usual.at_most_risen(by_chance) if usual and today.event_count >= FEW else None
        usual_share = usual.median if usual else None
        rows.append({"column": column, "null_share": null_share, "usual_null_share": usual_share, "rise": rise})
    return _table("column", rows or [{"column": "none", "rise": None}])


def _table(label: str, rows: list[dict[str, Any]]) -> "pd.DataFrame":
    """A pandas table: `label` first, all other columns numbers. Unknown is NaN, which no bound checks."""
    import pandas as pd

    table = pd.DataFrame(rows)
    numbers = [column for column in table.columns if column != label]
    table[numbers] = table[numbers].astype("float64")
    return table[[label, *numbers]]
