"""Manifests to make model cards of."""

import copy
from datetime import UTC, date, datetime

from pipeline.domain import Domain
from pipeline.models import bundle as bundles

SHOP = Domain(name="shop", title="A <b>shop</b>", currency="EUR", event_types={"purchase": "purchase"})
AT = datetime(2026, 4, 1, tzinfo=UTC)
NAME = "2026-03-28-0123456789ab"
MADE_FROM = {
    "until": "2026-03-28",
    "domain": {"name": "shop", "digest": "d0d0d0d0d0d0"},
    "features": "f0f0f0f0f0f0",
    "code": "c0c0c0c0c0c0",
    "settings": {"train_days": 60, "min_bad_labels": 50, "seed": 7, "threads": 2},
    "reviews": 25,
    "user_days": {"2026-02-01": "aaa", "2026-03-28": "bbb", "2026-02-02": "ccc"},
    "event_tokens": "e0e0e0e0e0e0",
    "labels": "1abe11abe11a",
}
AUTOENCODER = {
    "learned_from": ["2026-02-01", "2026-02-10"],
    "validated_on": ["2026-02-11", "2026-02-13"],
    "quiet_times": ["2026-02-11", "2026-03-28"],
    "user_days": {"learned": 12345, "later": 4000},
    "later_nats_baselines": {"all_users": 11.0, "own_past": 8.25},
    "fits": [
        {"train_nats": [9.0, 6.25, 6.0], "later_nats": [9.1, 6.5, 6.6], "epochs": 3, "best_epoch": 1},
        {"train_nats": [9.0, 6.125], "later_nats": [9.1, 6.75], "epochs": 2, "best_epoch": 1},
    ],
}
HOLDOUT = {
    "user_days": 8000,
    "bad": 80,
    "average_precision": 0.412,
    "precision_at_reviews": 0.288,
    "reviews_per_day": 25,
    "expected_calibration_error": 0.00123,
    "brier": 0.00456,
    "baseline_random": 0.01,
    "baselines": {
        "random": {"average_precision": 0.01, "precision_at_reviews": 0.0099},
        "single_feature": {
            "feature": "spend_amount",
            "which": "most",
            "average_precision": 0.111,
            "precision_at_reviews": 0.122,
        },
        "surprise": {"average_precision": 0.222, "precision_at_reviews": 0.133},
    },
    "upper_bound": {"average_precision": 1.0, "precision_at_reviews": 0.765},
    "typologies": [
        {"typology": "sleepers", "accounts": 30, "user_days": 40, "recall": 0.1},
        {"typology": "takeover", "accounts": 35, "user_days": 40, "recall": 0.9},
    ],
    "worst_typology": "sleepers",
    "overfitting": {
        "user_days": 24000,
        "bad": 240,
        "average_precision_learned": 0.934,
        "average_precision_later": 0.409,
        "average_precision_labels_shuffled": 0.0123,
    },
}


def lift(value, low, high):
    least = {"least_seen": value - low, "least_loss_seen": None if high is None else high - value}
    found = {"value": value, "low": low, "high": high, **least}
    return {"list_length": 17, "caught": found, "average_precision": found}


def gate(base_model, is_on, value, low, high):
    found = lift(value, low, high)
    why = "catches more" if is_on else "no proven lift"
    base = {
        "base_model": base_model,
        "is_on": is_on,
        "why": why,
        "rule": "on if better",
        "bad_accounts": 123,
    }
    return {**base, **found}


STACKER = {
    "is_used": True,
    "why": "320 matured bad user-days, 50 needed",
    "bad_user_days": 320,
    "learned_from": ["2026-02-11", "2026-03-20"],
    "holdout": ["2026-03-10", "2026-03-20"],
    "user_days": 32000,
    "reported": {"share": 0.6, "from": "assumed in the domain pack"},
    "share_of_accounts": 1.0,
    "monotone": {"spend_amount": "rises"},
    "gates": [gate("gru", True, 12.0, 3.0, 21.0), gate("lstm_autoencoder", False, 1.0, -4.0, None)],
    "new_features": None,
    "over_surprise": lift(9.0, 2.5, 15.0),
    "calibration": {
        "kind": "beta",
        "log_losses": {"none": 0.05, "platt": 0.041, "beta": 0.04},
        "known_bad_user_days": 31,
    },
    "holdout_metrics": HOLDOUT,
}
NO_STACKER = {"is_used": False, "why": "3 matured bad user-days, 50 needed", "bad_user_days": 3}


def manifest(stacker=STACKER, files=None):
    return bundles.Manifest(
        id=NAME,
        domain="shop",
        until=date(2026, 3, 28),
        features=[],
        columns=[],
        spreads={},
        made_from=MADE_FROM,
        autoencoder=AUTOENCODER,
        stacker=stacker,
        files=files or {},
    )


def changed(**metrics):
    stacker = copy.deepcopy(STACKER)
    stacker["holdout_metrics"] |= metrics
    return stacker


def lines(text, *words):
    """The lines with all these words."""
    return [line for line in text.splitlines() if all(word in line for word in words)]


def sources(name="chargeback", count=1):
    """A stacker whose labels came from one source, or from several of that name."""
    known = {"7": 0.032, "14": 0.1828, "30": 1.0}
    clock = {"source": name, "labels": 1051, "median_days": 19, "known": known}
    share = {"share": 0.4, "low": 0.2, "high": 0.7, "reviewed": 30, "audited": 2}
    pair = {"first": name, "second": name, "named_by_first": 20, "named_by_second": 1030, "both": 10, **share}
    parts = {
        "by_typology": [{"typology": name, **share}] * count,
        "by_source": [{"source": name, **share}] * count,
        "between_sources": [pair],
    }
    clocks = {"wait_days": 9, "reports": 1100, "reports_known": known, "by_source": [clock] * count}
    return {**STACKER, "label_clocks": clocks, "reported": {**STACKER["reported"], **parts}}
