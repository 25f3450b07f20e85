import numpy as np
import pytest
import torch
from event_streams import FIELDS
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_streams import patternless

from pipeline.models.nn.batch import read_batch
from pipeline.models.nn.next_event import NextEventAbout, NextEventNetwork, fit_next_event
from pipeline.models.nn.training import TrainingPlan

SHAPE = NextEventAbout(hidden_size=16)


def streamed(model, window):
    """Nats of each window's events one by one, newest first, as a running service would have them."""
    found = []
    for codes, numbers, length in zip(window.codes, window.numbers, window.lengths.tolist(), strict=True):
        state, nats = model.start(), []
        for position in range(length - 1, -1, -1):
            state, of_event = model.step(state, codes[None, position], numbers[None, position])
            nats.append(of_event.item())
        found.append(nats[::-1])
    return found


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(0, 99))
def test_streaming_one_event_at_a_time_gives_the_nats_of_the_batch(lengths, seed):
    samples = patternless(lengths, seed)
    torch.manual_seed(seed)
    model = NextEventNetwork(FIELDS, SHAPE).eval()
    with torch.inference_mode():
        window = read_batch(samples.sequences)
        together = model(window)
        for i, nats in enumerate(streamed(model, window)):
            np.testing.assert_allclose(together[i, : len(nats)].numpy(), nats, rtol=1e-4, atol=1e-4)


def test_streaming_gives_the_scores_of_the_batch():
    samples = patternless([5, 40, 1, 12], seed=3)
    scorer = fit_next_event(TrainingPlan(epochs=2), SHAPE, samples, samples)
    with torch.inference_mode():
        window = read_batch(samples.sequences)
        of_day = [nats[:n] for nats, n in zip(streamed(scorer.model, window), window.own.tolist(), strict=True)]
    level = [np.log(np.mean(np.exp(nats))) for nats in of_day]
    np.testing.assert_allclose(scorer.score(samples), level, atol=1e-3)


def test_an_events_nats_do_not_depend_on_what_comes_after_it():
    samples = patternless([12])
    one = samples.take(np.array([-1]))
    model = NextEventNetwork(FIELDS, SHAPE).eval()
    with torch.inference_mode():
        window = read_batch(one.sequences)
        before = model(window)
        window.codes[:, 0], window.numbers[:, 0] = 1, 9.0
        after = model(window)
    torch.testing.assert_close(before[:, 1:], after[:, 1:])
    assert after[0, 0] != before[0, 0]


def test_an_alternation_is_expected_and_a_break_in_it_is_not():
    samples = patternless([20] * 40)
    samples.tokens.codes[:] = (np.arange(len(samples.tokens)) % 2 + 2)[:, None]
    samples.tokens.numbers[:] = 0.0
    scorer = fit_next_event(TrainingPlan(epochs=10, batch_events=256), SHAPE, samples, samples)
    last = samples.take(np.flatnonzero(samples.windows.user == 39)[-1:])
    before = scorer.score(last)[0]
    last.tokens.codes[last.windows.end[0] - 1] = 2 if last.tokens.codes[last.windows.end[0] - 1, 0] == 3 else 3
    assert scorer.score(last)[0] > before + 2
    assert before == pytest.approx(scorer.about.later_nats[-1], abs=1)
