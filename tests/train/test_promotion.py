"""A challenger becomes the champion if nothing is there to compare it with, or by intervals on later matured days."""

from datetime import date, timedelta

import numpy as np
import pytest
from challengers import AT, IS_BAD, MARCH, REPORTED, SHOP

from pipeline.context import Run
from pipeline.errors import InputError
from pipeline.models import registry
from pipeline.settings import Settings
from pipeline.train import promotion

GOOD = np.where(IS_BAD, 0.9, 0.1) + np.arange(40) / 1000
BAD = 1 - GOOD


def test_the_first_bundle_is_promoted(trained, applied, decide, home):
    name = trained(date(2026, 3, 1), has_stacker=False, holdout=MARCH)
    assert decide(name) == ("promoted", "the first bundle")
    assert [entry.bundle for entry in registry.champions(home, AT)] == [name]


def test_asked_again_it_is_in_use_already_and_nothing_is_written(trained, applied, decide, home):
    name = trained(date(2026, 3, 1), has_stacker=False, holdout=MARCH)
    decide(name)
    assert decide(name, hours=1) == ("promoted", "is the champion already")
    assert len(registry.ledger(home)) == 1


def test_a_better_stacker_takes_over(two_stackers, applied, decide, home):
    old, new = two_stackers
    applied.risk = {old: BAD, new: GOOD}
    action, why = decide(new, hours=1)
    assert action == "promoted"
    assert why.startswith("caught +5.0 (+3.5 to +5.0) with 5 a day, average precision +0.88")
    assert why.endswith("on 2026-03-10..2026-03-20: not worse")
    assert registry.champions(home, AT + timedelta(hours=1))[-1].bundle == new
    assert registry.champions(home, AT)[-1].bundle == old


def test_both_are_compared_by_as_many_reviews_as_the_run_asks_for(two_stackers, applied, decide, home):
    old, new = two_stackers
    applied.risk = {old: BAD, new: GOOD}
    run = Run(Settings(home=home, list_size=2), SHOP, AT.date(), AT)
    promotion.promote(run, new, at=AT + timedelta(hours=1))
    metrics = registry.ledger(home)[-1].metrics
    assert {metrics[name]["reviews_per_day"] for name in ("challenger", "champion")} == {2}
    assert metrics["lift"]["list_length"] == 2


def test_a_stacker_that_is_worse_is_rejected(two_stackers, applied, decide, home):
    old, new = two_stackers
    applied.risk = {old: GOOD, new: BAD}
    action, why = decide(new, hours=1)
    assert action == "rejected"
    assert why.endswith(": worse")
    assert registry.champions(home, AT + timedelta(hours=1))[-1].bundle == old
    metrics = registry.ledger(home)[-1].metrics
    assert metrics["champion"]["average_precision"] == 1.0
    assert metrics["lift"]["caught"]["high"] < 0


def test_a_stacker_that_is_level_is_promoted_with_the_loss_that_would_have_been_seen(
    two_stackers, applied, decide, home
):
    old, new = two_stackers
    random = np.random.default_rng(5)
    applied.risk = {old: GOOD + 3 * random.random(40), new: GOOD + 3 * random.random(40)}
    action, why = decide(new, hours=1)
    lift = registry.ledger(home)[-1].metrics["lift"]
    assert lift["average_precision"]["low"] < 0 < lift["average_precision"]["high"]
    assert (action, why.endswith("not worse")) == ("promoted", True)
    assert f"a loss of {lift['caught']['least_loss_seen']:.1f} or" in why


def test_lists_are_as_long_as_the_longer_of_the_two_would_cut_them(two_stackers, applied, decide, home):
    old, new = two_stackers
    short, longer = np.full(40, 0.01), np.full(40, 0.01)
    short[:1] = longer[:3] = 0.19  # three in fifteen reach the pack's precision of a fifth
    short[0], longer[0] = 0.21, 0.21
    longer[1:3] = 0.2
    applied.risk = {old: short, new: longer}
    decide(new, hours=1)
    assert registry.ledger(home)[-1].metrics["lift"]["list_length"] == 3


def test_accounts_that_were_known_before_the_day_are_not_compared_by(two_stackers, applied, decide, home):
    """Both rank them on top: they say nothing of who finds new ones."""
    old, new = two_stackers
    applied.risk, applied.is_known = {old: GOOD, new: GOOD}, np.arange(40) < 5
    decide(new, hours=1)
    assert registry.ledger(home)[-1].metrics["challenger"]["bad"] == 3
    applied.is_known = IS_BAD
    assert decide(new, hours=2)[1] == "is the champion already"


