from datetime import timedelta

import numpy as np
import pytest
from event_streams import FIELDS, FIRST, event, in_memory, ordinary_shop, write_days

from pipeline.models.nn.autoencoder import AutoencoderPlan, train_autoencoder
from pipeline.models.nn.baselines import marginal_nats
from pipeline.models.tokens.reading import load_tokens
from pipeline.models.tokens.windows import Sequences, user_day_windows

pytestmark = pytest.mark.slow


def test_the_baseline_of_one_field_is_the_entropy_of_its_training_frequencies(tmp_path):
    rows = [event(f"u{i}", day, i, event_type="purchase" if i < 25 else "browse") for i in range(100) for day in (0, 1)]
    tokens = load_tokens(in_memory(), write_days(tmp_path, rows), FIELDS)
    first, second = (user_day_windows(tokens, FIRST + timedelta(d), FIRST + timedelta(d)) for d in (0, 1))
    nats = marginal_nats(Sequences(tokens, FIELDS, first), second, own_weight=False)
    assert nats[0] == pytest.approx(-0.25 * np.log(0.25) - 0.75 * np.log(0.75), abs=0.02)


def test_the_autoencoder_beats_both_baselines_on_later_days(tmp_path):
    tokens = load_tokens(in_memory(), write_days(tmp_path, ordinary_shop()), FIELDS)
    windows = user_day_windows(tokens, FIRST, FIRST + timedelta(14))
    later = user_day_windows(tokens, FIRST + timedelta(15), FIRST + timedelta(19))
    learn = Sequences(tokens, FIELDS, windows)
    everybody, own = (marginal_nats(learn, later, own_weight=w).sum() for w in (False, True))
    plan = AutoencoderPlan(epochs=20, batch_events=256)
    trained = train_autoencoder(learn, Sequences(tokens, FIELDS, later), plan)
    assert min(trained.later_nats) < own < everybody
