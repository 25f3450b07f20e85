"""A table of rules as a suite of Great Expectations."""

from expectations import events, rules, user_days
from expectations.usual import Usual

STEADY = Usual.of([100, 100, 100])
SHARES = Usual.of([0.2, 0.2, 0.2])


def asked(check, usual=None):
    """The bounds that a check asks of a column, or None if it asks nothing."""
    (*expectations,) = rules.suite(
        "s", {("x", check, rules.WARNING): "why"}, {"x": usual} if usual else {}
    ).expectations
    if not expectations:
        return None
    (expectation,) = expectations
    assert (expectation.column, expectation.severity, expectation.notes) == ("x", "warning", "why")
    return expectation.min_value, expectation.max_value


def test_a_multiple_of_the_usual_is_asked_only_where_that_is_known():
    assert asked(rules.times_usual_count(0.5, 2), STEADY) == (28, 243)  # half and double, and room for chance
    assert asked(rules.times_usual_count(0.5, 2)) is None


def test_a_share_may_rise_so_far_above_the_usual():
    check = rules.risen_at_most(0.1, never_below=0.25, until_known=0.4)
    assert asked(check, SHARES) == (None, 0.2 + 0.1)
    assert asked(check, Usual.of([0.0, 0.0, 0.0])) == (None, 0.25)
    assert asked(check) == (None, 0.4)
    assert asked(rules.risen_at_most(0.1)) is None


def test_what_is_asked_until_the_usual_is_known_is_not_asked_after():
    check = rules.unless_known(rules.at_most(3))
    assert asked(check) == (None, 3)
    assert asked(check, STEADY) is None


def test_a_rule_of_the_whole_table_counts_its_rows():
    (expectation,) = rules.suite("s", {("rows", rules.at_most_rows(9), rules.CRITICAL): "why"}).expectations
    assert expectation.expectation_type == "expect_table_row_count_to_be_between"
    assert (expectation.max_value, expectation.severity) == (9, "critical")


def test_a_day_without_events_is_critical_only_where_some_are_usual():
    for is_trading_day, severity in ((True, "critical"), (False, "warning"), (None, "warning")):
        suite = events.day({}, is_trading_day)
        (no_events,) = [e for e in suite.expectations if e.column == "event_count"]
        assert (no_events.min_value, no_events.severity) == (1, severity)


def test_every_rule_says_why():
    for table in (events.DAY, events.EVENT_TYPES, events.HOURS, events.COLUMNS, user_days.DAY, user_days.FEATURES):
        assert all(why.endswith(".") for why in table.values())
