from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from event_streams import FIELDS, FIRST, event, in_memory, random_tokens, write_days
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.days import DAY_US, day_number
from pipeline.models.tokens.reading import load_tokens
from pipeline.models.tokens.windows import batches, user_day_windows, window_days


def load(tmp_path, rows, users=None):
    return load_tokens(in_memory(), write_days(tmp_path, rows), FIELDS, users)


def test_days_without_any_wanted_user_give_empty_tokens_and_no_windows(tmp_path):
    tokens = load(tmp_path, [event("a", 0)], pa.array([], pa.string()))
    assert len(tokens) == 0
    assert len(user_day_windows(tokens, FIRST, FIRST)) == 0


def test_a_window_ends_with_its_day_and_reaches_back_28_days(tmp_path):
    tokens = load(tmp_path, [event("a", day) for day in (0, 1, 27, 28, 29)])
    (window,) = [user_day_windows(tokens, FIRST + timedelta(28), FIRST + timedelta(28))]
    assert (window.start.tolist(), window.today.tolist(), window.end.tolist()) == ([1], [3], [4])


def test_a_window_holds_the_last_128_events_even_of_a_busier_day(tmp_path):
    rows = [event("a", 0, i) for i in range(100)] + [event("a", 1, i) for i in range(50)]
    rows += [event("b", 1, i) for i in range(200)]
    tokens = load(tmp_path, rows)
    windows = user_day_windows(tokens, FIRST + timedelta(1), FIRST + timedelta(1))
    assert windows.length.tolist() == [128, 128]
    assert windows.history.tolist() == [78, 0]
    assert windows.end.tolist() == [150, 350]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(0, 12), st.integers(0, 12))
def test_windows_are_what_a_plain_loop_finds(lengths, first, n_days):
    tokens = random_tokens(lengths)
    start = date(2026, 1, 1) + timedelta(first)
    windows = user_day_windows(tokens, start, start + timedelta(n_days))
    days = tokens.at // DAY_US
    expected = []
    for user, day in sorted(set(zip(tokens.user.tolist(), days.tolist(), strict=True))):
        if day_number(start) <= day <= day_number(start) + n_days:
            own = np.flatnonzero((tokens.user == user) & (days <= day) & (days > day - 28))[-128:]
            expected.append((user, day, own[0], own[days[own] == day][0], own[-1] + 1))
    found = zip(windows.user, windows.day, windows.start, windows.today, windows.end, strict=True)
    assert [tuple(map(int, row)) for row in found] == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(1, 500))
def test_batches_hold_every_window_once_and_pad_little(lengths, batch_events):
    tokens = random_tokens(lengths)
    windows = user_day_windows(tokens, FIRST, FIRST + timedelta(30))
    groups = list(batches(windows, batch_events))
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(windows)))
    for group in groups:
        assert len(group) == 1 or len(group) * windows.length[group].max() <= batch_events


def test_the_days_of_a_window_are_28():
    days = window_days(date(2026, 3, 1))
    assert (len(days), days[0], days[-1]) == (28, date(2026, 2, 2), date(2026, 3, 1))
