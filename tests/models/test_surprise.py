from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
import torch
from event_streams import FIELDS, FIRST, event, in_memory, ordinary_shop, random_tokens, write_days
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.nn.autoencoder import AutoencoderPlan, BehaviourAutoencoder, train_autoencoder
from pipeline.models.nn.training import seeded
from pipeline.models.surprise import own_excess, score_windows, soft_maximum
from pipeline.models.tokens.reading import load_tokens
from pipeline.models.tokens.windows import Sequences, half_of, user_day_windows

pytestmark = pytest.mark.slow

LAST = 19  # day of the ordinary shop's odd visitors


def days_of(tokens, first, last) -> Sequences:
    return Sequences(tokens, FIELDS, user_day_windows(tokens, first, last))


@pytest.fixture
def model():
    torch.manual_seed(3)
    return BehaviourAutoencoder(FIELDS.sizes, len(FIELDS.numeric)).eval()


@pytest.fixture(scope="module")
def odd_day(tmp_path_factory):
    """A trained model and the scores of a day on which a few users are odd, by user_id."""
    ordinary = ordinary_shop()
    odd = [event("monster", LAST, 0, amount=80_995.0), event("monster", LAST, 60)]
    odd += [event("mixed up", LAST, 60 * i, category=("books", "toys", "food")[i % 3]) for i in range(6)]
    odd += [event("plain", LAST, 60 * i) for i in range(6)]
    tokens = load_tokens(in_memory(), write_days(tmp_path_factory.mktemp("odd"), ordinary + odd), FIELDS)
    sequences = days_of(tokens, FIRST, FIRST + timedelta(14))
    later = days_of(tokens, FIRST + timedelta(15), FIRST + timedelta(LAST - 1))
    trained = train_autoencoder(sequences, later, AutoencoderPlan(epochs=8, batch_events=256))
    day = days_of(tokens, FIRST + timedelta(LAST), FIRST + timedelta(LAST))
    users = tokens.users.take(day.windows.user).to_pylist()
    return tokens, day.windows, score_windows([trained.model], day), {user: i for i, user in enumerate(users)}


def test_one_monstrous_event_ranks_first(odd_day):
    _, _, surprise, row = odd_day
    assert np.argmax(surprise.level) == row["monster"]


def test_the_worst_event_of_a_monstrous_day_is_found_with_the_field_that_made_it_so(odd_day):
    _, day, surprise, row = odd_day
    i = row["monster"]
    assert surprise.worst_position[i].tolist() == [day.today[i], day.today[i] + 1, -1]
    assert FIELDS.names[int(np.argmax(surprise.worst_fields[i, 0]))] == "amount"
    assert surprise.worst[i] == pytest.approx(surprise.worst_fields[i, 0].sum(), abs=1e-3)
    assert np.isnan(surprise.worst_fields[i, 2]).all()


def test_a_day_of_mildly_odd_events_ranks_above_a_plain_one(odd_day):
    _, _, surprise, row = odd_day
    assert surprise.level[row["mixed up"]] > surprise.level[row["plain"]]


def test_the_mean_is_the_sum_of_its_fields(odd_day):
    _, _, surprise, _ = odd_day
    np.testing.assert_allclose(surprise.per_field.sum(axis=1), surprise.mean, atol=1e-4)


def test_columns_are_named_after_the_fields_and_nan_becomes_null(odd_day):
    columns = odd_day[2].columns(FIELDS)
    assert {"surprise", "surprise_mean", "surprise_worst_event", "surprise_own_excess", "surprise_gap_seconds"} < set(
        columns
    )
    assert not [name for name in columns if name.startswith("code")]
    assert columns["surprise_own_excess"].null_count == int(np.isnan(odd_day[2].own_excess).sum()) > 0


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(1, 4000), st.integers(1, 3))
def test_scores_do_not_change_with_batch_size_or_threads(lengths, batch_events, threads):
    torch.manual_seed(0)
    model = BehaviourAutoencoder(FIELDS.sizes, len(FIELDS.numeric)).eval()
    tokens = random_tokens(lengths)
    sequences = days_of(tokens, FIRST, FIRST + timedelta(20))
    one, other = (
        score_windows([model], sequences, t, size, with_code=True) for t, size in ((1, 1), (threads, batch_events))
    )
    for name in ("level", "mean", "per_field", "worst", "own_excess", "code", "worst_fields"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=3e-5, rtol=1e-5, err_msg=name)


