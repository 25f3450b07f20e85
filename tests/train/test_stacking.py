"""The stacker reads a base model only if it helps on later days, and its risks are calibrated."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from user_days import FIRST_DAY, user_days

from pipeline.metrics.bootstrap import Difference
from pipeline.metrics.lift import Lift
from pipeline.models import stacker
from pipeline.models.calibration import log_odds
from pipeline.models.samples import NEVER, LabelledDays
from pipeline.train import stacking
from pipeline.train.clocks import LabelClock
from pipeline.train.known_labels import as_known
from pipeline.train.splits import blocks_of
from pipeline.train.stacking import (
    AUTOENCODER,
    FEW,
    MAX_ROWS,
    Gate,
    NewFeatures,
    StackingPlan,
    fit_booster,
    fit_stack,
    lift,
    lift_of_stackers,
    walk_forward_scores,
)

pytestmark = pytest.mark.slow

PLAN = StackingPlan(reviews=20, seed=7, threads=2, monotone={})
N = 200 * 20


@pytest.fixture(scope="module")
def drawn():
    """A weak feature, a column that says nothing, and the truth behind both."""
    random = np.random.default_rng(4)
    strength = random.normal(size=N)
    is_bad = random.random(N) < 1 / (1 + np.exp(3.5 - 2 * strength))
    rows = np.column_stack([strength + random.normal(scale=2, size=N), random.normal(size=N)])
    return user_days(rows, is_bad), strength


def test_days_are_cut_into_blocks_in_order_and_no_day_is_in_two():
    day = np.repeat(np.arange(11), 3)
    block = blocks_of(day)
    assert np.all(np.diff(block) >= 0)
    assert sorted(set(block)) == [0, 1, 2, 3]
    assert all(len(set(block[day == d])) == 1 for d in range(11))
    assert blocks_of(np.array([5, 5, 6])).tolist() == [0, 0, 1]
    assert blocks_of(np.arange(12), since=4).tolist() == [0] * 6 + [1, 1, 2, 2, 3, 3]


def test_no_block_is_scored_by_what_was_learned_from_it_or_later(drawn):
    seen, _ = drawn
    block = blocks_of(seen.windows.day)
    table = {name: seen.rows[:, i] for i, name in enumerate(seen.columns)}
    score = walk_forward_scores(seen, table, PLAN, block).scores
    assert np.isnan(score[block == 0]).all()
    later = seen.windows.day >= seen.windows.day[block == 2].min()
    changed = type(seen)(**{**vars(seen), "is_bad": np.where(later, ~seen.is_bad, seen.is_bad)})
    again = walk_forward_scores(changed, table, PLAN, block).scores
    assert np.array_equal(again[block <= 2], score[block <= 2], equal_nan=True)
    assert not np.array_equal(again[block == 3], score[block == 3])


def test_scores_of_boosters_that_learned_from_more_labels_are_set_beside_each_other():
    """From the middle on three times as many bad days have a label: all scores rise, what is bad does not."""
    random, users, days = np.random.default_rng(8), 400, 40
    strength = random.normal(size=users * days)
    is_bad = random.random(users * days) < 1 / (1 + np.exp(4 - 1.5 * strength))
    day = np.repeat(np.arange(days), users)
    seen = user_days(strength[:, None], is_bad & (random.random(len(day)) < np.where(day < 20, 0.3, 0.9)), users, days)
    block = blocks_of(seen.windows.day)
    found = walk_forward_scores(seen, seen.features(), PLAN, block)
    assert found.prior[block == 3].max() > found.prior[block == 1].max() + 0.3
    first, last = (np.isin(block, b) & (strength > 1) for b in (1, 3))
    at = found.at(0.0)
    apart, left = (np.log(s[last].mean() / s[first].mean()) for s in (found.scores, at))
    assert apart > 0.3 and abs(left) < apart / 2
    np.testing.assert_allclose(np.argsort(at[block == 2]), np.argsort(found.scores[block == 2]))


def test_a_base_model_that_adds_something_is_read_and_one_that_adds_nothing_is_not(drawn):
    seen, strength = drawn
    noise = np.random.default_rng(9).normal(size=N)
    stacked = fit_stack(seen, {"clever": {"score_clever": strength}, "blind": {"score_blind": noise}}, PLAN)
    gates = {gate.base_model: gate for gate in stacked.gates}
    assert gates["clever"].is_on
    assert gates["clever"].lift.caught.low > 0
    assert not gates["blind"].is_on
    assert stacked.columns == ["column_0", "column_1", "score_clever"]
    loaded_scores = gates["blind"].to_dict()
    assert loaded_scores["caught"]["low"] <= 0
    assert loaded_scores["why"] == "no proven lift"


def test_a_base_model_is_judged_and_calibrated_on_the_days_that_it_scored_by_looking_back(drawn):
    seen, strength = drawn
    day = seen.windows.day
    middle = int(day[blocks_of(day) == 2].min())
    cheating = np.where(day < middle, seen.is_bad.astype(float), 0.0)
    base_models = {"cheat": {"score_cheat": cheating}, "clever": {"score_clever": strength}}
    alone, both = (
        fit_stack(seen, base_models, PLAN, judged_from=judged)
        for judged in ({"cheat": middle}, {"cheat": middle, "clever": middle})
    )
    assert [gate.is_on for gate in alone.gates] == [False, True], "where it looks ahead it is not judged"
    assert np.isfinite(alone.scores).tolist() == (alone.block > 0).tolist()
    assert np.isfinite(both.scores).tolist() == (day >= middle).tolist()


def test_of_few_bad_accounts_the_autoencoder_is_read_without_a_lift_and_no_other_base_model_is(drawn, monkeypatch):
    seen, _ = drawn
    says_nothing = {"score_blind": np.random.default_rng(9).normal(size=N)}
    later = seen.is_bad & (blocks_of(seen.windows.day) > 0)
    bad = len(np.unique(seen.windows.user[later]))

    def gates(few):
        monkeypatch.setattr(stacking, "FEW", few)
        return fit_stack(seen, {AUTOENCODER: says_nothing, "blind": says_nothing}, PLAN).gates

    mine, other = gates(bad)
    assert mine.bad_accounts == bad < len(np.unique(seen.windows.user[seen.is_bad]))
    assert mine.is_on and not mine.lift.is_better and not other.is_on
    assert mine.to_dict()["rule"] == "on unless worse" and "needs no labels" in mine.to_dict()["why"]
    assert other.to_dict()["rule"] == "on if better" and other.to_dict()["why"] == "no proven lift"
    assert [gate.is_on for gate in gates(bad - 1)] == [False, False]


@pytest.mark.parametrize("bad_accounts", [FEW, FEW + 1])
def test_a_base_model_that_is_worse_is_never_read(bad_accounts):
    worse, equal, better = Difference(-3, -5, -1), Difference(0, -1, 1), Difference(3, 1, 5)
    assert Gate(AUTOENCODER, bad_accounts, Lift(20, equal, equal)).is_on == (bad_accounts == FEW)
    for found in (Lift(20, worse, equal), Lift(20, equal, worse), Lift(20, better, worse), Lift(20, worse, better)):
        gate = Gate(AUTOENCODER, bad_accounts, found)
        assert not gate.is_on and gate.why == "worse"


def test_a_base_model_is_read_for_either_of_two_sure_lifts():
    equal, better = Difference(0, -1, 1), Difference(3, 1, 5)
    gates = [Gate("gru", 200, Lift(20, *found)) for found in ((better, equal), (equal, better), (equal, equal))]
    assert [(gate.is_on, gate.why) for gate in gates] == [
        (True, "catches more"),
        (True, "ranks better, and catches no less"),
        (False, "no proven lift"),
    ]


def test_new_features_are_read_unless_worse():
    worse, equal = Difference(-3, -5, -1), Difference(0, -1, 1)
    assert NewFeatures(("x",), Lift(20, equal, equal)).is_on
    assert not NewFeatures(("x",), Lift(20, equal, worse)).is_on


@pytest.fixture
def few_trees(monkeypatch):
    monkeypatch.setattr(stacker, "ROUNDS", 40)
    monkeypatch.setattr("pipeline.metrics.lift.REPEATS", 50)


@pytest.mark.usefixtures("few_trees")
def test_stackers_are_compared_on_lists_as_long_as_the_longer_of_theirs(drawn):
    seen, strength = drawn
    weak, clever = seen.column("column_0"), 1 / (1 + np.exp(3.5 - 2 * strength))
    weak = 1 / (1 + np.exp(2 - weak))
    asked = {share: replace(PLAN, reviews=100, min_precision=share) for share in (0.0, 0.2, 0.4, 0.99)}
    lengths = {share: lift_of_stackers(seen, clever, weak, plan).length for share, plan in asked.items()}
    assert lengths[0.0] == 100, "no precision is asked for: lists are as long as the budget"
    assert 100 > lengths[0.2] > lengths[0.4] > 1
    assert lengths[0.99] == 100, "neither would list anybody"
    alone = lift_of_stackers(seen, weak, weak, asked[0.2]).length
    assert alone < lengths[0.2] == lift_of_stackers(seen, weak, clever, asked[0.2]).length


@pytest.mark.usefixtures("few_trees")
def test_features_the_champion_does_not_know_are_compared_with_a_fit_without_them(drawn):
    seen, strength = drawn
    rows = np.column_stack([seen.rows, strength])
    wider = user_days(rows, seen.is_bad, columns=("old", "noise", "new"))
    narrow = user_days(seen.rows, seen.is_bad, columns=("old", "noise"))
    stacked = fit_stack(wider, {}, replace(PLAN, new_features=("new", "not in the samples")))
    assert stacked.new_features.names == ("new",)
    assert stacked.new_features.lift.average_precision.is_better and stacked.new_features.is_on
    assert stacked.columns == ["old", "noise", "new"]
    same_recipe = fit_stack(narrow, {}, PLAN)
    by_hand = lift(seen, stacked.scores, same_recipe.scores, PLAN.seed, stacked.new_features.lift.length)
    assert stacked.new_features.lift == by_hand
    assert fit_stack(wider, {}, PLAN).new_features is None


@pytest.mark.usefixtures("few_trees")
def test_new_features_that_are_worse_are_left_out_of_the_stacker(drawn, monkeypatch):
    seen, strength = drawn
    harmful = user_days(np.column_stack([seen.rows, strength]), seen.is_bad, columns=("old", "noise", "new"))
    worse, equal = Difference(-3, -5, -1), Difference(0, -1, 1)
    monkeypatch.setattr(stacking, "lift_of_stackers", lambda *_: Lift(20, worse, equal))
    stacked = fit_stack(harmful, {}, replace(PLAN, new_features=("new",)))
    assert not stacked.new_features.is_on and stacked.columns == ["old", "noise"]
    older = fit_stack(user_days(seen.rows, seen.is_bad, columns=("old", "noise")), {}, PLAN)
    assert np.array_equal(stacked.scores, older.scores, equal_nan=True)
    assert stacked.booster.save_raw("ubj") == older.booster.save_raw("ubj"), "it is the champion's recipe, retrained"
    assert stacked.early.save_raw("ubj") == older.early.save_raw("ubj")
    assert stacked.calibration == older.calibration


@pytest.mark.usefixtures("few_trees")
def test_where_all_features_are_new_there_is_nothing_to_compare_with(drawn):
    seen, _ = drawn
    assert fit_stack(seen, {}, replace(PLAN, new_features=seen.columns)).new_features is None


def test_a_lift_is_of_the_user_days_that_have_both_scores():
    is_bad = np.array([True, False, False, True, False, False])
    seen = user_days(np.zeros((6, 2)), is_bad, n_users=3, n_days=2)
    clever, blind = np.where(is_bad, 1.0, 0.0), np.where(is_bad, 0.0, 1.0)
    clever[0] = np.nan
    found = lift(seen, clever, blind, PLAN.seed, length=1).to_dict()
    both = slice(1, None)
    expected = average_precision_score(is_bad[both], clever[both]) - average_precision_score(is_bad[both], blind[both])
    assert found["average_precision"]["value"] == pytest.approx(expected, abs=1e-5)
    assert lift(seen, np.full(6, np.nan), blind, PLAN.seed, length=1).to_dict()["average_precision"]["value"] is None


def test_the_budget_of_the_gate_is_shared_with_accounts_that_were_not_read(drawn):
    seen, strength = drawn
    one_in_five = replace(seen, share=0.2)
    whole, sampled = (
        fit_stack(samples, {"clever": {"score_clever": strength}}, PLAN).gates[0] for samples in (seen, one_in_five)
    )
    assert (whole.lift.length, sampled.lift.length) == (20, 20)
    assert sampled.lift.average_precision.value != whole.lift.average_precision.value
    assert sampled.lift.caught.value != whole.lift.caught.value


def test_its_risk_on_later_days_adds_up_to_what_was_bad(drawn):
    seen, _ = drawn
    stacked = fit_stack(seen, {}, PLAN)
    later = stacked.block > 0
    risk = stacked.calibration.new.risk(stacked.scores[later])
    assert risk.sum() == pytest.approx(seen.is_bad[later].sum(), rel=0.05)


def test_accounts_known_to_be_bad_are_not_expected_to_be_bad_on_every_day_that_looks_like_it():
    """One account in eight is bad once, known the day after, and looks bad for good: on one day in ten it is."""
    random, users, days = np.random.default_rng(5), 400, 40
    first_bad = np.where(random.random(users) < 0.125, random.integers(0, days, users), days)
    day, user = np.repeat(np.arange(days), users), np.tile(np.arange(users), days)
    is_known = day > first_bad[user]
    is_bad = (day == first_bad[user]) | (is_known & (random.random(len(day)) < 0.1))
    looks = 2.0 * (day >= first_bad[user]) + random.normal(scale=0.7, size=len(day))
    plain = user_days(looks[:, None], is_bad, users, days)
    named = np.flatnonzero(is_bad & (random.random(len(day)) < 0.6) | (day == first_bad[user]))
    known = plain.windows.day[named] + 1
    bad = LabelledDays(
        user[named], plain.windows.day[named], known, np.full(len(named), NEVER), np.full(len(named), "report"), known
    )
    clock = LabelClock((1.0,), reported=0.6)
    seen = as_known(replace(plain, bad=bad.take(np.argsort(bad.key))), FIRST_DAY + days, clock)
    stacked = fit_stack(seen, {}, replace(PLAN, clock=clock))
    later = np.isfinite(stacked.scores) & is_known
    expected = {
        name: getattr(stacked.calibration, name).risk(stacked.scores[later]).sum() / is_bad[later].sum()
        for name in ("known", "new")
    }
    assert expected["known"] == pytest.approx(1, abs=0.25)
    assert expected["new"] > 2


def test_the_early_version_has_not_learned_from_the_last_block(drawn):
    seen, _ = drawn
    stacked = fit_stack(seen, {}, PLAN)
    last = stacked.block == stacked.block.max()
    loaded_scores = stacker.predict(stacked.early, stacked.columns, seen.rows[last])
    apart = log_odds(loaded_scores) - log_odds(stacked.scores[last])
    assert np.allclose(apart, apart[0], atol=1e-4), "but for what it learned of how many are bad"


def test_where_policy_says_so_more_never_lowers_the_risk():
    random = np.random.default_rng(2)
    rows = random.normal(size=(N, 2))
    is_bad = random.random(N) < 1 / (1 + np.exp(2 + 2 * np.sin(3 * rows[:, 0])))  # goes up and down
    seen = user_days(rows, is_bad)
    grid = np.column_stack([np.linspace(-2, 2, 200), np.zeros(200)]).astype(np.float32)

    def along(monotone):
        plan = StackingPlan(reviews=20, seed=7, threads=2, monotone=monotone)
        table = {name: seen.rows[:, i] for i, name in enumerate(seen.columns)}
        return np.diff(stacker.predict(fit_booster(seen, table, plan, np.ones(N, bool)), list(table), grid))

    assert (along({}) < 0).any()
    assert (along({"column_0": 1}) >= 0).all()
    assert (along({"column_0": -1}) <= 0).all()


def test_of_very_many_good_user_days_some_stand_for_all(drawn, monkeypatch):
    seen, _ = drawn
    monkeypatch.setattr(stacking, "MAX_ROWS", 1000)
    rows, weight = stacking._thin_out(seen, np.arange(N), seed=1)
    assert seen.is_bad[rows].sum() == seen.is_bad.sum()
    assert (~seen.is_bad[rows]).sum() == 1000 < MAX_ROWS
    assert weight[~seen.is_bad[rows]].sum() == pytest.approx((~seen.is_bad).sum())
    assert np.array_equal(rows, stacking._thin_out(seen, np.arange(N), seed=1)[0])


def test_equal_inputs_make_equal_bytes(drawn, tmp_path):
    seen, strength = drawn
    for name in ("a", "b"):
        stacked = fit_stack(seen, {"clever": {"score_clever": strength}}, PLAN)
        stacker.save(stacked.booster, tmp_path / f"{name}.ubj")
        stacked.calibration.save(tmp_path / f"{name}.json")
    assert (tmp_path / "a.ubj").read_bytes() == (tmp_path / "b.ubj").read_bytes()
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
