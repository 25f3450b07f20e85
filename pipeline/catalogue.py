"""The features, read from the mart's YAML: name, meaning, unit and reason sentence. And digests of our code."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import version
from pathlib import Path

import yaml

from pipeline.settings import PROJECT
from pipeline.storage.files import digest

LIBRARIES = ("numpy", "scikit-learn", "torch", "xgboost")  # whose releases change what is learned
# The code that learns and scores, below pipeline/. A test compares it with the real imports of train and score.
MODEL_CODE = (
    *("models", "train", "score"),
    *(f"metrics/{name}.py" for name in ("baselines", "bootstrap", "lift", "list_metrics", "ranking")),
    *(f"metrics/{name}.py" for name in ("recapture", "reliability", "reported", "reporting_delay", "review_queue")),
    "metrics/scored_labels.py",
    *(f"storage/{name}.py" for name in ("lake", "snapshots")),
    *("arrays.py", "domain.py", "period.py", "schemas.py", "settings.py", "sql.py", "warehouse.py"),
)
MART = PROJECT / "dbt_project" / "models" / "marts" / "fct_user_days.yml"


@dataclass(frozen=True)
class Feature:
    """One column of fct_user_days. `reason` is a sentence with {columns} in it; `family` groups similar features."""

    name: str
    description: str
    family: str
    unit: str
    reason: str
    speaks_alone: bool = False  # a high value is unusual in itself, without a stacker


@cache
def features() -> dict[str, Feature]:
    """All features in the mart's column order, keys left out."""
    (model,) = yaml.safe_load(MART.read_text())["models"]
    return {
        column["name"]: Feature(column["name"], column["description"], **column["config"]["meta"])
        for column in model["columns"]
        if "config" in column
    }


def check_features(names: Iterable[str]) -> None:
    """Raises ValueError naming the first unknown feature, and the features it resembles."""
    valid = list(features())
    for name in names:
        if name not in valid:
            close = ", ".join(get_close_matches(name, valid)) or "none"
            raise ValueError(f"unknown feature {name!r}; close to it: {close}; all: the columns in {MART.name}")


@cache
def code_digest() -> str:
    """Digest of the SQL that makes the features: part of every snapshot's id."""
    project = PROJECT / "dbt_project"
    return _digest_of(
        project, *project.glob("models/**/*.sql"), *project.glob("macros/*.sql"), project / "dbt_project.yml"
    )


@cache
def model_code_digest() -> str:
    """Digest of the code that learns and scores, and of its libraries: part of the id of bundles and scores."""
    return digest([_digest_of(PROJECT / "pipeline", *model_code()), *(f"{name} {version(name)}" for name in LIBRARIES)])


def model_code() -> list[Path]:
    """The files of MODEL_CODE."""
    places = [PROJECT / "pipeline" / name for name in MODEL_CODE]
    return [file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place])]


def _digest_of(root: Path, *sources: Path) -> str:
    return digest({str(path.relative_to(root)): path.read_text() for path in sorted(sources)})


# What the sequence model adds, beside the mart's features. `{field}` is the token field's own words.
LEARNED = {
    "surprise": "its day as a whole is unusual for its pattern of events ({value} nats)",
    "surprise_mean": "its events that day fit its pattern badly ({value} nats an event)",
    "surprise_worst_event": "one event fits its pattern very badly ({value} nats)",
    "surprise_own_excess": "its events are {value} further from its pattern than its own earlier events",
    "surprise_field": "unusual for its pattern: {field} ({value} nats an event)",
    "base_model": "the order and timing of its recent events resemble those of accounts found bad",
}

FIELD_WORDS = {
    "event_type": "what it did",
    "category": "the categories",
    "channel": "the channel or country",
    "local_hour": "the time of day",
    "weekday": "the weekday",
    "is_new_device": "new devices",
    "is_new_network": "new networks",
    "is_new_payment": "new means of payment",
    "is_new_address": "new addresses",
    "is_new_counterparty": "new counterparties",
    "is_new_category": "new categories",
    "amount": "the amounts",
    "quantity": "the quantities",
    "gap_seconds": "the pace",
}


@cache
def wording_digest() -> str:
    """Digest of the words of reasons: part of every revision's id."""
    return digest([[feature.reason for feature in features().values()], LEARNED, FIELD_WORDS])
