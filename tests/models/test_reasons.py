"""Reasons are sentences an analyst can act on, whatever the numbers and however hostile the words."""

import math
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.catalogue import FIELD_WORDS, LEARNED, Feature, features
from pipeline.models.reasons import LIMIT, duration, family_of, fill, in_words, sentence_of, sentences

NAMES = [*features()]
LEARNED_NAMES = ["surprise", "surprise_mean", "surprise_worst_event", "surprise_own_excess", "score_gru"]
LEARNED_NAMES += [f"surprise_{field}" for field in FIELD_WORDS]
NUMBERS = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.integers(0, 10**6).map(float)
ROWS = st.dictionaries(st.sampled_from(NAMES), NUMBERS, max_size=len(NAMES))
CONTRIBUTIONS = st.lists(
    st.tuples(st.sampled_from([*NAMES, *LEARNED_NAMES]), NUMBERS, st.floats(-5, 5)),
    max_size=20,
    unique_by=lambda item: item[0],
)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "event_id": st.text(max_size=5),
            "at": st.integers(0, 2_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC).isoformat()),
            "event_type": st.text(min_size=1, max_size=30),
            "surprise": st.floats(0, 100),
            "fields": st.dictionaries(st.sampled_from([*FIELD_WORDS, "made_up"]), st.floats(0, 50), max_size=3),
        },
        optional={
            "category": st.text(max_size=30),
            "amount": st.floats(-1e9, 1e9),
            "quantity": st.floats(0, 1e6),
        },
    ),
    max_size=3,
)


@settings(deadline=None, max_examples=300)
@given(ROWS, CONTRIBUTIONS, EVENTS)
def test_at_most_three_different_lines_never_a_column_name(row, contributions, events):
    written = sentences(row, contributions, events, "EUR")
    assert len(written) <= LIMIT == 3
    assert len(set(written)) == len(written)
    for sentence in written:
        assert "\n" not in sentence
        assert "\x1b" not in sentence
        from_outside = events[0]["event_type"] if events else ""
        if not any(character in from_outside for character in "{}[]_") and "made_up" not in str(events[:1]):
            assert not re.search(r"[{}\[\]]|\b[a-z]+_[a-z]", sentence), sentence
        assert not re.search(r"\b(nan|inf|None)\b", sentence) or from_outside


@settings(deadline=None)
@given(ROWS, CONTRIBUTIONS)
def test_no_two_reasons_say_the_same_kind_of_thing(row, contributions):
    written = sentences(row, contributions, [], "EUR")
    families = [
        family_of(name)
        for name, value, added in contributions
        if added > 0 and sentence_of(name, value, row, "EUR") in written
    ]
    assert len(written) <= len(set(families))


@pytest.mark.parametrize("name", NAMES)
def test_every_feature_has_a_sentence_with_its_number(name):
    row = dict.fromkeys(NAMES, 3.0)
    sentence = sentence_of(name, 3.0, row, "EUR")
    assert sentence
    assert re.search(r"\d", sentence), sentence
    assert " " in sentence
    assert name not in sentence
    assert not re.search(r"[{}\[\]]", sentence)


@pytest.mark.parametrize("name", NAMES)
def test_a_sentence_without_its_own_number_is_not_said(name):
    assert sentence_of(name, None, {}, "EUR") is None or not re.search(r"\{", features()[name].reason)


@pytest.mark.parametrize("name", LEARNED_NAMES)
def test_every_learned_column_has_words(name):
    sentence = sentence_of(name, 2.5, {}, "EUR")
    assert sentence
    assert "surprise" not in sentence
    assert "gru" not in sentence


def test_every_learned_sentence_is_about_one_family():
    assert {family_of(name) for name in LEARNED_NAMES} == {"sequence"}
    assert set(LEARNED) >= {"surprise", "surprise_field", "base_model"}


def feature(reason):
    return Feature("event_count", "", "volume", "count", reason)


def test_bracketed_parts_go_where_a_number_is_missing():
    template = feature("{event_count} events[, where {usual_event_count} is usual][ in {session_count} sessions]")
    known = {"event_count": 30.0, "usual_event_count": 4.0, "session_count": 2.0}
    assert fill(template, known, "EUR") == "30 events, where 4 is usual in 2 sessions"
    assert fill(template, known | {"usual_event_count": None}, "EUR") == "30 events in 2 sessions"
    assert fill(template, {"event_count": 30.0, "session_count": math.nan}, "EUR") == "30 events"
    assert fill(template, {"usual_event_count": 4.0}, "EUR") is None


