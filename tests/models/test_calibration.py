"""A risk means what it says, and never changes the order of scores."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.models.calibration import (
    ENOUGH,
    Calibration,
    Outcomes,
    RiskCalibration,
    choose,
    fit_bad,
    fit_known,
    log_odds,
)

ONES = np.ones(20_000)
KINDS = ("none", "platt", "beta", "isotonic")


def logistic(odds):
    return 1 / (1 + np.exp(-odds))


def drawn(slope, intercept, n=20_000, seed=3):
    """Scores, and outcomes drawn with the risk of a line through their log-odds."""
    random = np.random.default_rng(seed)
    score = random.uniform(0.02, 0.98, n)
    return score, random.random(n) < logistic(slope * log_odds(score) + intercept)


def line(found):
    """Slope and intercept of a calibration that is one straight line."""
    (left, right), (low, high) = found.score_odds, found.risk_odds
    return (high - low) / (right - left), (high + low) / 2


def test_platt_finds_a_distortion_and_undoes_it():
    slope, intercept = line(Calibration.fit("platt", *drawn(0.6, -1.5), ONES))
    assert slope == pytest.approx(0.6, abs=0.05)
    assert intercept == pytest.approx(-1.5, abs=0.08)


@pytest.mark.parametrize("kind", ["beta", "isotonic"])
def test_a_distortion_that_is_no_line_is_undone_too(kind):
    random = np.random.default_rng(5)
    score = random.uniform(0.001, 0.999, 20_000)
    true = score**2 / (score**2 + 0.5 * (1 - score))
    found = Calibration.fit(kind, score, random.random(20_000) < true, ONES)
    assert np.abs(found.risk(score) - true).mean() < 0.02
    straight = Calibration.fit("platt", score, random.random(20_000) < true, ONES)
    assert np.abs(found.risk(score) - true).mean() < np.abs(straight.risk(score) - true).mean()


def outcomes(share, reviewed, n=200_000):
    """Scores, the chance that each is bad, and what is known: reports of a share, and all of what was `reviewed`."""
    random = np.random.default_rng(5)
    score = random.beta(1, 6, n)
    truth = logistic(1.3 * log_odds(score) - 0.5)
    is_bad, is_reviewed = random.random(n) < truth, random.random(n) < reviewed(score)
    is_labelled = is_bad & (is_reviewed | (random.random(n) < share))
    return truth, Outcomes(score, is_labelled, is_reviewed, np.ones(n), share)


REVIEWED = {
    "nobody": np.zeros_like,
    "what a list would pick": lambda score: np.where(score > 0.3, 0.8, 0.01),
    "everybody": np.ones_like,
}


@pytest.mark.parametrize("who", REVIEWED)
@pytest.mark.parametrize("share", [0.2, 0.6, 1.0])
def test_the_risk_is_that_of_being_bad_whoever_was_reviewed_and_however_little_is_reported(share, who):
    truth, known = outcomes(share, REVIEWED[who])
    found = fit_bad("platt", known).risk(known.score)
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6)):
        here = (known.score >= low) & (known.score < high)
        assert found[here].mean() == pytest.approx(truth[here].mean(), rel=0.08)


def test_where_the_list_was_reviewed_dividing_by_the_share_reported_would_be_wrong():
    truth, known = outcomes(0.3, REVIEWED["what a list would pick"])
    labelled = Calibration.fit("platt", known.score, known.is_bad, known.weight).risk(known.score) / 0.3
    top = known.score > 0.3
    assert labelled[top].mean() > 1.5 * truth[top].mean()


@pytest.mark.parametrize("error", [0.05, 0.2])
def test_wrong_verdicts_do_not_move_the_risk_where_it_is_known_how_many_are_wrong(error):
    truth, known = outcomes(0.6, REVIEWED["what a list would pick"])
    is_wrong = known.is_reviewed & (np.random.default_rng(6).random(len(truth)) < error)
    judged = replace(known, is_bad=known.is_bad ^ is_wrong)
    top = known.score > 0.3
    for counted, holds in ((error, True), (0.0, False)):
        risk = fit_bad("platt", replace(judged, review_error=counted)).risk(known.score)
        assert (risk.sum() == pytest.approx(truth.sum(), rel=0.03)) == holds
        assert (risk[top].mean() == pytest.approx(truth[top].mean(), rel=0.03)) == holds or error < 0.1


def test_a_score_that_is_the_chance_of_a_label_is_not_the_risk():
    truth, known = outcomes(0.5, REVIEWED["nobody"])
    labelled = replace(known, score=0.5 * truth)
    assert fit_bad("none", labelled).risk(labelled.score).sum() == pytest.approx(truth.sum(), rel=0.05)


@pytest.mark.parametrize("kind", ["platt", "beta", "isotonic"])
def test_where_all_is_reported_a_label_is_the_truth(kind):
    _, known = outcomes(1.0, REVIEWED["nobody"], n=20_000)
    plain = Calibration.fit(kind, known.score, known.is_bad, known.weight).risk(known.score)
    assert fit_bad(kind, known).risk(known.score) == pytest.approx(plain)


@pytest.mark.parametrize("kind", ["platt", "beta", "isotonic"])
def test_risks_add_up_to_the_bad_cases(kind):
    score, is_bad = drawn(1.7, 0.4)
    assert Calibration.fit(kind, score, is_bad, ONES).risk(score).sum() == pytest.approx(is_bad.sum(), rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_weight_two_counts_as_two_rows(kind):
    score, is_bad = drawn(0.8, 0, n=400)
    twice = Calibration.fit(kind, np.tile(score, 2), np.tile(is_bad, 2), np.ones(800))
    weighted = Calibration.fit(kind, score, is_bad, np.full(400, 2.0))
    assert weighted.risk(score) == pytest.approx(twice.risk(score), abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outcome", [True, False])
def test_days_with_only_one_outcome_leave_scores_alone(outcome, kind):
    found = Calibration.fit(kind, np.array([0.2, 0.7]), np.array([outcome, outcome]), np.ones(2))
    assert found.kind == "none"
    assert found.risk(np.array([0.2, 0.7])) == pytest.approx([0.2, 0.7])


@pytest.mark.parametrize("kind", ["platt", "beta"])
def test_scores_that_point_the_wrong_way_keep_their_order_and_have_the_risk_of_all(kind):
    score = np.array([0.9, 0.8, 0.2, 0.1] * 10)
    is_bad = (score < 0.5) & (np.arange(40) < 20)
    risk = Calibration.fit(kind, score, is_bad, np.ones(40)).risk(score)
    assert risk == pytest.approx(0.25, abs=0.02) and risk.sum() == pytest.approx(is_bad.sum(), abs=0.5)
    assert np.all(np.diff(risk[:4]) < 0)


@pytest.mark.parametrize("kind", ["platt", "beta", "isotonic"])
def test_a_few_days_that_part_good_from_bad_make_nobody_certain(kind):
    score, is_bad = np.array([0.1, 0.2, 0.15, 0.8, 0.9, 0.85]), np.array([False, False, False, True, True, True])
    risk = Calibration.fit(kind, score, is_bad, np.ones(6)).risk(score)
    assert risk.max() < 0.95
    assert risk.min() > 0.05


@settings(deadline=None)
@given(
    st.sampled_from(KINDS),
    st.integers(0, 2**32 - 1),
    st.integers(2, 300),
    st.floats(0.001, 0.999),
    st.lists(st.floats(0, 1), min_size=2, max_size=20),
)
def test_risk_keeps_the_order_of_scores_and_stays_between_0_and_1(kind, seed, n, bad, scores):
    random = np.random.default_rng(seed)
    seen = random.random(n) ** random.uniform(0.2, 8)
    ordered = np.sort(np.array(scores))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        risk = Calibration.fit(kind, seen, random.random(n) < bad, random.uniform(0.1, 9, n)).risk(ordered)
    assert np.all(np.diff(risk) >= 0)
    assert np.all((risk >= 0) & (risk <= 1))


def test_of_two_scores_that_differ_by_a_percent_the_higher_is_riskier_even_on_one_step():
    score, is_bad = drawn(1, -2, n=3000)
    found = Calibration.fit("isotonic", score, is_bad, ONES[:3000])
    assert np.all(np.diff(found.risk(np.arange(0.01, 1, 0.01))) > 0)


def test_the_way_that_fits_days_left_out_best_is_chosen_and_platt_where_it_does_not_matter():
    random = np.random.default_rng(5)
    score, day = random.uniform(0.001, 0.999, 20_000), random.integers(0, 4, 20_000)
    true = np.where(score < 0.5, 0.05, 0.6)
    chosen, losses = choose(score, random.random(20_000) < true, ONES, day)
    assert chosen.kind == "isotonic"
    assert losses["isotonic"] < losses["platt"]
    assert choose(*drawn(0.6, -1.5), ONES, day)[0].kind == "platt"


def test_what_a_way_loses_is_the_log_loss_of_days_it_was_not_fitted_on():
    from sklearn.metrics import log_loss

    score, is_bad = drawn(0.6, -1.5, n=900)
    day, weight = np.repeat([0, 1, 2], 300), np.ones(900)
    risk = np.empty(900)
    for out in range(3):
        fitted = Calibration.fit("platt", score[day != out], is_bad[day != out], weight[day != out])
        risk[day == out] = fitted.risk(score[day == out])
    assert choose(score, is_bad, weight, day)[1]["platt"] == pytest.approx(log_loss(is_bad, risk), abs=1e-6)


def known_accounts(share, n, seed=9):
    """Days of known accounts: of the same scores a seventh of the odds, and half as steep. And what labels show."""
    random = np.random.default_rng(seed)
    score = random.beta(1, 6, n)
    is_bad = random.random(n) < logistic(0.5 * log_odds(score) - 3)
    return is_bad, Outcomes(score, is_bad & (random.random(n) < share), np.zeros(n, np.bool_), np.ones(n), share)


NEW = Calibration(kind="platt", score_odds=(-16.2, 16.2), risk_odds=(-16.2, 16.2))


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_known_accounts_have_a_line_of_their_own_where_their_bad_days_are_many(share):
    slope, intercept = line(fit_known(NEW, known_accounts(share, 100_000)[1]))
    assert slope == pytest.approx(0.5, abs=0.07) and intercept == pytest.approx(-3, abs=0.2)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_where_they_are_few_their_risks_are_those_of_new_ones_but_lower_and_add_up(share):
    found, expected, bad = [], 0.0, 0
    for seed in range(30):
        is_bad, outcomes = known_accounts(share, 500, seed)
        assert outcomes.is_bad.sum() < ENOUGH
        found.append(fit_known(NEW, outcomes))
        expected, bad = expected + found[-1].risk(outcomes.score).sum(), bad + is_bad.sum()
    assert expected == pytest.approx(bad, rel=0.15)
    assert all(line(each)[0] == pytest.approx(1) and line(each)[1] < -1 for each in found)


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_where_scores_do_not_tell_their_days_apart_their_risks_add_up_all_the_same(share):
    for seed in range(8):
        random = np.random.default_rng(seed)
        score, is_bad = random.beta(4, 1, 2000), random.random(2000) < 0.05
        is_labelled = is_bad & (random.random(2000) < share)
        known = Outcomes(score, is_labelled, np.zeros(2000, np.bool_), np.ones(2000), share)
        assert fit_known(NEW, known).risk(score).sum() == pytest.approx(is_labelled.sum() / share, rel=0.1)


def test_without_a_day_of_a_known_account_they_are_taken_for_new_ones():
    assert fit_known(NEW, known_accounts(0.5, 0)[1]) is NEW


def test_risks_go_by_who_was_known_before(tmp_path):
    both = RiskCalibration(new=NEW, known=NEW.model_copy(update={"risk_odds": (-18.2, 14.2)}))
    score = np.array([0.2, 0.2])
    assert log_odds(both.risk(score, np.array([False, True]))) - log_odds(score) == pytest.approx([0, -2])
    both.save(tmp_path / "calibration.json")
    assert RiskCalibration.load(tmp_path / "calibration.json") == both


def test_saved_and_loaded_it_is_the_same(tmp_path):
    made = Calibration.fit("isotonic", *drawn(0.7, 1 / 3), ONES)
    made.save(tmp_path / "calibration.json")
    assert Calibration.load(tmp_path / "calibration.json") == made


def test_a_damaged_file_is_explained(tmp_path):
    (tmp_path / "calibration.json").write_text('{"kind": "platt", "score_odds": [0, 1], "risk_odds": [1, 0]}')
    with pytest.raises(InputError, match="is damaged"):
        Calibration.load(tmp_path / "calibration.json")
