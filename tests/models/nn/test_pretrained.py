import numpy as np
import pytest
from event_streams import FIELDS
from labelled_streams import patternless

from pipeline.models.nn.encoders import Shape
from pipeline.models.nn.pretrained import PretrainingPlan, pretrain
from pipeline.models.nn.supervised import RiskNetwork
from pipeline.models.nn.training import seeded


@pytest.mark.slow
def test_pretraining_learns_to_redraw_hidden_events():
    best = []
    for loved in (False, True):
        samples = patternless([30] * 60)
        codes = np.random.default_rng(1).integers(2, 5, len(samples.tokens))
        samples.tokens.codes[:, 1] = samples.tokens.user % 3 + 2 if loved else codes
        learn, later = samples.take(samples.windows.user < 45), samples.take(samples.windows.user >= 45)
        with seeded(1):
            model = RiskNetwork(FIELDS, Shape(encoder="transformer", layers=2))
        best.append(min(pretrain(model, PretrainingPlan(epochs=4), learn, later).later))
    assert best[1] < best[0] - 0.7  # of the ln 3 nats that knowing the category saves
