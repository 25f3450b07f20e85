"""What a list was made from: all that is needed to make it again, byte for byte."""

import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from pipeline.catalogue import wording_digest
from pipeline.checkpoints import CHECKPOINTS, read_report
from pipeline.context import Run
from pipeline.models import bundle as bundles
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


def inputs(run: Run, bundle: str, snapshots: dict[str, Snapshot]) -> MadeFrom:
    """All that decides the list's bytes. The clock does not: `as_of` matters only by what it makes visible."""
    home, domain, day, as_of = run.home, run.domain, run.day, run.as_of
    return {
        "day": str(day),
        "domain": {"name": domain.name, "digest": domain.digest},
        "bundle": {"id": bundle, "sha256": sha256_of(bundles.folder(home, bundle) / "bundle.json")},
        "snapshots": {name: each.model_dump(include={"id", "sha256", "made_from"}) for name, each in snapshots.items()},
        "batches": lake.visible(lake.event_files(home, day, day), as_of),
        "settings": {name: getattr(run.settings, name) for name in SETTINGS},
        "packages": packages(),
        "wording": wording_digest(),
        "warnings": [
            warning
            for checkpoint in CHECKPOINTS[:2]  # the third warns about the list itself, which all this decides
            if (report := read_report(home, day, checkpoint, as_of)) is not None
            for warning in report.warnings
        ],
    }
