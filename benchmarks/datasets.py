"""Finds public data sets in $RISK_DATASETS."""

import os
import sys
from pathlib import Path


def dataset(name: str) -> Path:
    """The folder of a public set. If it is absent, the benchmark says so and ends without an error."""
    folder = Path(os.environ.get("RISK_DATASETS", "")) / name
    if not os.environ.get("RISK_DATASETS") or not folder.is_dir():
        print(f"skipped: set RISK_DATASETS to a folder that holds {name}/ (see docs/benchmarks.md)")
        sys.exit(0)
    return folder
