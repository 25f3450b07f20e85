"""A suite is a table of rules. Each has a column, a check, a severity and the reason for it."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Literal

import great_expectations as gx
import great_expectations.expectations as gxe

from expectations.usual import Usual

Severity = Literal["critical", "warning"]
CRITICAL: Severity = "critical"  # stops the day
WARNING: Severity = "warning"  # is written on the list

# The expectation of a column, given its usual values on comparable days; None for no expectation.
Check = Callable[[Usual | None], Callable[..., gxe.Expectation] | None]
Rules = Mapping[tuple[str, Check, Severity], str]


def suite(name: str, rules: Rules, usual: Mapping[str, Usual] | None = None) -> gx.ExpectationSuite:
    """`usual`: usual values of columns on comparable days."""
    usual = usual or {}
    expectations = [
        expectation(column=column, severity=severity, notes=why)
        for (column, check, severity), why in rules.items()
        if (expectation := check(usual.get(column))) is not None
    ]
    return gx.ExpectationSuite(name=name, expectations=expectations)


def between(low: float | None, high: float | None) -> Check:
    return _always(partial(gxe.ExpectColumnValuesToBeBetween, min_value=low, max_value=high))


def above(low: float, high: float) -> Check:
    """More than `low`, and at most `high`."""
    bounds = {"min_value": low, "strict_min": True, "max_value": high}
    return _always(partial(gxe.ExpectColumnValuesToBeBetween, **bounds))


def at_least(low: float) -> Check:
    return between(low, None)


def at_most(high: float) -> Check:
    return between(None, high)


def times_usual_count(low: float, high: float) -> Check:
    """Between multiples of the usual count, with room for chance: whole numbers. None while the usual is unknown."""

    def check(usual: Usual | None) -> Callable[..., gxe.Expectation] | None:
        return between(usual.at_least(low), usual.at_most(high))(usual) if usual else None

    return check


def risen_at_most(rise: float, *, never_below: float = 0, until_known: float | None = None) -> Check:
    """At most this far above the usual share, or at most `until_known` while that is unknown.

    `never_below`: shares up to this one always pass.
    """

    def check(usual: Usual | None) -> Callable[..., gxe.Expectation] | None:
        if usual:
            return at_most(max(never_below, usual.at_most_risen(rise)))(usual)
        return None if until_known is None else at_most(until_known)(usual)

    return check


def unless_known(check: Check) -> Check:
    """`check` while the usual value is unknown, then no expectation."""
    return lambda usual: None if usual else check(usual)


def one_of(values: Collection[str]) -> Check:
    return _always(partial(gxe.ExpectColumnValuesToBeInSet, value_set=list(values)))


def at_least_letters(low: int) -> Check:
    return _always(partial(gxe.ExpectColumnValueLengthsToBeBetween, min_value=low))


def at_most_rows(high: int) -> Check:
    """Rows of the whole table: the column does not matter."""

    def expectation(column: str, **about: Any) -> gxe.Expectation:
        return gxe.ExpectTableRowCountToBeBetween(max_value=high, **about)

    return _always(expectation)


def _always(expectation: Callable[..., gxe.Expectation]) -> Check:
    return lambda usual: expectation


not_null = _always(gxe.ExpectColumnValuesToNotBeNull)
null = _always(gxe.ExpectColumnValuesToBeNull)
unique = _always(gxe.ExpectColumnValuesToBeUnique)
json_text = _always(gxe.ExpectColumnValuesToBeJsonParseable)
