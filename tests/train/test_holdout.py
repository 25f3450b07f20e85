"""Holdout metrics: under the budget, for the accounts each one stands for, between baselines and an upper bound."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics.list_metrics import list_metrics
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.models.calibration import Calibration
from pipeline.models.days import EPOCH
from pipeline.models.labels import SCHEMA
from pipeline.models.samples import Samples
from pipeline.models.tokens.windows import Tokens, Windows
from pipeline.train.fitting import _over_surprise
from pipeline.train.holdout import Holdout, labels_of, measure_holdout, typologies_of
from pipeline.train.splits import blocks_of
from pipeline.train.stacking import StackingPlan, fit_stack

NOTHING = np.zeros(0, np.int64)
PLAN = StackingPlan(reviews=3, seed=1, threads=1, monotone={})
AS_IS = Calibration(kind="none", score_odds=(-16.2, 16.2), risk_odds=(-16.2, 16.2))


def samples_of(user, day, is_bad, rows=None, columns=("x",)):
    """User-days without events: metrics read none."""
    user, day, is_bad = np.array(user, np.int32), np.array(day, np.int32), np.array(is_bad, bool)
    users = pa.array([f"u{n}" for n in range(int(user.max(initial=-1)) + 1)], pa.string())
    tokens = Tokens(users, user[:0], NOTHING, np.zeros((0, 1), np.uint8), np.zeros((0, 1), np.float32))
    at = np.zeros(len(user), np.int64)
    rows = np.zeros((len(user), len(columns)), np.float32) if rows is None else np.asarray(rows, np.float32)
    is_bad_account = np.isin(user, user[is_bad])
    windows = Windows(user, day, at, at, at, at)
    return Samples(tokens, None, windows, columns, rows, is_bad, is_bad_account, np.ones(len(user)))


def labels(samples, share=1.0):
    return labels_of(sampled(samples, share), np.full(len(samples), None, object))


def caught(samples, score, reviews, share=1.0):
    return labels(samples, share).catch(score, reviews).caught.tolist()


def sampled(samples, share):
    found = replace(samples, share=share)
    return replace(found, weight=found.stands_for)


@st.composite
def days_of_accounts(draw):
    """(user, day, is_bad, score): an account has one user-day a day."""
    places = draw(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), min_size=1, max_size=24, unique=True))
    n = len(places)
    user, day = np.array(places, np.int32).T
    is_bad = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    return user, day, is_bad, np.array(draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), float)


@settings(deadline=None)
@given(days_of_accounts(), st.integers(1, 4))
def test_where_every_account_was_read_those_are_caught_that_are_reviewed_on_a_bad_day(found, reviews):
    user, day, is_bad, score = found
    accounts, account = np.unique(user, return_inverse=True)
    is_reviewed = ScoredLabels.of(user, day, is_bad).queue(score).reviewed(reviews)
    named = account[is_reviewed & is_bad]
    assert caught(samples_of(user, day, is_bad), score, reviews) == np.isin(np.arange(len(accounts)), named).tolist()


def test_who_stands_for_others_takes_their_reviews_too():
    samples = samples_of([0, 1, 2, 3], [0, 0, 0, 0], [False, True, False, True])
    score = np.array([0.9, 0.8, 0.7, 0.6])
    assert caught(samples, score, 3) == [False, True, False, False]
    assert caught(samples, score, 3, 1 / 3) == [False] * 4
    assert caught(samples, score, 4, 1 / 3) == [False, True, False, False]
    assert caught(samples, score, 8, 1 / 3) == [False, True, False, True]


def test_average_precision_counts_those_who_were_left_out():
    samples = samples_of([0, 1, 2], [0, 0, 0], [False, True, False])
    score = np.array([0.9, 0.8, 0.7])
    assert labels(samples).average_precision(score) == pytest.approx(1 / 2)
    assert labels(samples, 1 / 4).average_precision(score) == pytest.approx(1 / 5)


def test_a_kind_of_abuse_belongs_to_the_day_it_happened_on():
    samples = samples_of([0, 0, 1, 1], [5, 6, 5, 6], [True, False, True, True])
    known = [("u0", 5, "takeover"), ("u1", 6, None), ("u1", 5, "bots"), ("gone", 5, "bots")]
    bad = pa.Table.from_pylist(
        [
            {"user_id": user, "event_day": EPOCH + np.timedelta64(day, "D").item(), "known_at": None, "typology": kind}
            for user, day, kind in known
        ],
        SCHEMA,
    )
    assert typologies_of(samples, bad).tolist() == ["takeover", None, "bots", None]


@pytest.fixture(scope="module")
def fitted():
    """60 accounts on 12 days: one feature tells the takeovers, nothing tells the sleepers."""
    random = np.random.default_rng(3)
    user, day = np.tile(np.arange(60), 12), np.repeat(np.arange(12), 60)
    takeover, sleeper = random.random(720) < 0.06, random.random(720) < 0.03
    rows = random.normal(size=(720, 3))
    rows[takeover, 1] -= 4
    samples = samples_of(user, day, takeover | sleeper, rows, ("noise", "tells", "never_known"))
    samples.rows[:, 2] = np.nan
    typology = np.where(takeover, "takeover", np.where(sleeper, "sleeper", None)).astype(object)
    stacked = fit_stack(samples, {}, PLAN)
    last = int(day[blocks_of(day) == 3].min())
    return samples, stacked, typology, last


def measured(stacked, samples, base_models, typology, first, surprise=None):
    surprise = np.zeros(len(samples)) if surprise is None else surprise
    return measure_holdout(stacked, Holdout(samples, typology, base_models, surprise, first), PLAN)


def test_the_risk_on_the_holdout_is_measured_by_the_metrics_of_any_list(fitted):
    samples, stacked, typology, last = fitted
    found = measured(stacked, samples, {}, typology, last)
    is_later = samples.windows.day >= last
    later = samples.take(is_later)
    risk = stacked.calibration.new.risk(stacked.scores[is_later])
    expected = list_metrics(ScoredLabels.of(later.windows.user, later.windows.day, later.is_bad), risk, 3)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_a_bundle_stands_between_its_baselines_and_the_upper_bound(fitted):
    samples, stacked, typology, last = fitted
    found = measured(stacked, samples, {}, typology, last)
    for metric in ("average_precision", "precision_at_reviews"):
        assert found["baselines"]["random"][metric] < found[metric] <= found["upper_bound"][metric] <= 1
    assert found["upper_bound"]["average_precision"] == 1
    assert (found["baselines"]["single_feature"]["feature"], found["baselines"]["single_feature"]["which"]) == (
        "tells",
        "least",
    )


def test_surprise_alone_is_a_baseline_too(fitted):
    samples, stacked, typology, last = fitted
    is_later = samples.windows.day >= last
    surprise = np.where(is_later, samples.is_bad, np.nan)
    found = measured(stacked, samples, {}, typology, last, surprise)
    assert found["baselines"]["surprise"]["average_precision"] == 1


def test_the_worst_typology_is_named_first(fitted):
    samples, stacked, typology, last = fitted
    found = measured(stacked, samples, {}, typology, last)
    assert found["worst_typology"] == "sleeper"
    assert [kind["typology"] for kind in found["typologies"]] == ["sleeper", "takeover"]
    recalls = [kind["recall"] for kind in found["typologies"]]
    assert recalls == sorted(recalls)
    assert recalls[0] < recalls[1]


def test_overfitting_is_shown_and_shuffled_labels_end_at_chance(fitted):
    samples, stacked, typology, last = fitted
    found = measured(stacked, samples, {}, typology, last)
    shown = found["overfitting"]
    assert shown["average_precision_learned"] > shown["average_precision_later"] == found_by_early(fitted)
    assert shown["average_precision_labels_shuffled"] < 3 * found["baseline_random"]
    assert shown["user_days"] + found["user_days"] == len(samples)


def found_by_early(fitted):
    samples, stacked, _, last = fitted
    is_later = samples.windows.day >= last
    return round(labels(samples.take(is_later)).average_precision(stacked.scores[is_later]), 4)


def test_where_ordinary_accounts_were_left_out_precision_is_not_flattered(fitted):
    samples, stacked, typology, last = fitted
    all_read, half_read = (measured(stacked, sampled(samples, share), {}, typology, last) for share in (1.0, 0.5))
    assert half_read["average_precision"] < all_read["average_precision"]
    assert half_read["precision_at_reviews"] <= all_read["precision_at_reviews"]
    assert half_read["baseline_random"] < all_read["baseline_random"]


def test_without_anything_bad_nothing_is_claimed(fitted):
    samples, stacked, typology, last = fitted
    fine = replace(samples, is_bad=samples.is_bad & (samples.windows.day < last))
    is_later = samples.windows.day >= last
    assert measured(stacked, fine, {}, typology, last) == {"user_days": int(is_later.sum()), "bad": 0}


def test_surprise_is_beaten_on_the_holdout_and_not_on_the_days_before_it():
    n = 20
    user, day = np.tile(np.arange(n), 2), np.repeat([0, 1], n)
    is_bad = user < 5
    right, wrong = is_bad.astype(float), 1.0 - is_bad
    learned, later = day == 0, day == 1
    holdout = Holdout(
        samples_of(user, day, is_bad),
        np.full(2 * n, None, object),
        {},
        np.where(learned, right, wrong),
        first=1,
    )
    stacked = SimpleNamespace(scores=np.where(later, right, wrong), list_length=5)
    lift = _over_surprise(stacked, holdout, PLAN)
    assert lift.is_better and lift.caught.value == 5 == lift.length
