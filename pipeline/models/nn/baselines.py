"""Baselines for the sequence model: nats per event without looking at sequences."""

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Doubles, Flags, Ints
from pipeline.models.nn.events import KINDS, LOG_SCALE
from pipeline.models.tokens.windows import Sequences, Windows


def marginal_nats(sequences: Sequences, later: Windows, own_weight: bool) -> Doubles:
    """Mean nats per event and field of the own events of `later`, each field by itself, as the autoencoder counts them.

    Frequencies and bell curves come from the own events of `sequences`. With `own_weight` they also come from the
    user's earlier events in the window; the common ones then weigh as much as five of these.
    """
    tokens, fields = sequences.tokens, sequences.fields
    trained, judged = _events(sequences.windows), _events(later)
    row = np.repeat(np.arange(len(later)), later.own)  # of each judged event
    begin, upto = later.start[row], later.history_end[row]
    numbers = tokens.numbers
    if (gap := fields.gap_column) is not None:  # as the autoencoder sees it: missing for a window's first event
        numbers = numbers.copy()
        numbers[later.start[later.history == 0], gap] = np.nan
    kinds = np.where(np.isnan(numbers), 0, np.where(np.isneginf(numbers), 1, 2))
    common = 5.0 if own_weight else np.inf

    def chance(codes: NDArray[np.integer], size: int) -> Doubles:
        share: Doubles = (np.bincount(codes[trained], minlength=size) + 1) / (len(trained) + size)
        result: Doubles = share[codes[judged]]
        if not own_weight:
            return result
        for code in range(size):
            so_far = np.concatenate([[0], np.cumsum(codes == code)])
            here = codes[judged] == code
            own = (so_far[upto] - so_far[begin])[here]
            result[here] = (own + common * share[code]) / ((upto - begin)[here] + common)
        return result

    nats = [-np.log(chance(tokens.codes[:, i], field.size)).mean() for i, field in enumerate(fields.categorical)]
    for i, _ in enumerate(fields.numeric):
        there = kinds[:, i] == 2
        value = np.where(there, numbers[:, i], 0.0).astype(np.float64)
        n, mean, square = _moments(value[trained], there[trained])
        if own_weight:
            count, total, squares = (np.concatenate([[0.0], np.cumsum(x)]) for x in (there, value, value**2))
            own = [x[upto] - x[begin] for x in (count, total, squares)]
            n = own[0] + common
            mean, square = (own[1] + common * mean) / n, (own[2] + common * square) / n
        scale = np.sqrt(np.maximum(square - mean**2, 0)).clip(*np.exp(LOG_SCALE))
        density = 0.5 * ((value[judged] - mean) / scale) ** 2 + np.log(scale) + 0.5 * np.log(2 * np.pi)
        nats.append((np.where(there[judged], density, 0) - np.log(chance(kinds[:, i], KINDS))).mean())
    return np.array(nats)


def _events(windows: Windows) -> Ints:
    """Places of the user-days' own events."""
    count = windows.own
    places: Ints = np.repeat(windows.today - (np.cumsum(count) - count), count) + np.arange(count.sum())
    return places


def _moments(value: Doubles, there: Flags) -> tuple[Doubles, Doubles, Doubles]:
    n = np.maximum(there.sum(), 1).astype(np.float64)
    return n, value.sum() / n, (value**2).sum() / n
