"""A challenger becomes the champion if nothing is there to compare it with, or by intervals on later matured days."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.catalogue import features
from pipeline.context import Run
from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.metrics.bootstrap import Difference
from pipeline.metrics.lift import Lift
from pipeline.models import bundle as bundles
from pipeline.models import registry, scoring, stacker
from pipeline.settings import Settings
from pipeline.train import promotion

SHOP = Domain(name="shop", currency="EUR", event_types={"purchase": "purchase"}, labels={"delay_days": 7}, list_size=5)
AT = datetime(2026, 4, 1, tzinfo=UTC)
BETTER, LEVEL, WORSE = Difference(3, 1, 5), Difference(1, -2, 4), Difference(-3, -5, -1)
BELOW = Difference(-1, -4, 2)
UNKNOWN = Difference(np.nan, np.nan, np.nan)
ALL = tuple(features())


def over(caught, precise):
    return Lift(5, caught, precise).to_dict()


IS_BAD = np.arange(40) < 8
REPORTED = 0.6  # share of what is bad
GOOD = np.where(IS_BAD, 0.9, 0.1) + np.arange(40) / 1000
BAD = 1 - GOOD


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def trained(home):
    """Puts a bundle's manifest where training would; `until` is its id."""

    def make(until, *, has_stacker, holdout, learned_last=None, knows=ALL, **stacker):
        name = str(until)
        learned_from = [str(until - timedelta(days=60)), str(learned_last or until - timedelta(days=7))]
        manifest = bundles.Manifest(
            id=name,
            domain="shop",
            until=until,
            features=list(knows),
            columns=[],
            spreads={},
            made_from={"new_features": stacker.get("new_features", {}).get("names", [])},
            autoencoder={"validated_on": [str(day) for day in holdout]},
            stacker={
                "is_used": has_stacker,
                "why": "60 matured bad user-days, 50 needed",
                "holdout": [str(day) for day in holdout],
                "learned_from": learned_from,
                "over_surprise": over(BETTER, BETTER),
                "new_features": None,
                **stacker,
            },
            files={},
        )
        place = bundles.folder(home, name)
        place.mkdir(parents=True)
        (place / "bundle.json").write_text(manifest.model_dump_json())
        return name

    return make


@pytest.fixture
def applied(monkeypatch):
    """Bundles are not really applied: the risk of each on the holdout is written here, by its id."""
    found = SimpleNamespace(
        risk={}, nats={}, base_models={}, asked=[], damaged=set(), is_bad=IS_BAD, is_known=np.zeros(40, bool)
    )

    def load(home, name, threads, base_models="base_models"):
        found.base_models[name] = base_models
        manifest = bundles.read_manifest(home, name)
        bundles.check_features(manifest)
        if name in found.damaged:
            raise InputError("damaged")
        return SimpleNamespace(manifest=manifest, stacker="booster" if manifest.stacker["is_used"] else None)

    def score_days(settings, bundle, first, last, known_until, as_of, booster):
        found.asked.append((bundle.manifest.id, first, last, booster))
        n = len(found.is_bad)
        risk = np.array(found.risk[bundle.manifest.id])
        return SimpleNamespace(
            risk=risk,
            reported=risk * REPORTED,
            is_bad=found.is_bad,
            is_known=found.is_known,
            day=np.zeros(n, np.int32),
            user=np.arange(n, dtype=np.int32),
        )

    monkeypatch.setattr(bundles, "load", load)
    monkeypatch.setattr(stacker, "load", lambda path, threads: path.name)
    monkeypatch.setattr(scoring, "score_days", score_days)
    monkeypatch.setattr(scoring, "comparable_nats", lambda settings, b, *rest: found.nats[b.manifest.id])
    monkeypatch.setattr(promotion.snapshots, "days", lambda home, table: [date(2026, 3, n) for n in range(1, 32)])
    return found


@pytest.fixture
def decide(home):
    def ask(name, hours=0, **more):
        receipt = promotion.promote(
            Run(Settings(home=home), SHOP, AT.date(), AT), name, at=AT + timedelta(hours=hours), **more
        )
        return receipt.details["action"], receipt.details["why"]

    return ask


MARCH = (date(2026, 3, 10), date(2026, 3, 20))


def test_the_first_bundle_is_promoted(trained, applied, decide, home):
    name = trained(date(2026, 3, 1), has_stacker=False, holdout=MARCH)
    assert decide(name) == ("promoted", "the first bundle")
    assert [entry.bundle for entry in registry.champions(home, AT)] == [name]


def test_asked_again_it_is_in_use_already_and_nothing_is_written(trained, applied, decide, home):
    name = trained(date(2026, 3, 1), has_stacker=False, holdout=MARCH)
    decide(name)
    assert decide(name, hours=1) == ("promoted", "is the champion already")
    assert len(registry.ledger(home)) == 1


@pytest.fixture
def two_stackers(trained, applied, decide):
    old = trained(date(2026, 3, 1), has_stacker=True, holdout=(date(2026, 2, 1), date(2026, 2, 10)))
    new = trained(date(2026, 3, 29), has_stacker=True, holdout=MARCH)
    decide(old)
    return old, new


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


def test_the_first_stacker_takes_over_from_surprise_alone_and_never_the_other_way_round(trained, applied, decide):
    plain = trained(date(2026, 3, 1), has_stacker=False, holdout=MARCH)
    stacked = trained(date(2026, 3, 28), has_stacker=True, holdout=MARCH)
    poor = trained(date(2026, 3, 29), has_stacker=False, holdout=MARCH)
    decide(plain)
    action, why = decide(stacked, hours=1)
    assert action == "promoted"
    assert why.startswith("the stacker over surprise alone: caught +3.0 (+1.0 to +5.0) with 5 a day")
    assert decide(poor, hours=2) == ("rejected", "the champion has a stacker, this bundle has too few labels")


@pytest.mark.parametrize("caught", [BETTER, LEVEL, BELOW])
def test_a_first_stacker_that_ranks_higher_and_is_not_proven_worse_takes_over(caught, trained, applied, decide):
    name = trained(date(2026, 3, 28), has_stacker=True, holdout=MARCH, over_surprise=over(caught, LEVEL))
    action, why = decide(name)
    assert action == "promoted" and why.endswith("ranks higher")


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


@pytest.mark.parametrize("found", [(BETTER, BETTER), (BETTER, LEVEL), (LEVEL, BETTER)])
def test_a_first_bundle_whose_stacker_is_proven_better_ranks_by_risk(found, trained, applied, decide, home):
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


@pytest.mark.parametrize(("found", "by"), [((BETTER, BETTER), "risk"), ((LEVEL, BELOW), "surprise")])
def test_a_champion_that_is_damaged_gives_way_as_if_there_were_none(
    found, by, two_stackers, trained, applied, decide, home
):
    applied.damaged = {two_stackers[0]}
    new = trained(date(2026, 3, 30), has_stacker=True, holdout=MARCH, over_surprise=over(*found))
    assert decide(new, hours=1)[0] == "promoted"
    entry = registry.champions(home, AT + timedelta(hours=1))[-1]
    assert entry.ranked_by(bundles.read_manifest(home, new).stacker)[0] == by


def test_by_hand_any_bundle_is_promoted(two_stackers, applied, decide):
    _, new = two_stackers
    assert decide(new, hours=1, force=True) == ("promoted", "by hand")
    assert applied.asked == []


def test_an_unknown_bundle_is_explained(home, decide):
    with pytest.raises(InputError, match="no bundle 'nonsense'"):
        decide("nonsense")
    assert registry.ledger(home) == []
