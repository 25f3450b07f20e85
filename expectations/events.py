"""Is this day of events believable? Expectations of four small tables that SQL makes from the day's events."""

from collections.abc import Mapping

import great_expectations as gx

from expectations.rules import (
    CRITICAL,
    WARNING,
    Rules,
    at_least,
    at_most,
    between,
    risen_at_most,
    suite,
    times_usual_count,
    unless_known,
)
from expectations.usual import FEWEST_DAYS, Usual

# One row: the day as a whole.
DAY: Rules = {
    ("event_count", times_usual_count(0.6, 5), CRITICAL): (
        "Half the usual events means a feed broke, five times as many that it was delivered more than once: "
        "not that people changed."
    ),
    ("event_count", times_usual_count(0.75, 2), WARNING): (
        "A holiday or a sale moves volumes this much; so does one lost file out of four."
    ),
    ("user_count", times_usual_count(0.4, 3), CRITICAL): (
        "Usual events from far fewer or far more users: user_id was mapped to something else."
    ),
    ("reference_days", at_least(FEWEST_DAYS), WARNING): (
        "Too few comparable days in the last 28 to say what is usual: volumes and shares were not checked."
    ),
    ("late_share", at_most(0.2), WARNING): (
        "Events came later than the pack's late_days: lists already published were made without them. "
        "Files of past days belong to `ingest --history`."
    ),
    ("future_share", at_most(0.001), WARNING): (
        "Events later than their own arrival: the clock of a source is ahead, so its order means little."
    ),
    ("missing_hours", at_most(2), CRITICAL): (
        "Three or more hours that are never quiet have no events: a part of the day's files is missing."
    ),
    ("missing_hours", at_most(0), WARNING): (
        "An hour that is never quiet has no events: an outage, or a file is missing."
    ),
    # never critical: else one noisy account could stop the list that would name it
    ("top_user_share", risen_at_most(0.1, never_below=0.3, until_known=0.3), WARNING): (
        "One user has this much of the day: a robot, or a stand-in such as 'guest' for many people."
    ),
    ("midnight_share", risen_at_most(0.3), CRITICAL): (
        "Events exactly at midnight: times were cut to dates, so pace, order and night hours mean nothing."
    ),
    ("midnight_share", unless_known(at_most(0.5)), WARNING): (
        "Events exactly at midnight: times were cut to dates, so pace, order and night hours mean nothing."
    ),
    ("rhythm_shift", risen_at_most(0.15, never_below=0.35, until_known=1), WARNING): (
        "This share of events fell into other hours than usual: a clock or time zone is wrong."
    ),
    ("zero_amount_share", risen_at_most(0.5), CRITICAL): (
        "Amounts became zero: the column was renamed or lost on the way, and every money feature with it."
    ),
    ("zero_amount_share", unless_known(at_most(0.9)), WARNING): (
        "Amounts became zero: the column was renamed or lost on the way, and every money feature with it."
    ),
    ("zero_amount_share", risen_at_most(0.1, until_known=0.5), WARNING): "More amounts than usual are zero.",
    ("common_amount_share", risen_at_most(0.5), CRITICAL): (
        "One single amount fills the day: the column holds a default, not what was paid."
    ),
    ("refused_share", risen_at_most(0.3, never_below=0.5, until_known=0.5), CRITICAL): (
        "Most rows of the day's files were refused: the format changed. The reasons are in quarantine/."
    ),
    ("refused_share", risen_at_most(0.05, until_known=0.05), WARNING): (
        "More rows than usual were refused. The reasons are in quarantine/."
    ),
}

# One row per event type. `times_usual…` is null for types too rare or too uneven to compare.
EVENT_TYPES: Rules = {
    ("times_usual", at_least(0.1), CRITICAL): (
        "A steady type of event is gone: its feed broke, and users without it look like another kind."
    ),
    ("times_usual", between(0.4, 4), WARNING): "A steady type of event is much rarer or more frequent than usual.",
    ("times_usual_amount", between(0.1, 10), CRITICAL): (
        "The median amount moved tenfold or more: cents for euros, or another currency."
    ),
    ("times_usual_amount", between(1 / 3, 3), WARNING): (
        "The median amount moved threefold: a sale, or the column means something else now."
    ),
}

# One row per hour of the domain's clock. `repeated_share` is null for hours with few events.
HOURS: Rules = {
    ("repeated_share", at_most(0.4), CRITICAL): (
        "An hour's events are there twice under new ids: it was delivered twice, and everybody in it seems to act "
        "in bursts."
    ),
}

# One row per optional column. `rise`: its null share above that of comparable days, swing included.
COLUMNS: Rules = {
    ("rise", at_most(0.5), CRITICAL): (
        "A column that used to be filled is empty: all that is built on it (devices, money) is blind."
    ),
    ("rise", at_most(0.1), WARNING): (
        "A column is empty more often than usual: a client version or a source stopped filling it."
    ),
}


def day(usual: Mapping[str, Usual], is_trading_day: bool | None) -> gx.ExpectationSuite:
    """`usual`: the usual values on comparable days.

    `is_trading_day`: whether the shop had events on most of the same weekdays; None where that is not known.
    """
    no_events: Rules = {
        ("event_count", at_least(1), CRITICAL if is_trading_day else WARNING): (
            "No events at all. On a weekday that usually has some the feed is missing; else the shop is closed."
        )
    }
    return suite("events_day", {**no_events, **DAY}, usual)


def event_types() -> gx.ExpectationSuite:
    return suite("events_event_types", EVENT_TYPES)


def hours() -> gx.ExpectationSuite:
    return suite("events_hours", HOURS)


def columns() -> gx.ExpectationSuite:
    return suite("events_columns", COLUMNS)
