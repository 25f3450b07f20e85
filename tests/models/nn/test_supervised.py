import dataclasses

import numpy as np
import pytest
import torch
from event_streams import FIELDS
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_streams import by_order, cut, patternless

from pipeline.models.nn.batch import WindowBatch, read_batch
from pipeline.models.nn.encoders import Shape
from pipeline.models.nn.sampling import Sampling, weight_of_bad
from pipeline.models.nn.supervised import RiskNetwork, Supervised, SupervisedPlan
from pipeline.models.nn.training import seeded

pytestmark = pytest.mark.slow

ENCODERS = {
    "lstm": Shape(encoder="lstm"),
    "gru": Shape(encoder="gru", layers=2),
    "rnn": Shape(encoder="rnn"),
    "cnn": Shape(encoder="cnn", layers=3),
    "transformer": Shape(encoder="transformer", layers=2),
}


def network(name: str) -> RiskNetwork:
    with seeded(3):
        return RiskNetwork(FIELDS, ENCODERS[name]).eval()


def window_of(samples) -> WindowBatch:
    return read_batch(samples.sequences)


@settings(max_examples=8, deadline=None)
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4), padding=st.integers(1, 9), seed=st.integers(0, 9))
@pytest.mark.parametrize("name", list(ENCODERS))
def test_a_logit_does_not_depend_on_padding_or_what_stands_in_it(name, lengths, padding, seed):
    window = window_of(patternless(lengths, seed))
    codes = torch.nn.functional.pad(window.codes, (0, 0, 0, padding), value=3)
    numbers = torch.nn.functional.pad(window.numbers, (0, 0, 0, padding), value=1e30)
    loud = window._replace(codes=codes, numbers=numbers)
    loud = loud._replace(
        codes=codes.masked_fill(~loud.is_event[:, :, None], 3),
        numbers=numbers.masked_fill(~loud.is_event[:, :, None], 1e30),
    )
    with torch.inference_mode():
        torch.testing.assert_close(network(name)(loud), network(name)(window), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", list(ENCODERS))
def test_every_event_of_a_short_window_can_be_seen(name):
    one = patternless([9])
    one = one.take(np.array([-1]))
    window = window_of(one)
    window.numbers.nan_to_num_(0.5, neginf=0.5).requires_grad_()
    network(name)(window).sum().backward()
    assert (window.numbers.grad.abs().sum(dim=2) > 0).all()


@pytest.mark.parametrize("name", list(ENCODERS))
def test_which_events_are_of_the_judged_day_is_explained(name):
    window = window_of(patternless([9]).take(np.array([-1])))
    with torch.inference_mode():
        other = network(name)(window._replace(own=window.lengths))
        assert other.item() != network(name)(window).item()


@pytest.mark.parametrize("name", list(ENCODERS))
def test_a_network_makes_everything_on_the_device_of_its_window(name):
    with torch.device("meta"):
        elsewhere = RiskNetwork(FIELDS, ENCODERS[name], dropout=0.1)
    window = WindowBatch(*(tensor.to("meta") for tensor in window_of(patternless([5, 3]))))
    assert elsewhere(window).device.type == "meta"


def test_dropout_depends_on_its_generator_alone():
    window, model = window_of(patternless([9, 4])), RiskNetwork(FIELDS, ENCODERS["gru"], dropout=0.5)
    first, again, other = (model(window, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_bad_user_days_weigh_between_as_they_come_and_as_much_as_all_others():
    samples = patternless([1] * 400, bad_share=0.04)
    bad, good = samples.is_bad.sum(), (~samples.is_bad).sum()
    weights = {c: weight_of_bad(samples, c) for c in ("none", "sqrt", "balanced")}
    assert weights["none"] == 1 and weights["balanced"] == pytest.approx(good / bad)
    assert weights["sqrt"] == pytest.approx((good / bad) ** 0.5)


@given(st.integers(1, 50), st.integers(1, 300), st.integers(2, 120), st.floats(1, 30))
def test_an_epoch_stands_for_all_user_days(n_bad, n_good, at_most, bad_weight):
    samples = patternless([1] * (n_bad + n_good))
    is_bad = np.arange(n_bad + n_good) < n_bad
    sampling = Sampling.of(dataclasses.replace(samples, is_bad=is_bad), bad_weight, at_most)
    rows = sampling.choose(np.random.default_rng(0))
    assert len(np.unique(rows)) == len(rows) <= at_most
    weight = sampling.loss_weight[rows]
    share = n_bad * bad_weight / (n_bad * bad_weight + n_good)
    assert weight.sum() == pytest.approx(len(rows))
    assert weight[is_bad[rows]].sum() / weight.sum() == pytest.approx(share)


def test_scores_are_log_odds_whatever_the_class_weight():
    learn, stop, holdout = cut(by_order(600))
    chances = []
    for how in ("none", "balanced"):
        scorer = Supervised(ENCODERS["gru"], SupervisedPlan(class_weight=how)).fit(learn, stop, 7, 2, False)
        chances.append(1 / (1 + np.exp(-scorer.score(holdout))))
    assert all(chance.mean() == pytest.approx(holdout.is_bad.mean(), abs=0.1) for chance in chances)


def test_user_days_of_weight_zero_have_no_label(tmp_path):
    learn, stop, _ = cut(by_order(200))
    without = learn.take(np.arange(60))
    with_zeros = dataclasses.replace(learn, weight=np.where(np.arange(len(learn)) < 60, 1.0, 0.0))
    plan = SupervisedPlan(epochs=2)
    for name, samples in (("left out", without), ("weightless", with_zeros)):
        Supervised(ENCODERS["gru"], plan).fit(samples, stop, 7, 2, False).save(tmp_path / name)
    files = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("left out", "weightless")]
    assert files[0] == files[1]


def test_a_few_bad_later_days_are_enough_to_go_on_and_none_trains_to_the_end():
    learn, stop, holdout = cut(by_order(300))
    plan = SupervisedPlan(epochs=4)
    quiet = Supervised(ENCODERS["gru"], plan).fit(learn, stop.take(~stop.is_bad), 7, 2, False)
    assert quiet.about.later_loss == [] and quiet.about.best_epoch == 3
    assert np.isfinite(Supervised(ENCODERS["gru"], plan).fit(learn, holdout, 7, 2, False).about.later_loss).all()
