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
    load_autoencoders,
    save_autoencoders,
    train_autoencoder,
)
from pipeline.models.nn.batch import WindowBatch, read_batch
from pipeline.models.tokens.fields import MISSING, UNSEEN, Fields
from pipeline.models.tokens.reading import load_tokens
from pipeline.models.tokens.windows import Sequences, user_day_windows

pytestmark = pytest.mark.slow

PLAN = AutoencoderPlan(epochs=3, batch_events=256, windows_per_epoch=200)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """User-days of an ordinary shop to train on, and later ones."""
    tokens = load_tokens(in_memory(), write_days(tmp_path_factory.mktemp("shop"), ordinary_shop()), FIELDS)
    return days_of(tokens, 0, 14), days_of(tokens, 15, 19)


def days_of(tokens, first=0, last=20) -> Sequences:
    return Sequences(tokens, FIELDS, user_day_windows(tokens, FIRST + timedelta(first), FIRST + timedelta(last)))


@pytest.fixture
def model():
    torch.manual_seed(3)
    return BehaviourAutoencoder(FIELDS.sizes, len(FIELDS.numeric)).eval()


def cells(model, batch: WindowBatch):
    """Surprise per window, event and field, padding cut off."""
    with torch.inference_mode():
        nats = model(batch)[0].numpy()
    return [nats[i, :length] for i, length in enumerate(batch.lengths.tolist())]


def one_event(**changes):
    """A batch of one window of one event: a purchase of books for an ordinary amount, first in its window."""
    one = torch.tensor([1])
    batch = WindowBatch(torch.tensor([[[3, 2]]], dtype=torch.int32), torch.tensor([[[0.5, math.nan]]]), one, one)
    return batch._replace(**changes)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 9))
def test_surprise_does_not_change_with_batch_mates(lengths, seed):
    torch.manual_seed(seed)
    model = BehaviourAutoencoder(FIELDS.sizes, len(FIELDS.numeric)).eval()
    sequences = days_of(random_tokens(lengths, seed))
    together = cells(model, read_batch(sequences))
    for i, nats in enumerate(together):
        alone = cells(model, read_batch(sequences.take(np.array([i]))))[0]
        np.testing.assert_allclose(nats, alone, rtol=1e-5, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 20), st.integers(0, 4), st.sampled_from([np.nan, -np.inf, 0.0, 1e30]))
def test_surprise_does_not_change_with_padding_or_what_stands_in_it(length, padding, code, number):
    torch.manual_seed(0)
    model = BehaviourAutoencoder((5, 5), 2).eval()
    batch = read_batch(days_of(random_tokens([length])).take(np.array([-1])))
    width = (0, 0, 0, padding)
    padded = batch._replace(
        codes=torch.nn.functional.pad(batch.codes, width, value=code),
        numbers=torch.nn.functional.pad(batch.numbers, width, value=number),
    )
    np.testing.assert_allclose(cells(model, padded)[0], cells(model, batch)[0], rtol=1e-5, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.floats(allow_nan=True, allow_infinity=False, width=32))
def test_surprise_is_finite_for_any_number(value):
    torch.manual_seed(0)
    model = BehaviourAutoencoder(FIELDS.sizes, 2).eval()
    number = np.float32(np.clip(value, -1e15, 1e15))  # ln of the largest double is 710: this is far beyond
    batch = one_event(numbers=torch.tensor([[[float(number), -math.inf]]]))
    assert np.isfinite(cells(model, batch)[0]).all()


def test_a_number_costs_more_the_farther_it_lies(model):
    costs = [
        cells(model, one_event(numbers=torch.tensor([[[float(x), math.nan]]])))[0][0, 2] for x in (3, 5, 8, 50, 700)
    ]
    assert costs == sorted(costs)
    assert costs[-1] > 1000


def test_an_unseen_category_and_missing_fields_have_a_cost_like_any_other(model):
    odd = one_event(codes=torch.tensor([[[UNSEEN, MISSING]]]).int(), numbers=torch.full((1, 1, 2), math.nan))
    nats = cells(model, odd)[0][0]
    assert np.isfinite(nats).all() and (nats > 0).all()


def test_surprise_is_minus_log_of_a_chance_that_sums_to_one(model):
    with torch.inference_mode():
        event = one_event()
        redrawn = model.decode(model.encode(event), 1)

        def nats(codes, numbers, redrawn=redrawn):
            return model.surprise(event._replace(codes=codes, numbers=numbers), redrawn)

        costs = [
            nats(torch.full_like(event.codes, code), event.numbers)[0, 0, 0].item() for code in range(FIELDS.sizes[0])
        ]
        line = torch.linspace(-80, 80, 160_001)
        shape = (1, len(line), -1)
        spread = redrawn._replace(**{n: getattr(redrawn, n).expand(*shape) for n in redrawn._fields})
        each = torch.stack([line, line], dim=1)[None]
        density = torch.exp(-nats(event.codes.expand(*shape), each, spread)[0, :, 2]).double()
        missing, zero = (
            math.exp(-nats(event.codes, torch.full_like(event.numbers, x))[0, 0, 2].item())
            for x in (math.nan, -math.inf)
        )
    assert sum(math.exp(-cost) for cost in costs) == pytest.approx(1, abs=1e-5)
    assert density.sum().item() * 0.001 + missing + zero == pytest.approx(1, abs=1e-3)


