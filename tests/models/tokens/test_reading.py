import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from event_streams import FIELDS, event, in_memory, ordinary_shop, write_days

from pipeline.errors import InputError
from pipeline.models.tokens.fields import MISSING, UNSEEN
from pipeline.models.tokens.reading import distinct_users, load_tokens, look_up


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


def test_a_choice_of_users_is_fixed_by_its_seed(tmp_path):
    paths = write_days(tmp_path, [event(f"u{i}", 0) for i in range(40)])
    chosen = [distinct_users(in_memory(), paths, 5, seed).to_pylist() for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]
    assert len(chosen[0]) == 5 and chosen[0] == sorted(chosen[0])


def test_events_are_looked_up_by_user_and_rank_in_the_order_asked(tmp_path):
    (path,) = write_days(tmp_path, [event("a", 0, i) for i in range(3)] + [event("b", 0)])
    found = look_up(in_memory(), path, ["b", "a", "a"], [0, 2, 1])
    assert found.column("event_id").to_pylist() == ["b-0-00000.000", "a-0-00002.000", "a-0-00001.000"]
    assert "rank" not in found.column_names
