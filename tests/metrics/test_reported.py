"""The share of what is bad that is reported, from reviewed accounts: unbiased by what the list picks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics.reported import (
    KNOWS_NOTHING,
    STRENGTH,
    Prior,
    Reviewed,
    by_source,
    by_typology,
    chance_if_confirmed,
    doubted,
    reported_share,
)


def reviewed(random, truth, n=4000, seen=0.2, audited=0.1):
    """Bad accounts of which the reported ones are easier to see: all that are listed, and some of the others."""
    is_reported = random.random(n) < truth
    is_listed = random.random(n) < np.where(is_reported, 2 * seen, seen / 2)
    propensity = np.where(is_listed, 1.0, audited)
    return Reviewed(is_reported, propensity, ~is_listed, np.ones(n)).take(random.random(n) < propensity)


def flags(is_reported, propensity=1.0):
    is_reported = np.array(is_reported, np.bool_)
    n = len(is_reported)
    return Reviewed(is_reported, np.full(n, propensity), np.zeros(n, np.bool_), np.ones(n))


def test_without_a_reviewed_account_it_is_the_assumption_and_says_so():
    found = reported_share(flags([]), Prior(0.6))
    assert (found.share, found.low, found.high) == (0.6, 0.6, 0.6) and found.source == "assumed in the domain pack"


@pytest.mark.parametrize("truth", [0.3, 0.7])
def test_what_the_list_picks_more_often_does_not_count_for_more(truth):
    random = np.random.default_rng(2)
    found = [reported_share(reviewed(random, truth), Prior(0.5)) for _ in range(40)]
    assert np.mean([each.share for each in found]) == pytest.approx(truth, abs=0.04)
    naive = np.mean([reviewed(random, truth).is_reported.mean() for _ in range(40)])
    assert abs(naive - truth) > 0.08, "the reported share among the reviewed is another"


def test_nine_of_ten_intervals_hold_the_truth():
    random = np.random.default_rng(3)
    truths = np.clip(random.normal(0.6, 0.1, 300), 0.05, 0.95)  # as good as the assumption
    found = [reported_share(reviewed(random, truth, n=400), Prior(0.6)) for truth in truths]
    held = [each.low <= truth <= each.high for each, truth in zip(found, truths, strict=True)]
    assert np.mean(held) > 0.85


@pytest.mark.parametrize(("n", "audited"), [(100, 0.1), (400, 0.1), (400, 0.3), (2000, 0.02)])
def test_nine_of_ten_intervals_of_a_source_hold_the_truth_though_nothing_is_assumed(n, audited):
    random = np.random.default_rng(4)
    truths = random.uniform(0.1, 0.9, 300)
    found = [reported_share(reviewed(random, truth, n, audited=audited), KNOWS_NOTHING) for truth in truths]
    held = [each.low <= truth <= each.high for each, truth in zip(found, truths, strict=True)]
    assert np.mean(held) == pytest.approx(0.9, abs=0.06)


def test_nine_of_ten_intervals_of_a_typology_hold_the_truth_where_typologies_differ_a_little():
    random, held = np.random.default_rng(7), []
    for _ in range(80):
        truths = dict(zip("abcd", np.clip(random.normal(0.6, 0.1, 4), 0.05, 0.95), strict=True))
        parts = [reviewed(random, truth, n=200) for truth in truths.values()]
        typology = np.repeat(np.array(list(truths), object), [len(part.is_reported) for part in parts])
        names = ("is_reported", "propensity", "is_audit", "chance_bad")
        accounts = Reviewed(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
        found = by_typology(accounts, typology, reported_share(accounts, Prior(0.6)))
        held += [found[kind].low <= truth <= found[kind].high for kind, truth in truths.items()]
    assert np.mean(held) > 0.85


def confirmed(random, truth, error, believed, n=30_000):
    """The share found, where one account in a hundred is bad, reviewers see the risky ones and some others, and err."""
    risk = random.beta(0.05, 4.95, n)
    is_bad = random.random(n) < risk
    is_reported = is_bad & (random.random(n) < truth)
    propensity = np.where(risk > 0.2, 1.0, 0.02)
    seen = random.random(n) < propensity
    kept = seen & (is_bad ^ (random.random(n) < error))
    accounts = Reviewed(is_reported, propensity, propensity < 1, np.ones(n)).take(kept)
    return doubted(accounts, risk[kept], believed, Prior(0.6))[1]


def test_reviewers_who_err_do_not_move_it_where_the_pack_says_how_often():
    random = np.random.default_rng(11)
    truths = np.clip(random.normal(0.6, 0.1, 80), 0.05, 0.95)
    known, believed = ([confirmed(random, truth, 0.05, at) for truth in truths] for at in (0.05, 0.0))
    assert np.mean([each.low <= truth <= each.high for each, truth in zip(known, truths, strict=True)]) > 0.85
    assert np.mean([each.share for each in known]) == pytest.approx(0.6, abs=0.04)
    assert np.mean([each.share for each in believed]) < 0.5, "every wrong verdict on a drawn account stands for fifty"


@pytest.mark.parametrize("truth", [0.3, 0.9])
def test_it_is_the_same_as_where_nobody_errs_though_the_assumption_is_wrong(truth):
    random = np.random.default_rng(12)
    erring, careful = ([confirmed(random, truth, at, at).share for _ in range(40)] for at in (0.05, 0.0))
    assert np.mean(erring) == pytest.approx(np.mean(careful), abs=0.04)


def test_a_verdict_counts_as_given_where_nobody_errs_or_reports_or_no_risk_is_known():
    nobody_errs = chance_if_confirmed(np.array([0.0, 0.001, 1.0]), np.zeros(3, np.bool_), 0.0, 0.6)
    assert nobody_errs.tolist() == [1, 1, 1]
    assert chance_if_confirmed(np.array([0.001, np.nan]), np.array([True, False]), 0.1, 0.6).tolist() == [1, 1]


def test_verdicts_that_can_only_be_wrong_leave_the_assumption():
    all_wrong = replace(flags([False, False]), chance_bad=np.zeros(2))
    assert reported_share(all_wrong, Prior(0.6)).share == 0.6


@given(st.lists(st.booleans(), min_size=1), st.floats(0.05, 1), st.floats(0.01, 1))
def test_it_lies_between_what_was_found_and_what_was_assumed(is_reported, assumed, propensity):
    found = reported_share(flags(is_reported, propensity), Prior(assumed))
    mean = np.mean(is_reported)
    low, high = sorted((float(mean), assumed))
    assert low - 1e-9 <= found.share <= high + 1e-9 and found.low <= found.high
    n = len(is_reported)
    assert found.share == pytest.approx((n * mean + STRENGTH * assumed) / (n + STRENGTH))


def test_all_reported_and_assumed_to_be_is_certain():
    found = reported_share(flags([True] * 3), Prior(1.0))
    assert (found.share, found.low, found.high) == (1.0, 1.0, 1.0)


def test_a_typology_with_few_accounts_is_near_the_pooled_share_and_one_with_many_is_not():
    rare, usual = [False] * 2, [True] * 180
    accounts = flags(rare + usual)
    typology = np.array(["rare"] * 2 + ["usual"] * 170 + [None] * 10, object)
    pooled = reported_share(accounts, Prior(0.5))
    found = by_typology(accounts, typology, pooled)
    assert list(found) == ["usual", "rare"] and found["usual"].reviewed == 170
    assert found["rare"].share == pytest.approx(20 * pooled.share / 22) and found["usual"].share > pooled.share
    assert found["rare"].high - found["rare"].low > 3 * (found["usual"].high - found["usual"].low)


def test_each_source_has_the_share_that_it_names_of_what_is_bad_reported_or_not():
    accounts = flags([True] * 60 + [False] * 40)
    named = {"chargeback": np.arange(100) < 20, "takedown": np.arange(100) < 50}
    found = by_source(accounts, named.items())
    assert list(found) == ["takedown", "chargeback"]
    assert [each.share for each in found.values()] == pytest.approx([50.5 / 101, 20.5 / 101])
