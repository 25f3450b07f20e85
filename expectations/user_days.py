"""Are the day's features believable? Judged on the keys, on one row of totals and on one row per feature."""

from collections.abc import Mapping
from datetime import date

import great_expectations as gx
import great_expectations.expectations as gxe

from expectations.usual import FEWEST_DAYS, Usual


def keys(day: date) -> gx.ExpectationSuite:
    """One row per user-day: `user_id` and `event_day`."""
    return gx.ExpectationSuite(
        name="user_days_keys",
        expectations=[
            gxe.ExpectColumnValuesToNotBeNull(
                column="user_id", severity="critical", notes="A user-day without a user cannot be reviewed."
            ),
            gxe.ExpectColumnValuesToBeUnique(
                column="user_id",
                severity="critical",
                notes="One row per user and day: two would rank one account twice.",
            ),
            gxe.ExpectColumnValuesToBeInSet(
                column="event_day",
                value_set=[str(day)],
                severity="critical",
                notes="Rows of another day got in: the snapshot was cut in the wrong place.",
            ),
        ],
    )


def day(usual: Mapping[str, Usual]) -> gx.ExpectationSuite:
    """One row: the day as a whole, beside what the lake says about it."""
    between = gxe.ExpectColumnValuesToBeBetween
    expectations = [
        between(
            column="users_lost",
            min_value=0,
            max_value=0,
            severity="critical",
            notes="Users in the lake without a user-day (or the other way round): the features missed some files.",
        ),
        between(
            column="events_lost",
            min_value=0,
            max_value=0,
            severity="critical",
            notes="The user-days do not add up to the day's events: events were lost or counted twice on the way.",
        ),
        between(
            column="reference_days",
            min_value=FEWEST_DAYS,
            severity="warning",
            notes="Too few comparable days in the last 28 have features: volumes and nulls were not judged.",
        ),
    ]
    if users := usual.get("user_count"):
        expectations += [
            between(
                column="user_count",
                min_value=users.at_least(0.4),
                max_value=users.at_most(3),
                severity="critical",
                notes="Far fewer or far more users than usual: a feed broke, not that people changed.",
            ),
            between(
                column="user_count",
                min_value=users.at_least(0.75),
                max_value=users.at_most(2),
                severity="warning",
                notes="A holiday or a sale moves the number of users this much.",
            ),
        ]
    return gx.ExpectationSuite(name="user_days_day", expectations=expectations)


def features() -> gx.ExpectationSuite:
    """One row per feature. `rise` and `became_constant` are null where too few comparable days tell."""
    between = gxe.ExpectColumnValuesToBeBetween
    return gx.ExpectationSuite(
        name="user_days_features",
        expectations=[
            between(
                column="non_finite_count",
                max_value=0,
                severity="critical",
                notes="NaN or infinity is not 'not known': models would silently read it as a number or a null.",
            ),
            between(
                column="rise",
                max_value=0.5,
                severity="critical",
                notes="A feature that used to be known no longer is: the model was trained on something else.",
            ),
            between(
                column="rise",
                max_value=0.15,
                severity="warning",
                notes="A feature is unknown for more users than usual.",
            ),
            between(
                column="became_constant",
                max_value=0,
                severity="warning",
                notes="A feature has one value for everybody, which it never had: its source stopped saying anything.",
            ),
        ],
    )
