"""Can this list be handed to people? Judged on the list itself, before it is published."""

from collections.abc import Collection
from datetime import date

import great_expectations as gx
import great_expectations.expectations as gxe


def entries(day: date, list_size: int, bundle: str, has_risk: bool, users: Collection[str]) -> gx.ExpectationSuite:
    """One row per account. `users`: those active that day. `has_risk`: whether a stacker ranked them."""
    between = gxe.ExpectColumnValuesToBeBetween
    expectations = [
        gxe.ExpectTableRowCountToBeBetween(
            max_value=list_size,
            severity="critical",
            notes="The team reviews this many a day: more is a broken promise.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="user_id", severity="critical", notes="Nobody can review an account without a name."
        ),
        gxe.ExpectColumnValuesToBeUnique(
            column="user_id", severity="critical", notes="An account takes one review slot a day."
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="user_id",
            value_set=list(users),
            severity="critical",
            notes="Only accounts active that day can be on its list: others come from another day's scores.",
        ),
        gxe.ExpectColumnValuesToBeUnique(column="rank", severity="critical", notes="Ranks order the day's work."),
        between(column="rank", min_value=1, max_value=list_size, severity="critical", notes="Rank 1 is the worst."),
        gxe.ExpectColumnValuesToBeInSet(
            column="day", value_set=[str(day)], severity="critical", notes="A list is about one day."
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="bundle",
            value_set=[bundle],
            severity="critical",
            notes="Scores of two bundles cannot be ranked together.",
        ),
        between(
            column="surprise_percentile",
            min_value=0,
            max_value=1,
            severity="critical",
            notes="A percentile outside 0 to 1: the reference quantiles are broken.",
        ),
        between(column="risk", min_value=0, max_value=1, severity="critical", notes="Risk is a probability."),
        between(
            column="out_of_order",
            max_value=0,
            severity="critical",
            notes="An account stands above another with more risk or surprise: the ranking is wrong.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="reason_1",
            severity="critical",
            notes="An analyst who is not told why cannot decide, and cannot find our mistakes.",
        ),
        gxe.ExpectColumnValueLengthsToBeBetween(
            column="reason_1", min_value=8, severity="warning", notes="A reason is a sentence, not a column name."
        ),
        gxe.ExpectColumnValuesToBeJsonParseable(
            column="top_events", severity="critical", notes="Tools read the events that mattered from this cell."
        ),
    ]
    if has_risk:
        expectations.append(
            gxe.ExpectColumnValuesToNotBeNull(
                column="risk", severity="critical", notes="With a stacker every account has a risk."
            )
        )
    else:
        expectations.append(
            gxe.ExpectColumnValuesToBeNull(
                column="risk",
                severity="critical",
                notes="Without matured labels nobody knows the risk: null says so, a number would be made up.",
            )
        )
    return gx.ExpectationSuite(name="risk_list_entries", expectations=expectations)