def test_training_learns_and_is_repeatable_to_the_byte_on_any_number_of_threads(shop, tmp_path):
    learn, later = shop
    for name, threads in (("first", 2), ("again", 2), ("alone", 1)):
        trained = train_autoencoder(learn, later, dataclasses.replace(PLAN, threads=threads))
        save_autoencoders([trained.model], FIELDS, tmp_path / name)
    bytes_of = {
        name: (tmp_path / name / "autoencoder_0.safetensors").read_bytes() for name in ("first", "again", "alone")
    }
    assert bytes_of["first"] == bytes_of["again"] == bytes_of["alone"]
    assert trained.later_nats[-1] < trained.later_nats[0]


def test_another_seed_gives_other_weights(shop):
    learn, later = shop
    plan = dataclasses.replace(PLAN, epochs=1)
    models = [train_autoencoder(learn, later, dataclasses.replace(plan, seed=s)).model for s in (1, 2)]
    assert not torch.equal(models[0].to_code.weight, models[1].to_code.weight)


def test_training_leaves_torch_as_it_was(shop):
    learn, later = shop
    torch.manual_seed(5)
    torch.set_num_threads(2)
    state = torch.random.get_rng_state()
    train_autoencoder(learn, later, dataclasses.replace(PLAN, epochs=1))
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_few_windows_can_be_learned_by_heart(shop):
    learn, _ = shop
    few = learn.take(np.arange(8))
    plan = AutoencoderPlan(epochs=120, patience=200, batch_events=4096, code_noise=0.0, hidden_share=0.0)
    trained = train_autoencoder(few, few, plan)
    assert min(trained.later_nats) < trained.later_nats[0] / 4


def test_training_stops_when_later_days_stop_getting_better():
    noise = days_of(random_tokens([30] * 20))
    plan = AutoencoderPlan(epochs=60, patience=1, batch_events=128)
    trained = train_autoencoder(noise.take(np.arange(10)), noise.take(np.arange(60, 90)), plan)
    assert trained.best_epoch == int(np.argmin(trained.later_nats))
    assert len(trained.later_nats) == trained.best_epoch + 2 < 60


def test_nothing_to_train_on_is_a_clear_error(shop):
    learn, _ = shop
    with pytest.raises(InputError, match="needs user-days to train on and later ones"):
        train_autoencoder(learn, learn.take(np.zeros(0, np.int64)), PLAN)


def test_a_domain_without_categories_or_without_numbers_trains_too(shop):
    learn, later = shop
    plan = dataclasses.replace(PLAN, epochs=1)
    no_numbers = dataclasses.replace(learn.tokens, numbers=learn.tokens.numbers[:, :0])
    no_codes = dataclasses.replace(learn.tokens, codes=learn.tokens.codes[:, :0])
    categorical, numeric = (
        Fields(categorical=FIELDS.categorical, numeric=()),
        Fields(categorical=(), numeric=FIELDS.numeric),
    )
    for some, fields in ((no_numbers, categorical), (no_codes, numeric)):
        bare, bare_later = (dataclasses.replace(each, tokens=some, fields=fields) for each in (learn, later))
        assert math.isfinite(train_autoencoder(bare, bare_later, plan).later_nats[0])


def test_a_saved_model_comes_back_the_same(model, tmp_path):
    save_autoencoders([model], FIELDS, tmp_path)
    (loaded,), fields = load_autoencoders(tmp_path)
    assert fields == FIELDS
    np.testing.assert_array_equal(cells(loaded, one_event())[0], cells(model, one_event())[0])


def test_weights_that_do_not_fit_the_fields_are_refused_by_name(model, tmp_path):
    save_autoencoders([model], FIELDS, tmp_path)
    Fields(categorical=FIELDS.categorical, numeric=FIELDS.numeric[:1]).save(tmp_path / "fields.json")
    with pytest.raises(InputError, match=r"encoder\.weight_ih_l0"):
        load_autoencoders(tmp_path)


@pytest.mark.parametrize("damage", [None, b"", b"\x80\x04pickle", b"\x10\x00\x00\x00\x00\x00\x00\x00{}"])
def test_damaged_weights_are_a_clear_error(model, tmp_path, damage):
    save_autoencoders([model], FIELDS, tmp_path)
    weights = tmp_path / "autoencoder_0.safetensors"
    weights.unlink()
    if damage is not None:
        weights.write_bytes(damage)
    with pytest.raises(InputError, match=r"cannot read .*/autoencoder_0\.safetensors"):
        load_autoencoders(tmp_path)
