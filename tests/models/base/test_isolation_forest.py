import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_streams import patternless
from sklearn.ensemble import IsolationForest

from pipeline.errors import InputError
from pipeline.models.base.isolation_forest import Forest, average_path, fit, load


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 400), st.integers(1, 6), st.integers(0, 99), st.booleans())
def test_anomaly_is_minus_scikit_learns_score_samples(n, columns, seed, is_coarse):
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, columns)).astype(np.float32)
    if is_coarse:  # values equal to each other and to thresholds
        rows = rows.round()
    grown = IsolationForest(n_estimators=5, max_samples=min(n, 64), random_state=seed).fit(rows)
    asked = np.concatenate([rows, random.normal(0, 9, (50, columns)).astype(np.float32)])
    found = Forest.of(grown).anomaly(asked, grown.max_samples_)
    np.testing.assert_allclose(found, -grown.score_samples(asked), rtol=1e-12)


def test_the_average_path_is_the_papers():
    np.testing.assert_allclose(average_path(np.array([1, 2, 256])), [0, 1, 10.24], atol=0.01)


def test_one_row_far_from_all_others_is_the_strangest():
    samples = patternless([12] * 60)
    odd = np.flatnonzero(~samples.is_bad_account)[17]
    samples.rows[odd, :2] = 5000
    assert np.argmax(fit(samples, samples, 1, 2, False).score(samples)) == odd


def test_what_is_not_known_stands_at_the_median():
    samples = patternless([12] * 60)
    scorer = fit(samples, samples, 1, 2, False)
    unknown, usual = samples.take(np.array([3])), samples.take(np.array([3]))
    unknown.rows[0, 0] = np.nan
    usual.rows[0, 0] = np.nanmedian(samples.rows[~samples.is_bad_account, 0])
    np.testing.assert_array_equal(scorer.score(unknown), scorer.score(usual))


def test_without_features_there_is_a_clear_error():
    samples = patternless([4] * 9)
    samples.rows[:] = np.nan
    with pytest.raises(InputError, match="needs features"):
        fit(samples, samples, 1, 2, False)


def test_trees_that_lead_back_to_themselves_are_refused(tmp_path):
    from safetensors.numpy import load_file, save_file

    samples = patternless([4] * 40)
    fit(samples, samples, 1, 2, False).save(tmp_path)
    arrays = load_file(tmp_path / "forest.safetensors")
    arrays["left"][np.flatnonzero(arrays["left"] > 3)[0]] = 0
    save_file(arrays, tmp_path / "forest.safetensors")
    with pytest.raises(InputError, match="a tree that leads back to itself"):
        load(tmp_path)
