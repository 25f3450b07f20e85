"""Is this list fit for people? Expectations of the list itself, before it is published."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import great_expectations as gx

from expectations.rules import (
    CRITICAL,
    WARNING,
    Rules,
    above,
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


@dataclass(frozen=True)
class Wanted:
    """What the list was asked to be. `by`: what ranked it, risk or surprise.

    `users`: the listed accounts that were active on the day that their row is about.
    """

    days: Collection[date]
    list_size: int
    audit_slots: int
    bundle: str
    by: str
    users: Collection[str]


def entries(wanted: Wanted) -> gx.ExpectationSuite:
    """One row per account: first the picked ones, then those drawn at random."""
    rules: Rules = {
        ("rows", at_most_rows(wanted.list_size), CRITICAL): "The team reviews this many per list, and no more.",
        ("user_id", not_null, CRITICAL): "Nobody can review an account without a name.",
        ("user_id", unique, CRITICAL): "An account takes one review slot per list.",
        ("user_id", one_of(wanted.users), CRITICAL): (
            "A row is about a day on which its account was active: others come from another day's scores."
        ),
        ("rank", unique, CRITICAL): "Ranks order the work.",
        ("rank", between(1, wanted.list_size), CRITICAL): "Rank 1 is the worst.",
        ("picked_by", not_null, CRITICAL): "An analyst must know which rows were drawn at random.",
        ("picked_by", one_of([wanted.by, "audit"]), CRITICAL): "One thing ranks a list; other rows are audit rows.",
        ("propensity", not_null, CRITICAL): "Without its propensity a row cannot speak for those that were not drawn.",
        ("propensity", above(0, 1), CRITICAL): "It is the probability with which the row came onto the list.",
        ("audit_number", at_most(wanted.audit_slots), CRITICAL): "Audit rows take no more reviews than the pack says.",
        ("day", one_of([str(day) for day in wanted.days]), CRITICAL): "A row is about one of the list's days.",
        ("bundle", one_of([wanted.bundle]), CRITICAL): "Scores of two bundles cannot be ranked together.",
        ("surprise_percentile", between(0, 1), CRITICAL): (
            "A percentile outside 0 to 1: the reference quantiles are broken."
        ),
        ("risk", between(0, 1), CRITICAL): "Risk is a probability.",
        ("out_of_order", at_most(0), CRITICAL): (
            "An account stands above another with more risk or surprise, or an audit row above a picked one: "
            "the ranking is wrong."
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
    return suite("risk_list_entries", {**rules, **(with_stacker if wanted.by == "risk" else without_stacker)})