def test_scores_do_not_change_with_who_else_is_scored(model):
    tokens = random_tokens([30] * 20)
    sequences = days_of(tokens, FIRST, FIRST + timedelta(20))
    some = np.arange(0, len(sequences), 7)
    everyone, few = (score_windows([model], some_or_all) for some_or_all in (sequences, sequences.take(some)))
    np.testing.assert_allclose(everyone.level[some], few.level, atol=3e-5)


def test_scoring_twice_gives_the_same_bytes(model):
    tokens = random_tokens([50] * 30)
    sequences = days_of(tokens, FIRST, FIRST + timedelta(20))
    one, other = (score_windows([model], sequences) for _ in range(2))
    assert one.level.tobytes() == other.level.tobytes()
    assert one.per_field.tobytes() == other.per_field.tobytes()


def test_each_half_of_the_accounts_is_read_by_its_own_model_and_all_codes_come_from_the_first():
    with seeded(1):
        models = [BehaviourAutoencoder(FIELDS.sizes, len(FIELDS.numeric)).eval() for _ in range(2)]
    tokens = random_tokens([20] * 24)
    sequences = days_of(tokens, FIRST, FIRST + timedelta(20))
    both, *alone = (score_windows(each, sequences, with_code=True) for each in (models, models[:1], models[1:]))
    half = half_of(tokens.users)[sequences.windows.user]
    assert 0 < half.mean() < 1
    np.testing.assert_allclose(both.level, np.where(half == 0, alone[0].level, alone[1].level), atol=3e-5)
    np.testing.assert_allclose(both.code, alone[0].code, atol=3e-5)
    assert not np.allclose(alone[0].level, alone[1].level, atol=1e-2)


def test_an_account_stays_in_its_half_whoever_else_is_there():
    users = [f"user-{n:06d}" for n in range(4000)]
    halves = half_of(pa.array(users))
    assert half_of(pa.array(users[7::13])).tolist() == halves[7::13].tolist()
    assert abs(halves.mean() - 0.5) < 0.03


def test_events_of_later_days_change_nothing(model):
    tokens = random_tokens([40])
    early = days_of(tokens, FIRST, FIRST + timedelta(3))
    changed = random_tokens([40])
    changed.numbers[early.windows.end[-1] :] = 9.0
    one, other = (score_windows([model], replace(early, tokens=each)) for each in (tokens, changed))
    np.testing.assert_array_equal(one.level, other.level)


def test_no_windows_give_empty_scores(model):
    tokens = random_tokens([])
    surprise = score_windows([model], days_of(tokens, FIRST, FIRST))
    assert surprise.level.shape == (0,) and len(surprise.columns(FIELDS)["surprise"]) == 0


def test_a_single_event_is_its_own_worst_and_has_no_own_past(model):
    tokens = random_tokens([1])
    surprise = score_windows([model], days_of(tokens, FIRST, FIRST + timedelta(9)))
    assert surprise.level[0] == surprise.mean[0] == surprise.worst[0]
    assert np.isnan(surprise.own_excess[0])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 1e6), min_size=1, max_size=30))
def test_the_soft_maximum_lies_between_the_mean_and_the_maximum(nats):
    level = soft_maximum(np.array([nats]), np.ones((1, len(nats)), bool))[0]
    assert np.mean(nats) - 1e-6 <= level <= max(nats) + 1e-6
    assert level >= max(nats) - np.log(len(nats)) - 1e-6


def test_the_soft_maximum_ignores_events_of_other_days():
    level = soft_maximum(np.array([[3.0, 900.0]]), np.array([[True, False]]))
    assert level.tolist() == [3.0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 100), min_size=1, max_size=40), st.floats(0, 50))
def test_own_excess_is_the_distance_from_the_own_median_in_own_spreads(earlier, mean):
    row = np.array([[mean, *earlier, 777.0]])  # the last cell is padding
    excess = own_excess(row, np.array([mean]), np.array([1]), np.array([len(earlier)]))[0]
    low, middle, high = np.quantile(earlier, [0.25, 0.5, 0.75])
    if len(earlier) < 5:
        assert np.isnan(excess)
    else:
        assert excess == pytest.approx((mean - middle) / max((high - low) / 1.349, 0.5))