def test_the_strongest_reason_comes_first():
    row = {"event_count": 40.0, "spend_amount": 900.0}
    contributions = [("event_count", 40.0, 0.5), ("spend_amount", 900.0, 1.5)]
    assert sentences(row, contributions, [], "EUR")[0].startswith("spent EUR 900.00")


def test_what_speaks_for_an_account_is_no_reason():
    assert sentences({"event_count": 40.0}, [("event_count", 40.0, -0.5), ("spend_amount", 1.0, 0.0)], [], "EUR") == []


def test_equal_contributions_have_a_stated_order():
    row = {"event_count": 40.0, "spend_amount": 900.0}
    contributions = [("spend_amount", 900.0, 1.0), ("event_count", 40.0, 1.0)]
    assert sentences(row, contributions, [], "EUR") == sentences(row, contributions[::-1], [], "EUR")


def an_event(**more):
    return {"at": "2026-03-01T23:58:00+00:00", "event_type": "purchase", "surprise": 9.0, "fields": {}, **more}


def test_a_loud_event_is_explained_first_with_its_time_and_money():
    event = an_event(amount=1234.5, quantity=1.0, fields={"amount": 6.0, "local_hour": 2.0, "channel": 0.1})
    written = sentences({"event_count": 40.0}, [("event_count", 40.0, 5.0)], [event], "GBP")
    assert written[0] == (
        "purchase at 23:58 UTC, GBP 1,234.50, 1 piece: far from its pattern "
        "(9.0 nats, mostly the amounts and the time of day)"
    )
    assert "40" in written[1]


def test_a_quiet_event_fills_up_but_does_not_push_others_away():
    row = dict.fromkeys(NAMES, 3.0)
    one_of_each = {feature.family: name for name, feature in features().items()}
    contributions = [(name, 3.0, 1.0) for name in sorted(one_of_each.values())[:4]]
    quiet = an_event(surprise=2.0)
    assert not any("far from its pattern" in reason for reason in sentences(row, contributions, [quiet], "EUR"))
    assert "far from its pattern" in sentences({}, [], [quiet], "EUR")[0]


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "a\nb", "\x1b[31mred", "{event_count}", "[x]", "%s", "\u202egnp"])
def test_hostile_words_are_shown_as_they_are_and_on_one_line(name):
    [written] = sentences({}, [], [an_event(event_type=name, category=name)], "EUR")
    assert "\n" not in written
    assert "\x1b" not in written
    assert "\u202e" not in written
    assert written.endswith("far from its pattern (9.0 nats)")


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1234.5, "amount", "EUR 1,234.50"),
        (1234.0, "count", "1,234"),
        (2.5, "count", "2.5"),
        (0.234, "share", "23 %"),
        (0.012, "share", "1.2 %"),
        (0.0, "share", "0 %"),
        (1.0, "percentile", "99.9 %"),
        (14.2, "times", "14x"),
        (1.25, "times", "1.2x"),
        (-3.25, "deviations", "3.2 standard deviations"),
        (1.0, "days", "1 day"),
        (2.0, "days", "2 days"),
        (0.5, "hours", "30.0 min"),
        (3.25, "seconds", "3.2 s"),
        (45.0, "seconds", "45 s"),
    ],
)
def test_numbers_read_as_an_analyst_writes_them(value, unit, words):
    assert in_words(value, unit, "EUR") == words


def test_every_unit_of_the_catalogue_has_words():
    for one in features().values():
        assert in_words(2.0, one.unit, "EUR")


@given(st.floats(0, 1e9))
def test_durations_are_short(seconds):
    assert re.fullmatch(r"[\d,]+(\.\d)? (s|min|h|d)", duration(seconds))


def test_durations_take_the_largest_unit_that_fits():
    spans = [timedelta(seconds=59), timedelta(minutes=5), timedelta(hours=2), timedelta(days=3)]
    assert [duration(span.total_seconds()) for span in spans] == ["59 s", "5.0 min", "2.0 h", "3.0 d"]
