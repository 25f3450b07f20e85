import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.models.reference import Distribution, Ordinary, Reference

levels = st.lists(st.floats(-10, 1e6), min_size=1, max_size=400)


@settings(max_examples=50, deadline=None)
@given(levels, st.lists(st.floats(-100, 1e8), min_size=2, max_size=50))
@example([0.0, 0.0, 65745.0, 210585.375], [0.0, -8.417292157716661e-50])
def test_a_percentile_never_falls_as_surprise_grows(held_out, asked):
    percentile = Distribution.of(np.array(held_out), 0).percentile(np.sort(asked))
    assert (np.diff(percentile) >= 0).all()
    assert (percentile >= 0).all() and (percentile <= 1).all()


def test_a_percentile_is_the_share_of_held_out_user_days_below():
    held_out = -np.log1p(-(np.arange(5000) + 0.5) / 5000)
    percentile = Distribution.of(held_out, 0).percentile(np.array([-1e9, *held_out[[500, 2500, 4500, 4900, 4999]]]))
    np.testing.assert_allclose(percentile, [0, 0.1, 0.5, 0.9, 0.98, 1], atol=1e-3)


def test_beyond_the_held_out_user_days_rarer_levels_have_higher_percentiles():
    percentile = Distribution.of(np.random.default_rng(0).normal(8, 2, 3000), 0).percentile(np.linspace(16, 30, 8))
    assert (np.diff(percentile) > 0).all() and percentile[0] > 0.9996


@pytest.mark.parametrize("shape", [0.0, 0.2, 0.4])
def test_a_tail_is_as_heavy_as_what_was_drawn_and_tells_how_rare_unseen_levels_are(shape):
    random = np.random.default_rng(3)
    chance = random.random(40_000)
    drawn = -np.log(chance) if shape == 0 else (chance**-shape - 1) / shape
    found = Distribution.of(drawn, 0)
    assert found.tail_shape == pytest.approx(shape, abs=0.08)
    rare = np.array([1e-3, 1e-4, 1e-5])  # the last is rarer than anything drawn
    level = -np.log(rare) if shape == 0 else (rare**-shape - 1) / shape
    said = 1 - found.percentile(level)
    assert (said / rare > 0.4).all() and (said / rare < 2.5).all()


def test_an_account_with_a_short_history_reaches_the_top_as_easily_as_any_other():
    random = np.random.default_rng(4)
    history = np.concatenate([np.zeros(300, int), np.full(30_000, 100)])
    level = np.where(history == 0, 20.0, 5.0) + random.exponential(size=len(history))
    newcomer, regular = Reference.of(level, history).percentile(np.array([32.0, 17.0]), np.array([0, 100]))
    assert 1 - newcomer == pytest.approx(1 - regular, rel=2) and newcomer > 1 - 3e-5


def test_equal_held_out_levels_are_fine():
    percentile = Distribution.of(np.ones(500), 0).percentile(np.array([0.0, 1.0, 2.0]))
    assert percentile[0] == 0 and 0.99 < percentile[1] < percentile[2] <= 1


def test_users_are_judged_against_users_with_as_much_history():
    history = np.repeat([0, 20], 1000)
    level = np.concatenate([np.linspace(10, 20, 1000), np.linspace(0, 10, 1000)])
    percentile = Reference.of(level, history).percentile(np.array([10.0, 10.0]), np.array([0, 63]))
    assert percentile[0] < 0.01 and percentile[1] > 0.99


def test_a_rare_amount_of_history_is_judged_against_everybody():
    history = np.concatenate([np.zeros(1000, int), np.full(199, 30)])
    level = np.concatenate([np.linspace(0, 10, 1000), np.full(199, 50.0)])
    reference = Reference.of(level, history)
    assert [d.least_history for d in reference.bins] == [0]
    assert reference.percentile(np.array([50.0]), np.array([30]))[0] > 0.9


def ordinary_days(n=3000):
    random = np.random.default_rng(0)
    level, history = random.normal(size=n), random.integers(0, 100, n)
    return level, random.poisson(0.4, n).astype(float), history


def test_what_is_ordinary_comes_back_from_disk_as_it_was(tmp_path):
    ordinary = Ordinary.of(*ordinary_days())
    ordinary.save(tmp_path / "ordinary.json")
    assert Ordinary.load(tmp_path / "ordinary.json") == ordinary


def test_of_ordinary_user_days_each_share_has_such_a_percentile_whatever_their_history():
    level, novelty, history = ordinary_days(150_000)
    percentile = Ordinary.of(*ordinary_days(60_000)).percentile(level, novelty, history)
    for chosen in (history < 16, history >= 64):
        for share in (0.1, 0.01, 0.002):
            assert (percentile[chosen] > 1 - share).mean() == pytest.approx(share, rel=0.35)


def test_a_user_day_that_is_odd_in_both_ways_is_stranger_than_one_that_is_odd_in_one():
    ordinary = Ordinary.of(*ordinary_days())
    level, novelty = np.array([3.0, 3.0, 0.0, 0.0]), np.array([3.0, 0.0, 3.0, 0.0])
    both, *one, none = ordinary.percentile(level, novelty, np.full(4, 50))
    assert both > max(one) and min(one) > none


@pytest.mark.parametrize("text", [None, "{}", '{"sequence": [], "novelty": null}'])
def test_what_is_no_reference_is_a_clear_error(tmp_path, text):
    if text is not None:
        (tmp_path / "ordinary.json").write_text(text)
    with pytest.raises(InputError, match=r"cannot read .*/ordinary\.json"):
        Ordinary.load(tmp_path / "ordinary.json")


def test_no_held_out_user_days_are_a_clear_error():
    with pytest.raises(InputError, match="no held-out user-days"):
        Reference.of(np.zeros(0), np.zeros(0, np.int64))
