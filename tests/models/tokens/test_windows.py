import math
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from event_streams import FIELDS, FIRST, event, in_memory, ordinary_shop, random_tokens, write_days
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.models.days import DAY_US, day_number, places_of, user_day_key
from pipeline.models.nn.batch import read_batch
from pipeline.models.tokens.fields import MISSING, UNSEEN
from pipeline.models.tokens.reading import distinct_users, load_tokens, look_up
from pipeline.models.tokens.windows import batches, user_day_windows, window_days


def load(tmp_path, rows, users=None):
    return load_tokens(in_memory(), write_days(tmp_path, rows), FIELDS, users)


def test_tokens_are_sorted_by_user_time_and_event_id(tmp_path):
    rows = ordinary_shop(n_users=7, n_days=6)
    tokens = load(tmp_path, rows)
    expected = sorted(rows, key=lambda row: (row["user_id"], row["event_at"], row["event_id"]))
    assert tokens.users.take(tokens.user).to_pylist() == [row["user_id"] for row in expected]
    assert tokens.at.astype("datetime64[us]").tolist() == [row["event_at"] for row in expected]
    amounts = [(math.log1p(row["amount"]) - 2) for row in expected]
    np.testing.assert_allclose(tokens.numbers[:, 0], amounts, rtol=1e-5)
    names = FIELDS.categorical[1].values
    assert tokens.codes[:, 1].tolist() == [names.index(row["category"]) + 2 for row in expected]


def test_the_order_of_the_files_does_not_matter(tmp_path):
    paths = write_days(tmp_path, ordinary_shop(n_users=5, n_days=5))
    forwards, backwards = (load_tokens(in_memory(), p, FIELDS) for p in (paths, paths[::-1]))
    np.testing.assert_array_equal(forwards.at, backwards.at)
    np.testing.assert_array_equal(forwards.numbers, backwards.numbers)


def test_only_the_asked_users_are_loaded_and_unknown_ones_have_no_events(tmp_path):
    tokens = load(tmp_path, [event(user, 0) for user in "abc"], pa.array(["c", "nobody", "a"]))
    assert tokens.users.to_pylist() == ["a", "c", "nobody"]
    assert tokens.user.tolist() == [0, 1]


def test_missing_and_unseen_values_have_codes_of_their_own(tmp_path):
    tokens = load(tmp_path, [event("a", 0, 0, category=None), event("a", 0, 1, category="it's new")])
    assert tokens.codes[:, 1].tolist() == [MISSING, UNSEEN]


def test_missing_zero_infinite_and_absurd_numbers_stay_apart_and_safe(tmp_path):
    values = [None, math.nan, 0.0, -10.0, math.inf, 1e300, 80_995.0]
    tokens = load(tmp_path, [event("a", 0, i, amount=value) for i, value in enumerate(values)])
    missing, nan, zero, negative, infinite, absurd, large = tokens.numbers[:, 0].tolist()
    assert math.isnan(missing) and math.isnan(nan)
    assert zero == -math.inf
    assert negative < 0 < large < absurd <= infinite < math.inf


def test_gaps_are_in_log_seconds_and_missing_for_a_users_first_event(tmp_path):
    tokens = load(tmp_path, [event("a", 0), event("a", 0, 10), event("a", 1, 10), event("b", 0), event("b", 0, 0.0)])
    gaps = tokens.numbers[:, 1]
    assert np.isnan(gaps[[0, 3]]).all()
    np.testing.assert_allclose(gaps[1:3] * 2 + 5, np.log1p([10, 86_400]), rtol=1e-5)
    assert gaps[4] == -np.inf


def test_an_unsorted_file_is_refused(tmp_path):
    (path,) = write_days(tmp_path, [event("a", 0), event("b", 0)])
    pq.write_table(pq.read_table(path).take([1, 0]), path)
    with pytest.raises(InputError, match="not sorted"):
        load_tokens(in_memory(), [path], FIELDS)


def test_days_without_any_wanted_user_give_empty_tokens_and_no_windows(tmp_path):
    tokens = load(tmp_path, [event("a", 0)], pa.array([], pa.string()))
    assert len(tokens) == 0
    assert len(user_day_windows(tokens, FIRST, FIRST)) == 0


def test_a_choice_of_users_is_fixed_by_its_seed(tmp_path):
    paths = write_days(tmp_path, [event(f"u{i}", 0) for i in range(40)])
    chosen = [distinct_users(in_memory(), paths, 5, seed).to_pylist() for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]
    assert len(chosen[0]) == 5 and chosen[0] == sorted(chosen[0])


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


def test_a_batch_is_newest_first_padded_and_without_the_gap_before_its_window(tmp_path):
    tokens = load(tmp_path, [event("a", day, amount=float(day + 1)) for day in range(30)] + [event("b", 29)])
    batch = read_batch(tokens, user_day_windows(tokens, FIRST + timedelta(29), FIRST + timedelta(29)), 1)
    assert batch.lengths.tolist() == [28, 1]
    np.testing.assert_allclose(batch.numbers[0, :, 0], np.log1p(np.arange(30, 2, -1)) - 2, rtol=1e-5)
    assert np.isnan(batch.numbers[0, :, 1]).tolist() == [False] * 27 + [True]
    assert np.isnan(batch.numbers[1, 1:]).all() and (batch.codes[1, 1:] == MISSING).all()


def test_events_are_looked_up_by_user_and_rank_in_the_order_asked(tmp_path):
    (path,) = write_days(tmp_path, [event("a", 0, i) for i in range(3)] + [event("b", 0)])
    found = look_up(in_memory(), path, ["b", "a", "a"], [0, 2, 1])
    assert found.column("event_id").to_pylist() == ["b-0-00000.000", "a-0-00002.000", "a-0-00001.000"]
    assert "rank" not in found.column_names


def test_the_days_of_a_window_are_28():
    days = window_days(date(2026, 3, 1))
    assert (len(days), days[0], days[-1]) == (28, date(2026, 2, 2), date(2026, 3, 1))


USER_DAYS = st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 40_000)))


@given(USER_DAYS, USER_DAYS)
def test_user_days_are_found_wherever_they_stand_and_missed_where_they_do_not(table, wanted):
    keys, asked = (
        user_day_key(np.array([user for user, _ in rows], np.int64), np.array([day for _, day in rows], np.int64))
        for rows in (table, wanted + table)
    )
    found = [table.index(row) if row in table else -1 for row in wanted + table]
    assert places_of(asked, keys).tolist() == found
