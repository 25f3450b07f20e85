from datetime import timedelta

import numpy as np
from event_streams import FIELDS, FIRST, event, in_memory, write_days

from pipeline.models.nn.batch import read_batch
from pipeline.models.tokens.fields import MISSING
from pipeline.models.tokens.reading import load_tokens
from pipeline.models.tokens.windows import Sequences, user_day_windows


def test_a_batch_is_newest_first_padded_and_without_the_gap_before_its_window(tmp_path):
    rows = [event("a", day, amount=float(day + 1)) for day in range(30)] + [event("b", 29)]
    tokens = load_tokens(in_memory(), write_days(tmp_path, rows), FIELDS)
    last = FIRST + timedelta(29)
    batch = read_batch(Sequences(tokens, FIELDS, user_day_windows(tokens, last, last)))
    assert (batch.lengths.tolist(), batch.own.tolist()) == ([28, 1], [1, 1])
    np.testing.assert_allclose(batch.numbers[0, :, 0], np.log1p(np.arange(30, 2, -1)) - 2, rtol=1e-5)
    assert batch.numbers[0, :, 1].isnan().tolist() == [False] * 27 + [True]
    assert batch.numbers[1, 1:].isnan().all() and (batch.codes[1, 1:] == MISSING).all()
