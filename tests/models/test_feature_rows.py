"""The stacker's matrix: every user-day beside its own window, and nothing made up where nothing is known."""

import math
from datetime import timedelta

import event_streams as streams
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.catalogue import features
from pipeline.errors import InputError
from pipeline.models.days import day_number
from pipeline.models.feature_rows import UserDays, match, read_user_days
from pipeline.models.scoring import stacker_rows
from pipeline.models.tokens.reading import load_tokens
from pipeline.models.tokens.windows import user_day_windows

NAMES = list(features())
DAY = streams.FIRST


@pytest.fixture
def con():
    with streams.in_memory() as made:
        yield made


def write(path, rows):
    """A snapshot of user_days; `rows` are (user, day, {feature: value}), the rest is not known."""
    columns = {
        "user_id": pa.array([user for user, _, _ in rows], pa.string()),
        "event_day": pa.array([day for _, day, _ in rows], pa.date32()),
        **{name: pa.array([values.get(name) for _, _, values in rows], pa.float64()) for name in NAMES},
    }
    pq.write_table(pa.table(columns), path)
    return path


def test_user_days_are_sorted_and_unknown_is_nan(con, tmp_path):
    later = DAY + timedelta(days=1)
    paths = [
        write(tmp_path / "b.parquet", [("zed", later, {"event_count": 2.0}), ("ann", later, {})]),
        write(tmp_path / "a'quote.parquet", [("ann", DAY, {"event_count": 0.0})]),
    ]
    read = read_user_days(con, paths)
    assert read.user_id.to_pylist() == ["ann", "ann", "zed"]
    assert read.day.tolist() == [day_number(DAY), day_number(later), day_number(later)]
    counts = read.rows[:, NAMES.index("event_count")].tolist()
    assert counts[0] == 0.0
    assert math.isnan(counts[1])
    assert counts[2] == 2.0


def test_only_chosen_users_are_read(con, tmp_path):
    path = write(tmp_path / "a.parquet", [(user, DAY, {}) for user in ("ann", "bob", "zed")])
    assert read_user_days(con, [path], pa.array(["zed", "ann", "nobody"])).user_id.to_pylist() == ["ann", "zed"]


@pytest.fixture
def windows(con, tmp_path):
    """Tokens and windows of two users, two days."""
    rows = [streams.event(user, day, n) for user in ("ann", "bob") for day in (0, 1) for n in range(3)]
    tokens = load_tokens(con, streams.write_days(tmp_path, rows), streams.FIELDS)
    return tokens, user_day_windows(tokens, DAY, DAY + timedelta(days=1))


def user_days(*keys):
    """User-days (user, n-th day), in that order."""
    day = np.array([day_number(DAY) + n for _, n in keys], np.int32)
    user_id = pa.array([user for user, _ in keys], pa.string())
    return UserDays(user_id, day, np.zeros((len(keys), len(NAMES)), np.float32))


def test_each_window_finds_its_own_user_day(windows):
    tokens, cut = windows
    table = user_days(("bob", 1), ("ann", 0), ("bob", 0), ("ann", 1))
    place = match(table, tokens, cut)
    found = [(table.user_id[int(i)].as_py(), int(table.day[i]) - day_number(DAY)) for i in place]
    named = [(tokens.users[int(u)].as_py(), int(d) - day_number(DAY)) for u, d in zip(cut.user, cut.day, strict=True)]
    assert found == named


@pytest.mark.parametrize(
    "keys",
    [
        (("ann", 0), ("ann", 1), ("bob", 0)),
        (("ann", 0), ("ann", 1), ("bob", 0), ("bob", 2)),
        (("ann", 0), ("ann", 1), ("bob", 0), ("eve", 1)),
        (("ann", 0), ("ann", 1), ("bob", 0), ("bob", 1), ("eve", 1)),
        (),
    ],
    ids=["one missing", "another day", "another user", "one without events", "none at all"],
)
def test_tables_that_do_not_agree_are_told(keys, windows):
    tokens, cut = windows
    with pytest.raises(InputError, match="do not name the same user-days"):
        match(user_days(*keys), tokens, cut)


def test_the_matrix_has_the_columns_in_the_bundles_order():
    rows = np.arange(2 * len(NAMES), dtype=np.float32).reshape(2, -1)
    learned = {"surprise": np.array([0.5, np.nan]), "score_gru": np.array([-1.0, 1.0])}
    matrix = stacker_rows(["score_gru", NAMES[3], "surprise", NAMES[0]], rows, learned)
    assert matrix[:, 0].tolist() == [-1.0, 1.0]
    assert matrix[:, 1].tolist() == rows[:, 3].tolist()
    assert matrix[0, 2] == 0.5
    assert math.isnan(matrix[1, 2])
    assert matrix[:, 3].tolist() == rows[:, 0].tolist()


def test_a_column_nobody_knows_is_a_bug():
    with pytest.raises(KeyError):
        stacker_rows(["moon_phase"], np.zeros((1, len(NAMES)), np.float32), {})
