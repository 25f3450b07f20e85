import numpy as np
import pytest
import torch
from event_streams import FIELDS
from labelled_streams import patternless

from pipeline.models.nn.batch import read_batch
from pipeline.models.nn.next_event import NextEventAbout, NextEventNetwork, fit_next_event
from pipeline.models.nn.training import TrainingPlan

SHAPE = NextEventAbout(hidden_size=16)


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
