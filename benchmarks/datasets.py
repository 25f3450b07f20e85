"""Where public data lies: the benchmarks find it through $RISK_DATASETS and say so when it is not there."""

import os
import sys
from pathlib import Path


def dataset(name: str) -> Path:
    """The folder of a public set; ends the benchmark, without an error, where it is absent."""
    folder = Path(os.environ.get("RISK_DATASETS", "")) / name
    if not os.environ.get("RISK_DATASETS") or not folder.is_dir():
        print(f"skipped: set RISK_DATASETS to a folder that holds {name}/ (see docs/benchmarks.md)")
        sys.exit(0)
    return folder
