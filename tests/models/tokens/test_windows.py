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


def test_a_window_holds_128_events_and_keeps_32_of_the_days_before_however_long_its_day(tmp_path):
    rows = [event("a", 0, i) for i in range(100)] + [event("a", 1, i) for i in range(50)]
    rows += [event("b", 1, i) for i in range(200)]
    rows += [event("c", 0, i) for i in range(100)] + [event("c", 1, i) for i in range(300)]
    rows += [event("d", 0, i) for i in range(5)] + [event("d", 1, i) for i in range(300)]
    tokens = load(tmp_path, rows)
    windows = user_day_windows(tokens, FIRST + timedelta(1), FIRST + timedelta(1))
    assert windows.length.tolist() == [128, 128, 128, 128]
    assert windows.history.tolist() == [78, 0, 32, 5]
    assert windows.end.tolist() == [150, 350, 750, 1055]
    newest_first = windows.places(np.arange(128))
    assert newest_first[2].tolist() == [*range(749, 653, -1), *range(449, 417, -1)]
    assert newest_first[3].tolist() == [*range(1054, 931, -1), *range(754, 749, -1)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=6),
    st.sampled_from((4, 70, 110, 200)),
    st.integers(0, 12),
    st.integers(0, 12),
)
def test_windows_are_what_a_plain_loop_finds(lengths, a_day, first, n_days):
    tokens = random_tokens(lengths, a_day=a_day)
    start = date(2026, 1, 1) + timedelta(first)
    windows = user_day_windows(tokens, start, start + timedelta(n_days))
    days = tokens.at // DAY_US
    expected = []
    for user, day in sorted(set(zip(tokens.user.tolist(), days.tolist(), strict=True))):
        if day_number(start) <= day <= day_number(start) + n_days:
            of_user = (tokens.user == user) & (days > day - 28)
            earlier, own = np.flatnonzero(of_user & (days < day)), np.flatnonzero(of_user & (days == day))
            kept = own[-(128 - min(len(earlier), 32)) :]
            expected.append(
                (user, day, [*reversed(kept), *reversed(earlier[max(len(earlier) + len(kept) - 128, 0) :])])
            )
            assert len(kept) + len(earlier) <= 128 or len(expected[-1][2]) == 128
    places = windows.places(np.arange(128))
    found = [places[i, :length].tolist() for i, length in enumerate(windows.length)]
    assert list(zip(windows.user, windows.day, found, strict=True)) == expected


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
