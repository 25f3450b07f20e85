"""What must hold for every base model, whatever it learns."""

import dataclasses
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_streams import COLUMNS, by_order, cut, patternless

from pipeline.domain import ALWAYS_IN, PACK_MODELS
from pipeline.errors import InputError
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.models.samples import Samples
from pipeline.models.tokens.windows import MAX_EVENTS

pytestmark = pytest.mark.slow

CLOSE = {"rtol": 1e-4, "atol": 2e-4}  # the last bits of a float, and the rounding they may tip
FITTED = {}


def fitted(name: str):
    """The base model after learning from a few windows of 1 to 128 events; learned once."""
    if name not in FITTED:
        FITTED[name] = BASE_MODELS[name].fit(*learning(), 5, 2, False)
    return FITTED[name]


def learning() -> tuple[Samples, Samples]:
    samples = patternless([3, 1, 9, 40, 150, 2, 7, 12, 4, 20] * 2, seed=4)
    few = samples.take(np.arange(0, len(samples), 2))
    days = np.quantile(few.windows.day, 0.7)
    return few.take(few.windows.day <= days), few.take(few.windows.day > days)


@pytest.fixture(params=list(BASE_MODELS))
def name(request):
    return request.param


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_base_model_is_kept_under_its_own_name():
    assert all(name == learner.name for name, learner in BASE_MODELS.items())


def test_a_pack_may_name_every_base_model_but_the_autoencoder_whose_columns_are_the_bundles_own():
    assert set(BASE_MODELS) - set(PACK_MODELS) == {ALWAYS_IN}
    assert list(PACK_MODELS) == [name for name in BASE_MODELS if name in PACK_MODELS]


@settings(max_examples=8, deadline=None)
@given(lengths=st.lists(st.integers(1, 140), min_size=2, max_size=6), seed=st.integers(0, 9))
@pytest.mark.parametrize("name", list(BASE_MODELS))
def test_a_score_does_not_depend_on_batch_mates_padding_or_order(name, lengths, seed):
    samples = patternless(lengths, seed)
    scorer = fitted(name)
    together = scorer.score(samples)
    assert together.shape == (len(samples),) and together.dtype == np.float64 and np.isfinite(together).all()
    some = np.random.default_rng(seed).permutation(len(samples))[:5]
    alone = np.concatenate([scorer.score(samples.take(np.array([i])), threads=1) for i in some])
    np.testing.assert_allclose(alone, together[some], **CLOSE)


@settings(max_examples=8, deadline=None)
@given(length=st.integers(1, 150), position=st.integers(0, 40), seed=st.integers(0, 9))
@pytest.mark.parametrize("name", list(BASE_MODELS))
def test_a_score_does_not_depend_on_events_outside_of_the_window(name, length, position, seed):
    samples = patternless([5, length, 5], seed)
    one = samples.take(np.array([position % len(samples)]))
    is_outside = np.ones(len(samples.tokens), bool)
    is_outside[one.windows.start[0] : one.windows.end[0]] = False
    codes, numbers = samples.tokens.codes.copy(), samples.tokens.numbers.copy()
    codes[is_outside], numbers[is_outside] = 1, 50.0
    tokens = dataclasses.replace(samples.tokens, codes=codes, numbers=numbers)
    assert one.windows.length[0] <= MAX_EVENTS
    np.testing.assert_array_equal(fitted(name).score(one), fitted(name).score(dataclasses.replace(one, tokens=tokens)))


def test_a_score_does_not_depend_on_labels_or_weights(name):
    samples = patternless([4, 30, 8])
    other = dataclasses.replace(
        samples, is_bad=~samples.is_bad, is_bad_account=~samples.is_bad_account, weight=samples.weight * 9
    )
    np.testing.assert_array_equal(fitted(name).score(samples), fitted(name).score(other))


def test_scores_are_equal_on_any_number_of_threads(name):
    samples = patternless([60] * 30)
    np.testing.assert_array_equal(fitted(name).score(samples, 1), fitted(name).score(samples, 3))


def test_no_user_days_have_no_scores(name):
    assert fitted(name).score(patternless([3]).take(np.zeros(0, np.int64))).shape == (0,)


def test_learning_is_repeatable_to_the_byte_on_any_number_of_threads(name, tmp_path):
    fitted(name).save(tmp_path / "two")
    BASE_MODELS[name].fit(*learning(), 5, 1, False).save(tmp_path / "one")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_a_saved_base_model_comes_back_the_same(name, tmp_path):
    samples = patternless([1, 30, 8, 128])
    fitted(name).save(tmp_path / "first")
    loaded = BASE_MODELS[name].load(tmp_path / "first")
    loaded.save(tmp_path / "again")
    assert files_of(tmp_path / "first") == files_of(tmp_path / "again")
    np.testing.assert_array_equal(loaded.score(samples), fitted(name).score(samples))


@pytest.mark.parametrize("damage", [None, b"", b"\x80\x04pickle", b"{}", b"\x10\x00\x00\x00\x00\x00\x00\x00{}", "half"])
def test_each_file_that_is_damaged_is_a_clear_error(name, damage, tmp_path):
    fitted(name).save(tmp_path / "whole")
    for path in sorted((tmp_path / "whole").iterdir()):
        shutil.copytree(tmp_path / "whole", tmp_path / path.name)
        broken = tmp_path / path.name / path.name
        whole = broken.read_bytes()
        broken.unlink()
        if damage is not None:
            broken.write_bytes(whole[: len(whole) // 2] if damage == "half" else damage)
        with pytest.raises(InputError):
            BASE_MODELS[name].load(tmp_path / path.name)


def test_unsupervised_base_models_learn_from_ordinary_accounts_only(tmp_path):
    learn, stop = learning()
    for name, learner in BASE_MODELS.items():
        if learner.kind == "unsupervised":
            learner.fit(learn.take(~learn.is_bad_account), stop.take(~stop.is_bad_account), 5, 2, False).save(tmp_path)
            (tmp_path / name).mkdir()
            fitted(name).save(tmp_path / name)
            assert all((tmp_path / file).read_bytes() == content for file, content in files_of(tmp_path / name).items())


def test_without_a_single_ordinary_user_day_there_is_a_clear_error():
    learn, stop = learning()
    for learner in BASE_MODELS.values():
        if learner.kind == "unsupervised":
            with pytest.raises(InputError, match="no ordinary user-days"):
                learner.fit(learn.take(learn.is_bad_account), stop, 5, 2, False)


@pytest.mark.parametrize("n_bad", [0, 4])
def test_too_few_labels_are_a_clear_error(n_bad):
    learn, stop, _ = cut(by_order(100))
    few = learn.take(np.sort(np.concatenate([np.flatnonzero(~learn.is_bad), np.flatnonzero(learn.is_bad)[:n_bad]])))
    for learner in BASE_MODELS.values():
        if learner.kind == "supervised":
            with pytest.raises(InputError, match=f"at least 5 bad and 5 good .*\n  found {n_bad} bad"):
                learner.fit(few, stop, 5, 2, False)


def test_tabular_base_models_say_which_features_are_gone():
    samples = patternless([3, 4])
    gone = dataclasses.replace(samples, columns=COLUMNS[:1], rows=samples.rows[:, :1])
    for name in ("novelty", "isolation_forest"):
        with pytest.raises(InputError, match="new_device_count"):
            fitted(name).score(gone)
