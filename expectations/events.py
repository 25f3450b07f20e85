"""Is this day of events believable? Judged on four small tables that SQL makes from the day's events."""

from collections.abc import Mapping

import great_expectations as gx
import great_expectations.expectations as gxe

from expectations.usual import FEWEST_DAYS, Usual


def day(usual: Mapping[str, Usual], is_trading_day: bool | None) -> gx.ExpectationSuite:
    """One row: the day as a whole. `usual` holds the measures that comparable days agree on.

    `is_trading_day`: whether the shop had events on most of the same weekdays; None where that is not known.
    """
    between = gxe.ExpectColumnValuesToBeBetween
    expectations = [
        between(
            column="event_count",
            min_value=1,
            severity="critical" if is_trading_day else "warning",
            notes="No events at all. On a weekday that usually has some the feed is missing; else the shop is closed.",
        ),
        between(
            column="reference_days",
            min_value=FEWEST_DAYS,
            severity="warning",
            notes="Too few comparable days in the last 28 to say what is usual: volumes and shares were not judged.",
        ),
        between(
            column="late_share",
            max_value=0.2,
            severity="warning",
            notes="Events came later than the pack's late_days: lists already issued were made without them. "
            "Files of past days belong to `ingest --history`.",
        ),
        between(
            column="future_share",
            max_value=0.001,
            severity="warning",
            notes="Events later than their own arrival: the clock of a source is ahead, so its order means little.",
        ),
        between(
            column="missing_hours",
            max_value=2,
            severity="critical",
            notes="Three or more hours that are never quiet have no events: a part of the day's files is missing.",
        ),
        between(
            column="missing_hours",
            max_value=0,
            severity="warning",
            notes="An hour that is never quiet has no events: an outage, or a file is missing.",
        ),
    ]
    if volume := usual.get("event_count"):
        expectations += [
            between(
                column="event_count",
                min_value=volume.at_least(0.6),
                max_value=volume.at_most(5),
                severity="critical",
                notes="Half the usual events means a feed broke, five times as many that it was delivered more than "
                "once: not that people changed.",
            ),
            between(
                column="event_count",
                min_value=volume.at_least(0.75),
                max_value=volume.at_most(2),
                severity="warning",
                notes="A holiday or a sale moves volumes this much; so does one lost file out of four.",
            ),
        ]
    if users := usual.get("user_count"):
        expectations.append(
            between(
                column="user_count",
                min_value=users.at_least(0.4),
                max_value=users.at_most(3),
                severity="critical",
                notes="Usual events from far fewer or far more users: user_id was mapped to something else.",
            )
        )
    expectations.append(
        between(
            column="top_user_share",
            max_value=max(0.3, usual["top_user_share"].at_most_risen(0.1)) if "top_user_share" in usual else 0.3,
            severity="warning",  # not critical: else one noisy account could stop the list that would name it
            notes="One user has this much of the day: a robot, or a stand-in such as 'guest' for many people.",
        )
    )
    midnight = usual.get("midnight_share")
    expectations += [
        between(
            column="midnight_share",
            max_value=midnight.at_most_risen(0.3) if midnight else 0.5,
            severity="critical" if midnight else "warning",
            notes="Events exactly at midnight: times were cut to dates, so pace, order and night hours mean nothing.",
        ),
        between(
            column="rhythm_shift",
            max_value=max(0.35, usual["rhythm_shift"].at_most_risen(0.15)) if "rhythm_shift" in usual else 1,
            severity="warning",
            notes="This share of events fell into other hours than usual: a clock or time zone is wrong.",
        ),
    ]
    zero = usual.get("zero_amount_share")
    expectations += [
        between(
            column="zero_amount_share",
            max_value=zero.at_most_risen(0.5) if zero else 0.9,
            severity="critical" if zero else "warning",
            notes="Amounts became zero: the column was renamed or lost on the way, and every money feature with it.",
        ),
        between(
            column="zero_amount_share",
            max_value=zero.at_most_risen(0.1) if zero else 0.5,
            severity="warning",
            notes="More amounts than usual are zero.",
        ),
    ]
    if common := usual.get("common_amount_share"):
        expectations.append(
            between(
                column="common_amount_share",
                max_value=common.at_most_risen(0.5),
                severity="critical",
                notes="One single amount fills the day: the column holds a default, not what was paid.",
            )
        )
    refused = usual.get("refused_share")
    expectations += [
        between(
            column="refused_share",
            max_value=max(0.5, refused.at_most_risen(0.3)) if refused else 0.5,
            severity="critical",
            notes="Most rows of the day's files were refused: the format changed. The reasons are in quarantine/.",
        ),
        between(
            column="refused_share",
            max_value=refused.at_most_risen(0.05) if refused else 0.05,
            severity="warning",
            notes="More rows than usual were refused. The reasons are in quarantine/.",
        ),
    ]
    return gx.ExpectationSuite(name="events_day", expectations=expectations)


def event_types() -> gx.ExpectationSuite:
    """One row per event type. `times_usual…` is null for types too rare or too uneven to judge."""
    between = gxe.ExpectColumnValuesToBeBetween
    return gx.ExpectationSuite(
        name="events_event_types",
        expectations=[
            between(
                column="times_usual",
                min_value=0.1,
                severity="critical",
                notes="A steady type of event is gone: its feed broke, and users without it look like another kind.",
            ),
            between(
                column="times_usual",
                min_value=0.4,
                max_value=4,
                severity="warning",
                notes="A steady type of event is much rarer or more frequent than usual.",
            ),
            between(
                column="times_usual_amount",
                min_value=0.1,
                max_value=10,
                severity="critical",
                notes="The median amount moved tenfold or more: cents for euros, or another currency.",
            ),
            between(
                column="times_usual_amount",
                min_value=1 / 3,
                max_value=3,
                severity="warning",
                notes="The median amount moved threefold: a sale, or the column means something else now.",
            ),
        ],
    )


def hours() -> gx.ExpectationSuite:
    """One row per hour of the domain's clock. `repeated_share` is null for hours with few events."""
    return gx.ExpectationSuite(
        name="events_hours",
        expectations=[
            gxe.ExpectColumnValuesToBeBetween(
                column="repeated_share",
                max_value=0.4,
                severity="critical",
                notes="An hour's events are there twice under new ids: it was delivered twice, and everybody in it "
                "seems to act in bursts.",
            ),
        ],
    )


def columns() -> gx.ExpectationSuite:
    """One row per optional column. `rise` is its null share above what comparable days show, swing included."""
    return gx.ExpectationSuite(
        name="events_columns",
        expectations=[
            gxe.ExpectColumnValuesToBeBetween(
                column="rise",
                max_value=0.5,
                severity="critical",
                notes="A column that used to be filled is empty: all that is built on it (devices, money) is blind.",
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="rise",
                max_value=0.1,
                severity="warning",
                notes="A column is empty more often than usual: a client version or a source stopped filling it.",
            ),
        ],
    )
