"""What a list was made from, all that is needed to make it again byte for byte; and how it ended."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline.catalogue import wording_digest
from pipeline.checkpoints import CHECKPOINTS, read_report
from pipeline.context import Run
from pipeline.domain import Domain
from pipeline.models import bundle as bundles
from pipeline.publish.entries import Choice
from pipeline.publish.ranking import Next, RankedBy
from pipeline.publish.sources import Used
from pipeline.settings import PROJECT
from pipeline.storage import lake
from pipeline.storage.files import sha256_of
from pipeline.storage.memo import MadeFrom
from pipeline.storage.snapshots import Snapshot

PACKAGES = {
    "duckdb": "duckdb",
    "dbt": "dbt-core",
    "torch": "torch",
    "xgboost": "xgboost",
    "pyarrow": "pyarrow",
    "great_expectations": "great-expectations",
}
SETTINGS = ("list_size", "min_bad_labels", "train_days", "seed")


@cache
def packages() -> dict[str, str]:
    """Versions of what computes the list, Dawnlist's own included."""
    own = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    versions = {"dawnlist": own}
    for name, package in PACKAGES.items():
        try:
            versions[name] = version(package)
        except PackageNotFoundError:
            versions[name] = "absent"
    return versions


def inputs(run: Run, bundle: str, used: Used) -> MadeFrom:
    """All that decides the list's bytes. The clock does not: `as_of` matters only by what it makes visible."""
    home, domain, first, day = run.home, run.domain, run.period.first, run.day
    earlier = {str(other): _named(snapshots) for other, snapshots in used.items() if other != day}
    return {
        "day": str(day),
        **({"first_day": str(first), "earlier_snapshots": earlier} if earlier else {}),
        "domain": {"name": domain.name, "digest": domain.digest},
        "bundle": {"id": bundle, "sha256": sha256_of(bundles.folder(home, bundle) / "bundle.json")},
        "snapshots": _named(used[day]),
        "batches": lake.visible(lake.event_files(home, first, day), run.as_of),
        "settings": {name: getattr(run.settings, name) for name in SETTINGS},
        "packages": packages(),
        "wording": wording_digest(),
        "warnings": list(_warnings(run)),
    }


def _named(snapshots: Mapping[str, Snapshot]) -> dict[str, Any]:
    return {name: each.model_dump(include={"id", "sha256", "made_from"}) for name, each in snapshots.items()}


def _warnings(run: Run) -> Iterator[str]:
    """What the first two checkpoints said about the list's days. The third warns about the list itself."""
    for day in run.period.days:
        which = "" if day == run.day else f"{day}: "
        for checkpoint in CHECKPOINTS[:2]:
            report = read_report(run.home, day, checkpoint, run.as_of)
            if report is not None:
                yield from (f"{which}{warning}" for warning in report.warnings)
            elif which:
                yield f"{which}{checkpoint}: not validated, the day was never run"


def outcome(choice: Choice, by: RankedBy, domain: Domain, list_size: int) -> dict[str, Any]:
    """Where the list was cut, what is expected of its picked accounts, and what its audit rows were drawn from."""
    from pipeline.publish.expected import expected_bad

    cut, by_risk = choice.cut, by == "risk"
    risks = choice.rows["risk"].to_pylist()[: choice.picked]
    return {
        "cut": {
            "rule": cut.rule,
            "list_size": list_size,
            "picked_slots": list_size - choice.slots,
            "min_precision": domain.min_precision if by_risk else None,
            "expected_precision": None if cut.expected_precision is None else round(cut.expected_precision, 6),
            "expected_bad": expected_bad(risks).to_dict() if by_risk else None,
            "false_alarms": None if by_risk else domain.false_alarms,
            "next": None if cut.next is None else _next(cut.next, by_risk),
        },
        "audit": {"slots": choice.slots, "strata": [stratum.to_dict() for stratum in choice.strata]},
    }


def _next(below: Next, by_risk: bool) -> dict[str, Any]:
    """It names no account: a manifest is read by more people than the accounts below the list are meant for."""
    level, setting = ("risk", "min_precision") if by_risk else ("surprise_percentile", "false_alarms")
    return {
        "rank": below.rank,
        level: None if below.level is None else round(below.level, 6),
        setting: below.setting,
        "would_list": below.would_list,
    }
