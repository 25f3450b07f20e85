"""Is this list fit for people? Expectations of the list itself, before it is published."""

from collections.abc import Collection
from datetime import date

import great_expectations as gx

from expectations.rules import (
    CRITICAL,
    WARNING,
    Rules,
    at_least_letters,
    at_most,
    at_most_rows,
    between,
    json_text,
    not_null,
    null,
    one_of,
    suite,
    unique,
)


def entries(day: date, list_size: int, bundle: str, has_risk: bool, users: Collection[str]) -> gx.ExpectationSuite:
    """One row per account. `users`: those active that day. `has_risk`: whether a stacker ranked them."""
    rules: Rules = {
        ("rows", at_most_rows(list_size), CRITICAL): "The team reviews this many a day, and no more.",
        ("user_id", not_null, CRITICAL): "Nobody can review an account without a name.",
        ("user_id", unique, CRITICAL): "An account takes one review slot a day.",
        ("user_id", one_of(users), CRITICAL): (
            "Only accounts active that day can be on its list: others come from another day's scores."
        ),
        ("rank", unique, CRITICAL): "Ranks order the day's work.",
        ("rank", between(1, list_size), CRITICAL): "Rank 1 is the worst.",
        ("day", one_of([str(day)]), CRITICAL): "A list is about one day.",
        ("bundle", one_of([bundle]), CRITICAL): "Scores of two bundles cannot be ranked together.",
        ("surprise_percentile", between(0, 1), CRITICAL): (
            "A percentile outside 0 to 1: the reference quantiles are broken."
        ),
        ("risk", between(0, 1), CRITICAL): "Risk is a probability.",
        ("out_of_order", at_most(0), CRITICAL): (
            "An account stands above another with more risk or surprise: the ranking is wrong."
        ),
        ("reason_1", not_null, CRITICAL): ("Without a reason an analyst cannot decide, and cannot find our mistakes."),
        ("reason_1", at_least_letters(8), WARNING): "A reason is a sentence, not a column name.",
        ("top_events", json_text, CRITICAL): "Tools read the events that mattered from this cell.",
    }
    with_stacker: Rules = {("risk", not_null, CRITICAL): "With a stacker every account has a risk."}
    without_stacker: Rules = {
        ("risk", null, CRITICAL): (
            "Without matured labels nobody knows the risk: null says so, a number would be made up."
        )
    }
    return suite("risk_list_entries", {**rules, **(with_stacker if has_risk else without_stacker)})
