import dataclasses
import math
from datetime import timedelta

import numpy as np
import pytest
import torch
from event_streams import FIELDS, FIRST, in_memory, ordinary_shop, random_tokens, write_days
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.models.nn.autoencoder import (
    AutoencoderPlan,
    BehaviourAutoencoder,
    load_autoencoder,
    save_autoencoder,
    train_autoencoder,
)
from pipeline.models.nn.batch import Batch, read_batch, tensors
from pipeline.models.tokens.fields import MISSING, UNSEEN, Fields
from pipeline.models.tokens.reading import load_tokens
from pipeline.models.tokens.windows import user_day_windows

PLAN = AutoencoderPlan(epochs=3, batch_events=256, windows_per_epoch=200)


@pytest.fixture(autouse=True)
def one_torch_thread():
    """Threads that share such small products mostly wait for each other."""
    had = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(had)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Tokens of an ordinary shop, windows to train on and later ones."""
    tokens = load_tokens(in_memory(), write_days(tmp_path_factory.mktemp("shop"), ordinary_shop()), FIELDS)
    return (
        tokens,
        user_day_windows(tokens, FIRST, FIRST + timedelta(14)),
        user_day_windows(tokens, FIRST + timedelta(15), FIRST + timedelta(19)),
    )


@pytest.fixture
def model():
    torch.manual_seed(3)
    return BehaviourAutoencoder(FIELDS.sizes, len(FIELDS.numeric)).eval()


def cells(model, batch: Batch):
    """Surprise per window, event and field, padding cut off."""
    with torch.inference_mode():
        codes, numbers, lengths = tensors(batch)
        nats = model.surprise(codes, numbers, model(codes, numbers, lengths)[0]).numpy()
    return [nats[i, :length] for i, length in enumerate(batch.lengths)]


def one_event(**changes):
    """A batch of one window of one event: a purchase of books for an ordinary amount, first in its window."""
    batch = Batch(np.array([[[3, 2]]], np.int32), np.array([[[0.5, np.nan]]], np.float32), np.array([1]))
    return batch._replace(**changes)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 9))
def test_surprise_does_not_change_with_batch_mates(lengths, seed):
    torch.manual_seed(seed)
    model = BehaviourAutoencoder(FIELDS.sizes, len(FIELDS.numeric)).eval()
    tokens = random_tokens(lengths, seed)
    windows = user_day_windows(tokens, FIRST, FIRST + timedelta(20))
    together = cells(model, read_batch(tokens, windows, 1))
    for i, nats in enumerate(together):
        alone = cells(model, read_batch(tokens, windows.take(np.array([i])), 1))[0]
        np.testing.assert_allclose(nats, alone, rtol=1e-5, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 20), st.integers(0, 4), st.sampled_from([np.nan, -np.inf, 0.0, 1e30]))
def test_surprise_does_not_change_with_padding_or_what_stands_in_it(length, padding, code, number):
    torch.manual_seed(0)
    model = BehaviourAutoencoder((5, 5), 2).eval()
    tokens = random_tokens([length])
    windows = user_day_windows(tokens, FIRST, FIRST + timedelta(20)).take(np.array([-1]))
    batch = read_batch(tokens, windows, 1)
    width = [(0, 0), (0, padding), (0, 0)]
    padded = Batch(
        np.pad(batch.codes, width, constant_values=code),
        np.pad(batch.numbers, width, constant_values=number),
        batch.lengths,
    )
    np.testing.assert_allclose(cells(model, padded)[0], cells(model, batch)[0], rtol=1e-5, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.floats(allow_nan=True, allow_infinity=False, width=32))
def test_surprise_is_finite_for_any_number(value):
    torch.manual_seed(0)
    model = BehaviourAutoencoder(FIELDS.sizes, 2).eval()
    number = np.float32(np.clip(value, -1e15, 1e15))  # ln of the largest double is 710: this is far beyond
    batch = one_event(numbers=np.array([[[number, -np.inf]]], np.float32))
    assert np.isfinite(cells(model, batch)[0]).all()


def test_a_number_costs_more_the_farther_it_lies(model):
    costs = [
        cells(model, one_event(numbers=np.array([[[x, np.nan]]], np.float32)))[0][0, 2] for x in (3, 5, 8, 50, 700)
    ]
    assert costs == sorted(costs)
    assert costs[-1] > 1000


def test_an_unseen_category_and_missing_fields_have_a_cost_like_any_other(model):
    odd = one_event(codes=np.array([[[UNSEEN, MISSING]]], np.int32), numbers=np.full((1, 1, 2), np.nan, np.float32))
    nats = cells(model, odd)[0][0]
    assert np.isfinite(nats).all() and (nats > 0).all()


def test_surprise_is_minus_log_of_a_chance_that_sums_to_one(model):
    with torch.inference_mode():
        codes, numbers, lengths = tensors(one_event())
        redrawn, _ = model(codes, numbers, lengths)
        costs = [
            model.surprise(torch.full_like(codes, code), numbers, redrawn)[0, 0, 0].item()
            for code in range(FIELDS.sizes[0])
        ]
        line = torch.linspace(-80, 80, 160_001)
        shape = (1, len(line), -1)
        spread = redrawn._replace(**{n: getattr(redrawn, n).expand(*shape) for n in redrawn._fields})
        each = torch.stack([line, line], dim=1)[None]
        density = torch.exp(-model.surprise(codes.expand(*shape), each, spread)[0, :, 2]).double()
        missing, zero = (
            math.exp(-model.surprise(codes, torch.full_like(numbers, x), redrawn)[0, 0, 2].item())
            for x in (math.nan, -math.inf)
        )
    assert sum(math.exp(-cost) for cost in costs) == pytest.approx(1, abs=1e-5)
    assert density.sum().item() * 0.001 + missing + zero == pytest.approx(1, abs=1e-3)


def test_training_learns_and_is_repeatable_to_the_byte_on_any_number_of_threads(shop, tmp_path):
    tokens, windows, later = shop
    for name, threads in (("first", 2), ("again", 2), ("alone", 1)):
        trained = train_autoencoder(tokens, FIELDS, windows, later, dataclasses.replace(PLAN, threads=threads))
        save_autoencoder(trained.model, FIELDS, tmp_path / name)
    bytes_of = {
        name: (tmp_path / name / "autoencoder.safetensors").read_bytes() for name in ("first", "again", "alone")
    }
    assert bytes_of["first"] == bytes_of["again"] == bytes_of["alone"]
    assert trained.later_nats[-1] < trained.later_nats[0]


def test_another_seed_gives_other_weights(shop):
    tokens, windows, later = shop
    plan = dataclasses.replace(PLAN, epochs=1)
    models = [
        train_autoencoder(tokens, FIELDS, windows, later, dataclasses.replace(plan, seed=s)).model for s in (1, 2)
    ]
    assert not torch.equal(models[0].to_code.weight, models[1].to_code.weight)


def test_training_leaves_torch_as_it_was(shop):
    tokens, windows, later = shop
    torch.manual_seed(5)
    torch.set_num_threads(2)
    state = torch.random.get_rng_state()
    train_autoencoder(tokens, FIELDS, windows, later, dataclasses.replace(PLAN, epochs=1))
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_few_windows_can_be_learned_by_heart(shop):
    tokens, windows, _ = shop
    few = windows.take(np.arange(8))
    plan = AutoencoderPlan(epochs=120, patience=200, batch_events=4096, code_noise=0.0, hidden_share=0.0)
    trained = train_autoencoder(tokens, FIELDS, few, few, plan)
    assert min(trained.later_nats) < trained.later_nats[0] / 4


def test_training_stops_when_later_days_stop_getting_better():
    nothing_to_learn = random_tokens([30] * 20)
    noise = user_day_windows(nothing_to_learn, FIRST, FIRST + timedelta(20))
    plan = AutoencoderPlan(epochs=60, patience=1, batch_events=128)
    trained = train_autoencoder(
        nothing_to_learn, FIELDS, noise.take(np.arange(10)), noise.take(np.arange(60, 90)), plan
    )
    assert trained.best_epoch == int(np.argmin(trained.later_nats))
    assert len(trained.later_nats) == trained.best_epoch + 2 < 60


def test_nothing_to_train_on_is_a_clear_error(shop):
    tokens, windows, _ = shop
    with pytest.raises(InputError, match="needs user-days to train on and later ones"):
        train_autoencoder(tokens, FIELDS, windows, windows.take(np.zeros(0, np.int64)), PLAN)


def test_a_domain_without_categories_or_without_numbers_trains_too(shop):
    tokens, windows, later = shop
    plan = dataclasses.replace(PLAN, epochs=1)
    no_numbers = dataclasses.replace(tokens, numbers=tokens.numbers[:, :0])
    no_codes = dataclasses.replace(tokens, codes=tokens.codes[:, :0])
    categorical, numeric = (
        Fields(categorical=FIELDS.categorical, numeric=()),
        Fields(categorical=(), numeric=FIELDS.numeric),
    )
    for some, fields in ((no_numbers, categorical), (no_codes, numeric)):
        assert math.isfinite(train_autoencoder(some, fields, windows, later, plan).later_nats[0])


def test_a_saved_model_comes_back_the_same(model, tmp_path):
    save_autoencoder(model, FIELDS, tmp_path)
    loaded, fields = load_autoencoder(tmp_path)
    assert fields == FIELDS
    np.testing.assert_array_equal(cells(loaded, one_event())[0], cells(model, one_event())[0])


def test_weights_that_do_not_fit_the_fields_are_refused_by_name(model, tmp_path):
    save_autoencoder(model, FIELDS, tmp_path)
    Fields(categorical=FIELDS.categorical, numeric=FIELDS.numeric[:1]).save(tmp_path / "fields.json")
    with pytest.raises(InputError, match=r"encoder\.weight_ih_l0"):
        load_autoencoder(tmp_path)


@pytest.mark.parametrize("damage", [None, b"", b"\x80\x04pickle", b"\x10\x00\x00\x00\x00\x00\x00\x00{}"])
def test_damaged_weights_are_a_clear_error(model, tmp_path, damage):
    save_autoencoder(model, FIELDS, tmp_path)
    weights = tmp_path / "autoencoder.safetensors"
    weights.unlink()
    if damage is not None:
        weights.write_bytes(damage)
    with pytest.raises(InputError, match="cannot read the autoencoder's weights"):
        load_autoencoder(tmp_path)
