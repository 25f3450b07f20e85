"""A champion that cannot score today's features: what the new ones add was compared in training."""

from datetime import date, timedelta

import pytest
from challengers import ALL, AT, LEVEL, MARCH, SHOP, WORSE, over

from pipeline.context import Run
from pipeline.models import registry
from pipeline.settings import Settings
from pipeline.train import promotion


@pytest.fixture
def older_champion(trained, applied, decide):
    """It knows all features but the last two, and ranks by risk."""
    old = trained(date(2026, 3, 1), has_stacker=True, holdout=MARCH, knows=ALL[:-2])
    decide(old)
    return old


def run_until(home, day):
    return Run(Settings(home=home), SHOP, day, AT)


def test_training_is_told_which_features_the_champion_does_not_know(older_champion, home):
    assert promotion.features_new_to_champion(run_until(home, date(2026, 3, 29))) == ALL[-2:]
    assert promotion.features_new_to_champion(run_until(home, date(2026, 3, 1))) == (), "its own training"


@pytest.mark.parametrize(
    ("has_stacker", "knows"), [(False, ALL[:-2]), (True, ALL)], ids=["by surprise", "same features"]
)
def test_no_feature_is_new_to_a_champion_that_has_no_stacker_or_knows_them_all(
    has_stacker, knows, trained, applied, decide, home
):
    assert promotion.features_new_to_champion(run_until(home, date(2026, 3, 29))) == (), "no champion"
    decide(trained(date(2026, 3, 1), has_stacker=has_stacker, holdout=MARCH, knows=knows))
    assert promotion.features_new_to_champion(run_until(home, date(2026, 3, 29))) == ()


@pytest.mark.parametrize(("is_on", "words"), [(True, "not worse"), (False, "worse, so the stacker leaves them out")])
def test_after_a_change_of_features_the_ledger_says_what_the_new_ones_add(
    is_on, words, older_champion, trained, decide, home
):
    compared = {"names": list(ALL[-2:]), "is_on": is_on, **over(LEVEL, LEVEL if is_on else WORSE)}
    new = trained(date(2026, 3, 29), has_stacker=True, holdout=MARCH, new_features=compared)
    action, why = decide(new, hours=1)
    assert action == "promoted"
    names = f"{ALL[-2]}, {ALL[-1]}"
    assert why.startswith(f"{older_champion} cannot score today's features; with {names} against a stacker fitted on")
    assert why.endswith(f": {words}") and "would have been seen" in why
    entry = registry.champions(home, AT + timedelta(hours=1))[-1]
    assert entry.metrics == {"new_features": compared} and not entry.leaves_stacker_out


@pytest.mark.parametrize("names", [[], [ALL[-1]]], ids=["not compared", "compared with another champion"])
def test_a_comparison_that_was_not_made_is_not_claimed(names, older_champion, trained, decide):
    compared = {"names": names, "is_on": True, **over(LEVEL, LEVEL)} if names else None
    more = {"new_features": compared} if compared else {}
    new = trained(date(2026, 3, 29), has_stacker=True, holdout=MARCH, **more)
    assert decide(new, hours=1) == (
        "promoted",
        f"{older_champion} cannot score today's features, and training did not compare the new ones",
    )


def test_features_that_are_gone_leave_nothing_to_compare(trained, applied, decide):
    old = trained(date(2026, 3, 1), has_stacker=True, holdout=MARCH, knows=[*ALL, "gone"])
    new = trained(date(2026, 3, 29), has_stacker=True, holdout=MARCH)
    decide(old)
    assert decide(new, hours=1) == ("promoted", f"{old} cannot score today's features, of which none is new")


def test_with_too_few_labels_after_a_change_of_features_there_is_a_list_by_surprise(older_champion, trained, decide):
    new = trained(date(2026, 3, 29), has_stacker=False, holdout=MARCH)
    action, why = decide(new, hours=1)
    assert action == "promoted" and why.startswith("the champion cannot score today's features: bundle 2026-03-01")
