"""Whether a first stacker takes over from surprise, and what a home has until one does."""

from datetime import date, timedelta

import numpy as np
import pytest
from challengers import AT, BELOW, BETTER, LEVEL, MARCH, WORSE, over

from pipeline.metrics.bootstrap import Difference
from pipeline.models import bundle as bundles
from pipeline.models import registry

UNKNOWN = Difference(np.nan, np.nan, np.nan)


def test_the_first_stacker_takes_over_from_surprise_alone_and_never_the_other_way_round(trained, applied, decide):
    plain = trained(date(2026, 3, 1), has_stacker=False, holdout=MARCH)
    stacked = trained(date(2026, 3, 28), has_stacker=True, holdout=MARCH)
    poor = trained(date(2026, 3, 29), has_stacker=False, holdout=MARCH)
    decide(plain)
    action, why = decide(stacked, hours=1)
    assert action == "promoted"
    assert why.startswith("the stacker over surprise alone: caught +3.0 (+1.0 to +5.0) with 5 a day")
    assert decide(poor, hours=2) == ("rejected", "the champion has a stacker, this bundle has too few labels")


NOT_BETTER = [(LEVEL, BELOW), (WORSE, BETTER), (BETTER, WORSE), (UNKNOWN, UNKNOWN)]


@pytest.mark.parametrize("found", NOT_BETTER)
def test_a_first_bundle_whose_stacker_ranks_no_higher_or_is_worse_ranks_by_surprise(
    found, trained, applied, decide, home
):
    name = trained(date(2026, 3, 28), has_stacker=True, holdout=MARCH, over_surprise=over(*found))
    action, why = decide(name)
    assert action == "promoted" and why.endswith("no higher, so ranked by surprise; the first bundle")
    [entry] = registry.champions(home, AT)
    assert entry.leaves_stacker_out and entry.bundle == name
    assert entry.ranked_by(bundles.read_manifest(home, name).stacker) == ("surprise", why)
    assert set(entry.metrics) == {"over_surprise"}


@pytest.mark.parametrize("found", [(BETTER, BETTER), (LEVEL, BETTER), (LEVEL, LEVEL), (BELOW, LEVEL)])
def test_a_first_bundle_whose_stacker_ranks_higher_and_is_not_proven_worse_ranks_by_risk(
    found, trained, applied, decide, home
):
    name = trained(date(2026, 3, 28), has_stacker=True, holdout=MARCH, over_surprise=over(*found))
    action, why = decide(name)
    assert action == "promoted" and why.endswith(": ranks higher")
    assert not registry.champions(home, AT)[-1].leaves_stacker_out


@pytest.mark.parametrize("nats", [5.0, 6.0], ids=["as good", "worse"])
def test_while_surprise_ranks_as_well_bundles_are_compared_as_if_they_had_no_stacker(
    nats, trained, applied, decide, home
):
    level = over(LEVEL, BELOW)
    old = trained(date(2026, 3, 1), has_stacker=True, holdout=MARCH, over_surprise=level)
    new = trained(date(2026, 3, 29), has_stacker=True, holdout=MARCH, over_surprise=level)
    better = trained(date(2026, 3, 30), has_stacker=True, holdout=MARCH)
    applied.nats = {old: 5.0, new: nats}
    decide(old)
    assert decide(new, hours=1)[0] == ("promoted" if nats == 5 else "rejected")
    assert registry.ledger(home)[-1].leaves_stacker_out
    assert decide(better, hours=2)[0] == "promoted", "a stacker that beats surprise needs no better autoencoder"
    assert not registry.champions(home, AT + timedelta(hours=2))[-1].leaves_stacker_out


def test_by_hand_a_bundle_ranks_by_its_stacker_better_or_not(trained, applied, decide, home):
    name = trained(date(2026, 3, 28), has_stacker=True, holdout=MARCH, over_surprise=over(LEVEL, BELOW))
    decide(name)
    assert decide(name, hours=1) == ("promoted", "is the champion already")
    assert decide(name, hours=2, force=True) == ("promoted", "by hand")
    assert [entry.leaves_stacker_out for entry in registry.champions(home, AT + timedelta(hours=2))] == [False]
    assert decide(name, hours=3, force=True) == ("promoted", "is the champion already")


@pytest.mark.parametrize(("found", "by"), [((BETTER, BETTER), "risk"), ((LEVEL, BELOW), "surprise")])
def test_a_champion_that_is_damaged_gives_way_as_if_there_were_none(
    found, by, two_stackers, trained, applied, decide, home
):
    applied.damaged = {two_stackers[0]}
    new = trained(date(2026, 3, 30), has_stacker=True, holdout=MARCH, over_surprise=over(*found))
    assert decide(new, hours=1)[0] == "promoted"
    entry = registry.champions(home, AT + timedelta(hours=1))[-1]
    assert entry.ranked_by(bundles.read_manifest(home, new).stacker)[0] == by
