"""Are the day's features believable? Expectations of the keys, of the totals and of each feature."""

from collections.abc import Mapping
from datetime import date

import great_expectations as gx

from expectations.rules import (
    CRITICAL,
    WARNING,
    Rules,
    at_least,
    at_most,
    between,
    not_null,
    one_of,
    suite,
    times_usual_count,
    unique,
)
from expectations.usual import FEWEST_DAYS, Usual

# One row: the day as a whole, beside what the lake says about it.
DAY: Rules = {
    ("users_lost", between(0, 0), CRITICAL): (
        "Users in the lake without a user-day (or the other way round): the features missed some files."
    ),
    ("events_lost", between(0, 0), CRITICAL): (
        "The user-days do not add up to the day's events: events were lost or counted twice on the way."
    ),
    ("reference_days", at_least(FEWEST_DAYS), WARNING): (
        "Too few comparable days in the last 28 have features: volumes and nulls were not checked."
    ),
    ("user_count", times_usual_count(0.4, 3), CRITICAL): (
        "Far fewer or far more users than usual: a feed broke, not that people changed."
    ),
    ("user_count", times_usual_count(0.75, 2), WARNING): "A holiday or a sale moves the number of users this much.",
}

# One row per feature. `rise` and `became_constant` are null with too few comparable days.
FEATURES: Rules = {
    ("non_finite_count", at_most(0), CRITICAL): (
        "NaN or infinity is not 'not known': models would silently read it as a number or a null."
    ),
    ("rise", at_most(0.5), CRITICAL): (
        "A feature that used to be known no longer is: the model was trained on something else."
    ),
    ("rise", at_most(0.15), WARNING): "A feature is unknown for more users than usual.",
    ("became_constant", at_most(0), WARNING): (
        "A feature has one value for everybody, which it never had: its source stopped saying anything."
    ),
}


def keys(day: date) -> gx.ExpectationSuite:
    """One row per user-day: `user_id` and `event_day`."""
    rules: Rules = {
        ("user_id", not_null, CRITICAL): "A user-day without a user cannot be reviewed.",
        ("user_id", unique, CRITICAL): "One row per user and day: two would rank one account twice.",
        ("event_day", one_of([str(day)]), CRITICAL): (
            "Rows of another day got in: the snapshot was cut in the wrong place."
        ),
    }
    return suite("user_days_keys", rules)


def day(usual: Mapping[str, Usual]) -> gx.ExpectationSuite:
    return suite("user_days_day", DAY, usual)


def features() -> gx.ExpectationSuite:
    return suite("user_days_features", FEATURES)
