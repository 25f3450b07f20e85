"""What was known to be bad, at the end of a day: by whom, of what, and since when."""

from datetime import UTC, date, datetime, timedelta

import pytest
import support

from pipeline.models.labels import known_bad_user_days, label_spells
from pipeline.settings import Settings
from pipeline.warehouse import connect

DAY = date(2026, 3, 10)
LATER = datetime(2026, 12, 1, tzinfo=UTC)
NOON = support.moment(DAY)


@pytest.fixture
def known(tmp_path):
    """(user, day) known bad, after writing some labels."""

    def ask(*labels, until=date(2026, 4, 30), as_of=LATER):
        if labels:
            support.write_labels(tmp_path, labels)
        with connect(Settings(home=tmp_path)) as con:
            found = known_bad_user_days(con, tmp_path, until, as_of).to_pylist()
        return [(row["user_id"], row["event_day"]) for row in found]

    return ask


def days_after(n, hour=12):
    return support.moment(DAY + timedelta(days=n), hour)


def test_without_labels_nothing_is_known(known):
    assert known() == []


def test_an_event_known_bad_makes_its_day_bad(known):
    assert known(support.label("ann", NOON, days_after(5), "e1")) == [("ann", DAY)]


def test_what_became_known_after_the_day_is_not_known_yet(known):
    label = support.label("ann", NOON, days_after(5, hour=0), "e1")
    assert known(label, until=DAY + timedelta(days=4)) == [], "midnight is the first moment after"
    assert known(until=DAY + timedelta(days=5)) == [("ann", DAY)]


def test_what_had_not_arrived_is_not_seen(known):
    arrived = days_after(9)
    label = support.label("ann", NOON, days_after(5), "e1", arrived_at=arrived)
    assert known(label, as_of=(arrived - timedelta(seconds=1)).replace(tzinfo=UTC)) == []
    assert known(as_of=arrived.replace(tzinfo=UTC)) == [("ann", DAY)]


def test_a_label_with_an_end_is_about_the_days_before_it_on_which_the_account_was_active(known, tmp_path):
    active = [support.event("ann", support.moment(DAY + timedelta(days=n))) for n in (-1, 0, 0, 2, 3)]
    late = support.event("ann", days_after(1), arrived_at=days_after(30))
    support.write_events(tmp_path, [*active, late, support.event("bob", NOON)])
    label = support.label("ann", NOON, days_after(5), ends_at=days_after(3, hour=0))
    before_it_arrived = days_after(20).replace(tzinfo=UTC)
    assert known(label, as_of=before_it_arrived) == [("ann", DAY), ("ann", DAY + timedelta(days=2))]
    assert known() == [("ann", DAY + timedelta(days=n)) for n in (0, 1, 2)]


@pytest.fixture
def spells(tmp_path):
    """When a day counted as bad, or as good: (days after it from, to)."""

    def ask(*labels, is_bad=True):
        support.write_labels(tmp_path, labels)
        with connect(Settings(home=tmp_path)) as con:
            found = label_spells(con, tmp_path, date(2026, 4, 30), LATER).to_pylist()
        return [
            tuple(at and (at - NOON).days for at in (row["known_at"], row["cleared_at"]))
            for row in found
            if row["is_bad"] == is_bad
        ]

    return ask


def test_a_day_is_known_since_it_was_first_called_bad(spells):
    again = [support.label("ann", NOON, days_after(n)) for n in (5, 9, 12)]
    assert spells(*again, support.label("ann", NOON, days_after(10), "e1")) == [(5, None)]


def test_a_day_is_good_while_a_label_of_the_whole_day_says_so(spells):
    said = [(3, "e1", True), (5, None, False), (8, "e2", False), (9, None, True)]
    labels = [support.label("ann", NOON, days_after(n), event, is_bad=is_bad) for n, event, is_bad in said]
    assert spells(*labels, is_bad=False) == [(5, 9)]


def test_a_day_that_was_cleared_and_called_bad_again_has_two_spells(spells):
    said = [(3, "e1", True), (5, None, False), (8, "e2", True), (9, "e2", False), (11, "e1", True)]
    labels = [support.label("ann", NOON, days_after(n), event, is_bad=is_bad) for n, event, is_bad in said]
    assert spells(*labels) == [(3, 5), (8, 9), (11, None)]


def test_of_two_labels_of_an_event_the_later_known_holds(known):
    wrong = support.label("ann", NOON, days_after(5), "e1")
    mended = support.label("ann", NOON, days_after(6), "e1", is_bad=False)
    assert known(wrong, mended) == []
    assert known(until=DAY + timedelta(days=5)) == [("ann", DAY)], "until it was mended it held"


def test_of_two_labels_known_in_the_same_moment_the_bad_one_holds_as_in_the_features(known):
    both = [support.label("ann", NOON, days_after(5), "e1", is_bad=is_bad) for is_bad in (False, True)]
    assert known(*both) == [("ann", DAY)]


def test_one_good_event_does_not_clear_a_day_with_a_bad_one(known):
    labels = (
        support.label("ann", NOON, days_after(5), "e1"),
        support.label("ann", NOON, days_after(6), "e2", is_bad=False),
    )
    assert known(*labels) == [("ann", DAY)]


def test_a_dismissal_of_the_day_overrules_what_was_known_of_its_events(known):
    labels = support.label("ann", NOON, days_after(5), "e1"), support.label("ann", NOON, days_after(6), is_bad=False)
    assert known(*labels) == []


def test_a_chargeback_after_a_dismissal_counts(known):
    labels = support.label("ann", NOON, days_after(6), "e1"), support.label("ann", NOON, days_after(5), is_bad=False)
    assert known(*labels) == [("ann", DAY)]


def test_a_confirmation_needs_no_event(known):
    assert known(support.label("ann", NOON, days_after(1))) == [("ann", DAY)]


def test_labels_say_nothing_about_other_days_and_other_accounts(known):
    labels = support.label("ann", NOON, days_after(5), "e1"), support.label("bob", days_after(1), days_after(5), "e2")
    assert known(*labels) == [("ann", DAY), ("bob", DAY + timedelta(days=1))]


def test_rows_are_sorted_whatever_the_order_of_files(known):
    for user in ("zed", "ann", "mia"):
        found = known(support.label(user, NOON, days_after(5), "e"))
    assert found == [("ann", DAY), ("mia", DAY), ("zed", DAY)]
