"""A challenger becomes the champion only if it is the first, or does better on later matured days."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.context import Run
from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.models import bundle as bundles
from pipeline.models import registry, scoring, stacker
from pipeline.settings import Settings
from pipeline.train import promotion

SHOP = Domain(name="shop", currency="EUR", event_types={"purchase": "purchase"}, labels={"delay_days": 7}, list_size=5)
AT = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def trained(home):
    """Puts a bundle's manifest where training would; `until` is its id."""

    def make(until, *, has_stacker, holdout, learned_last=None, over_surprise=0.1):
        name = str(until)
        learned_from = [str(until - timedelta(days=60)), str(learned_last or until - timedelta(days=7))]
        manifest = bundles.Manifest(
            id=name,
            domain="shop",
            until=until,
            features=[],
            columns=[],
            spreads={},
            made_from={},
            autoencoder={"validated_on": [str(day) for day in holdout]},
            stacker={
                "is_used": has_stacker,
                "holdout": [str(day) for day in holdout],
                "learned_from": learned_from,
                "over_surprise": {"average_precision": {"value": over_surprise}},
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
        risk={}, nats={}, base_models={}, asked=[], stale=set(), is_bad=np.array([True, False, False, True])
    )

    def load(home, name, threads, base_models="base_models"):
        found.base_models[name] = base_models
        if name in found.stale:
            raise InputError("other features")
        manifest = bundles.read_manifest(home, name)
        return SimpleNamespace(manifest=manifest, stacker="booster" if manifest.stacker["is_used"] else None)

    def score_days(settings, bundle, first, last, known_until, as_of, booster):
        found.asked.append((bundle.manifest.id, first, last, booster))
        day, user = np.zeros(4, np.int32), np.arange(4, dtype=np.int32)
        return SimpleNamespace(risk=np.array(found.risk[bundle.manifest.id]), is_bad=found.is_bad, day=day, user=user)

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


GOOD, BAD = [0.9, 0.1, 0.2, 0.8], [0.1, 0.9, 0.8, 0.2]
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
    assert why == "average precision 1.000 against 0.417 on 2026-03-10..2026-03-20: better"
    assert registry.champions(home, AT + timedelta(hours=1))[-1].bundle == new
    assert registry.champions(home, AT)[-1].bundle == old


def test_both_are_compared_by_as_many_reviews_as_the_run_asks_for(two_stackers, applied, decide, home):
    old, new = two_stackers
    applied.risk = {old: BAD, new: GOOD}
    run = Run(Settings(home=home, list_size=2), SHOP, AT.date(), AT)
    promotion.promote(run, new, at=AT + timedelta(hours=1))
    assert {found["reviews_per_day"] for found in registry.ledger(home)[-1].metrics.values()} == {2}


@pytest.mark.parametrize("risk", [BAD, GOOD], ids=["worse", "as good"])
def test_a_stacker_that_is_not_better_is_rejected(risk, two_stackers, applied, decide, home):
    old, new = two_stackers
    applied.risk = {old: GOOD, new: risk}
    action, why = decide(new, hours=1)
    assert action == "rejected"
    assert why.endswith("not better")
    assert registry.champions(home, AT + timedelta(hours=1))[-1].bundle == old
    assert registry.ledger(home)[-1].metrics["champion"]["average_precision"] == 1.0


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
    applied.risk, applied.is_bad = {old: GOOD, new: GOOD}, np.zeros(4, bool)
    assert decide(new, hours=1)[0] == "rejected"


def test_the_first_stacker_takes_over_from_surprise_alone_and_never_the_other_way_round(trained, applied, decide):
    plain = trained(date(2026, 3, 1), has_stacker=False, holdout=MARCH)
    stacked = trained(date(2026, 3, 28), has_stacker=True, holdout=MARCH)
    poor = trained(date(2026, 3, 29), has_stacker=False, holdout=MARCH)
    decide(plain)
    why = "the first stacker: average precision +0.100 over surprise alone: better"
    assert decide(stacked, hours=1) == ("promoted", why)
    assert decide(poor, hours=2) == ("rejected", "the champion has a stacker, this bundle has too few labels")


@pytest.mark.parametrize(("more", "words"), [(0.0, "not better"), (-0.2, "not better"), (None, "no matured bad")])
def test_the_first_stacker_waits_while_surprise_alone_ranks_as_well(more, words, trained, applied, decide, home):
    plain = trained(date(2026, 3, 1), has_stacker=False, holdout=MARCH)
    stacked = trained(date(2026, 3, 28), has_stacker=True, holdout=MARCH, over_surprise=more)
    decide(plain)
    action, why = decide(stacked, hours=1)
    assert action == "rejected" and words in why
    assert registry.champions(home, AT + timedelta(hours=1))[-1].bundle == plain


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


def test_a_champion_that_cannot_score_todays_features_gives_way(two_stackers, applied, decide):
    old, new = two_stackers
    applied.stale = {old}
    action, why = decide(new, hours=1)
    assert action == "promoted"
    assert "cannot score today's features" in why


def test_by_hand_any_bundle_is_promoted(two_stackers, applied, decide):
    _, new = two_stackers
    assert decide(new, hours=1, force=True) == ("promoted", "by hand")
    assert applied.asked == []


def test_an_unknown_bundle_is_explained(home, decide):
    with pytest.raises(InputError, match="no bundle 'nonsense'"):
        decide("nonsense")
    assert registry.ledger(home) == []
