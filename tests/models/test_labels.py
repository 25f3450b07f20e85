"""What was known to be bad, at the end of a day: by whom, of what, and since when."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
import support

from pipeline.models.labels import (
    UNNAMED,
    known_bad_accounts,
    known_bad_user_days,
    label_arrivals,
    label_spells,
    labelled_days,
)
from pipeline.models.samples import NEVER
from pipeline.schemas import VERDICT
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


def test_a_label_of_the_account_names_only_the_first_and_the_last_active_day_that_it_covers(tmp_path):
    days = (1, 2, 3, 4, 6)
    support.write_events(tmp_path, [support.event("ann", support.moment(DAY + timedelta(days=n))) for n in days])
    of_account = support.label("ann", NOON, days_after(7), ends_at=days_after(6, hour=0))
    support.write_labels(tmp_path, [of_account, support.label("ann", days_after(3), days_after(9), "e1")])
    with connect(Settings(home=tmp_path)) as con:
        found = label_spells(con, tmp_path, date(2026, 4, 30), LATER).to_pylist()
    first, later = days_after(7), days_after(9)
    assert [((row["event_day"] - DAY).days, row["known_at"], row["named_at"]) for row in found] == [
        (1, first, first),
        (2, first, None),
        (3, first, later),
        (4, first, first),
    ]


def test_an_account_is_known_to_be_bad_from_the_day_after_until_that_is_taken_back(tmp_path):
    early, late = days_after(5), days_after(9)
    support.write_labels(
        tmp_path,
        [
            support.label("cat", NOON, early, "e3"),
            support.label("ann", NOON, early, "e1"),
            support.label("ann", days_after(-3), early, "e0"),
            support.label("bob", NOON, early, "e2"),
            support.label("bob", NOON, late, "e2", is_bad=False),
            support.label("dan", NOON, early, "e4", arrived_at=days_after(20)),
        ],
    )
    with connect(Settings(home=tmp_path)) as con:
        seen = [
            known_bad_accounts(con, tmp_path, DAY + timedelta(days=n), days_after(12).replace(tzinfo=UTC)).to_pylist()
            for n in (5, 6, 9, 10)
        ]
        assert known_bad_accounts(con, tmp_path, DAY + timedelta(days=10), LATER).to_pylist() == ["ann", "cat", "dan"]
    assert seen == [[], ["ann", "bob", "cat"], ["ann", "bob", "cat"], ["ann", "cat"]]


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


@pytest.mark.parametrize("late_first", [False, True])
def test_a_bad_day_was_named_by_the_source_that_came_first(tmp_path, late_first):
    named = [("takedown", 5, "e1"), ("chargeback", 3, "e2"), (VERDICT, 4, None), ("takedown", 3, "e3")]
    labels = [support.label("ann", NOON, days_after(n), event, source=source) for source, n, event in named]
    support.write_labels(tmp_path, reversed(labels) if late_first else labels)
    with connect(Settings(home=tmp_path)) as con:
        [spell] = label_spells(con, tmp_path, date(2026, 4, 30), LATER).to_pylist()
    assert (spell["source"], spell["known_at"]) == ("chargeback", days_after(3)), "of two at once the first by name"


@pytest.fixture
def arrivals(tmp_path):
    """(source, day, known so many days later, user-days), after writing some labels. Days are counted from DAY."""

    def ask(*labels, until=date(2026, 4, 30), as_of=LATER):
        support.write_labels(tmp_path, labels)
        with connect(Settings(home=tmp_path)) as con:
            found = label_arrivals(con, tmp_path, until, as_of).to_pylist()
        return [
            (row["source"], (row["event_day"] - DAY).days, (row["known_day"] - row["event_day"]).days, row["user_days"])
            for row in found
        ]

    return ask


def of(source, user, late, happened=NOON, event="e1", **values):
    return support.label(user, happened, happened + timedelta(days=late), event, source=source, **values)


def test_each_source_has_its_own_first_label_of_a_user_day_and_reports_are_all_but_verdicts(arrivals):
    labels = [
        of("chargeback", "ann", 9),
        of("chargeback", "ann", 12, event="e2"),
        of("takedown", "ann", 4),
        of(VERDICT, "ann", 1, event=None),
        of(VERDICT, "bob", 2, event=None),
        of(None, "cat", 4),
    ]
    by_source = [
        ("chargeback", 0, 9, 1),
        ("takedown", 0, 4, 1),
        (UNNAMED, 0, 4, 1),
        (VERDICT, 0, 1, 1),
        (VERDICT, 0, 2, 1),
    ]
    assert arrivals(*labels) == [(None, 0, 4, 2), *by_source], "what a verdict named first was reported all the same"


def test_arrivals_are_what_was_known_and_taking_a_label_back_does_not_undo_that_it_came(arrivals):
    labels = [
        of("takedown", "ann", 3),
        of("review_desk", "ann", 5, is_bad=False),
        of("takedown", "bob", 30),
        of("takedown", "cat", 3, arrived_at=days_after(200)),
    ]
    found = arrivals(*labels, until=DAY + timedelta(days=20), as_of=days_after(100).replace(tzinfo=UTC))
    assert found == [(None, 0, 3, 1), ("takedown", 0, 3, 1)]


def test_a_label_with_an_end_arrives_for_each_day_on_which_its_account_was_active(arrivals, tmp_path):
    support.write_events(tmp_path, [support.event("ann", support.moment(DAY + timedelta(days=n))) for n in (0, 2)])
    label = support.label("ann", NOON, days_after(5), ends_at=days_after(3, hour=0), source=VERDICT)
    assert arrivals(label) == [(VERDICT, 0, 5, 1), (VERDICT, 2, 3, 1)]


def test_without_labels_none_arrived(tmp_path):
    with connect(Settings(home=tmp_path)) as con:
        assert not label_arrivals(con, tmp_path, DAY, LATER).num_rows


@pytest.mark.parametrize("users", [["zed", "ann"], []])
def test_labelled_days_of_some_accounts_are_sorted_by_their_places(tmp_path, users):
    support.write_labels(tmp_path, [support.label(user, NOON, days_after(5), "e") for user in ("ann", "mia", "zed")])
    with connect(Settings(home=tmp_path)) as con:
        found = labelled_days(label_spells(con, tmp_path, date(2026, 4, 30), LATER), pa.array(users, pa.string()))
    assert found.user.tolist() == list(range(len(users)))
    assert set(found.cleared_day.tolist()) <= {int(NEVER)}
    assert (found.known_day - found.day).tolist() == (found.named_day - found.day).tolist() == [5] * len(users)
