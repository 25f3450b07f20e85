"""Supervised base models tell apart what counts cannot: order and timing."""

import numpy as np
import pytest
from labelled_streams import by_nothing, by_order, by_timing, cut
from sklearn.metrics import roc_auc_score

from pipeline.models.base.catalogue import BASE_MODELS

pytestmark = pytest.mark.slow

SUPERVISED = [name for name, learner in BASE_MODELS.items() if learner.kind == "supervised"]


def auc_on_last_days(name, samples):
    learn, stop, holdout = cut(samples)
    return roc_auc_score(holdout.is_bad, BASE_MODELS[name].fit(learn, stop, 7, 2, False).score(holdout))


@pytest.mark.parametrize("stream", [by_order, by_timing])
def test_counts_and_sums_say_nothing_about_these_streams(stream):
    samples = stream(2000)
    shape = (len(samples), -1, 2)
    for values in (samples.tokens.codes.reshape(shape), np.nan_to_num(samples.tokens.numbers.reshape(shape))):
        for count in (values.astype(float).sum(axis=1), values.astype(float).max(axis=1)):
            for column in count.T:
                assert roc_auc_score(samples.is_bad, column) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("name", SUPERVISED)
def test_bad_user_days_that_differ_in_order_alone_are_told_apart(name):
    assert auc_on_last_days(name, by_order()) > 0.95


@pytest.mark.parametrize("name", SUPERVISED)
def test_bad_user_days_that_differ_in_timing_alone_are_told_apart(name):
    assert auc_on_last_days(name, by_timing()) > 0.9


@pytest.mark.parametrize("name", SUPERVISED)
def test_labels_drawn_by_lot_teach_nothing(name):
    assert auc_on_last_days(name, by_nothing(800)) == pytest.approx(0.5, abs=0.15)  # three standard errors