def test_calibration_is_measured_by_the_probability_of_being_reported(two_stackers, applied, decide, home):
    """Labels show what was reported, and the risk counts what nobody reports as well."""
    old, new = two_stackers
    risk = np.full(40, IS_BAD.mean() / REPORTED)
    applied.risk = {old: risk, new: risk}
    decide(new, hours=1)
    assert registry.ledger(home)[-1].metrics["challenger"]["expected_calibration_error"] == 0


def test_a_rejection_is_written_once_however_often_it_is_asked_for(two_stackers, applied, decide, home):
    old, new = two_stackers
    applied.risk = {old: GOOD, new: BAD}
    decide(new, hours=1)
    decide(new, hours=2)
    assert [entry.action for entry in registry.ledger(home)] == ["promoted", "rejected"]


def test_the_challenger_is_compared_by_its_version_that_has_not_learned_from_the_holdout(two_stackers, applied, decide):
    old, new = two_stackers
    applied.risk = {old: BAD, new: GOOD}
    decide(new, hours=1)
    assert applied.asked == [(new, *MARCH, "early_stacker.ubj"), (old, *MARCH, "booster")]
    assert applied.base_models == {new: "early_base_models", old: "base_models"}


def test_days_the_champion_learned_from_are_left_out(trained, applied, decide):
    old = trained(date(2026, 3, 20), has_stacker=True, holdout=(date(2026, 2, 1), date(2026, 2, 10)))
    new = trained(date(2026, 3, 29), has_stacker=True, holdout=MARCH)
    decide(old)
    applied.risk = {old: BAD, new: GOOD}
    decide(new, hours=1)
    first = date(2026, 3, 14)  # its labels had matured a week before 20 March
    assert [asked[1] for asked in applied.asked] == [first, first]


def test_days_the_champion_learned_from_before_all_labels_were_known_are_left_out_too(trained, applied, decide):
    fast = {"learned_last": date(2026, 3, 15)}
    old = trained(date(2026, 3, 20), has_stacker=True, holdout=(date(2026, 2, 1), date(2026, 2, 10)), **fast)
    new = trained(date(2026, 3, 29), has_stacker=True, holdout=MARCH)
    decide(old)
    applied.risk = {old: BAD, new: GOOD}
    decide(new, hours=1)
    assert [asked[1] for asked in applied.asked] == [date(2026, 3, 16)] * 2


def test_without_later_days_to_compare_by_the_champion_stays(trained, applied, decide):
    old = trained(date(2026, 3, 27), has_stacker=True, holdout=MARCH)
    new = trained(date(2026, 3, 28), has_stacker=True, holdout=MARCH)
    decide(old)
    assert decide(new, hours=1) == (
        "rejected",
        "no matured day after 2026-03-20, the last day the champion learned from",
    )


def test_without_anything_bad_to_compare_by_the_champion_stays(two_stackers, applied, decide):
    old, new = two_stackers
    applied.risk, applied.is_bad = {old: GOOD, new: GOOD}, np.zeros(40, bool)
    assert decide(new, hours=1)[0] == "rejected"


@pytest.mark.parametrize(
    ("mine", "theirs", "action"),
    [(5.0, 5.1, "promoted"), (5.01, 5.0, "promoted"), (5.1, 5.0, "rejected"), (np.nan, 5.0, "rejected")],
)
def test_autoencoders_are_compared_in_nats_and_noise_is_no_reason_to_stay_old(
    mine, theirs, action, trained, applied, decide
):
    old = trained(date(2026, 3, 1), has_stacker=False, holdout=MARCH)
    new = trained(date(2026, 3, 29), has_stacker=False, holdout=MARCH)
    applied.nats = {old: theirs, new: mine}
    decide(old)
    assert decide(new, hours=1)[0] == action


def test_by_hand_any_bundle_is_promoted(two_stackers, applied, decide):
    _, new = two_stackers
    assert decide(new, hours=1, force=True) == ("promoted", "by hand")
    assert applied.asked == []


def test_an_unknown_bundle_is_explained(home, decide):
    with pytest.raises(InputError, match="no bundle 'nonsense'"):
        decide("nonsense")
    assert registry.ledger(home) == []
