"""Bundles to decide about, without training any."""

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from challengers import ALL, AT, BETTER, IS_BAD, MARCH, REPORTED, SHOP, over

from pipeline.context import Run
from pipeline.errors import InputError
from pipeline.models import bundle as bundles
from pipeline.models import scoring, stacker
from pipeline.settings import Settings
from pipeline.train import promotion


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


@pytest.fixture
def two_stackers(trained, applied, decide):
    old = trained(date(2026, 3, 1), has_stacker=True, holdout=(date(2026, 2, 1), date(2026, 2, 10)))
    new = trained(date(2026, 3, 29), has_stacker=True, holdout=MARCH)
    decide(old)
    return old, new
