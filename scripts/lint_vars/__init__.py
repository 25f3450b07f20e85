"""Stand in for dbt when sqlfluff lints: defaults of variables and plain SQL. So linting needs no warehouse."""

from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project" / "dbt_project.yml"
DEFAULTS = yaml.safe_load(PROJECT.read_text())["vars"]


def var(name: str, default: Any = None) -> Any:
    return DEFAULTS.get(name, default)


class dbt:  # dbt's own name for its portable macros
    """The portable macros of dbt that our models use."""

    @staticmethod
    def date_trunc(part: str, moment: str) -> str:
        return f"date_trunc('{part}', {moment})"

    @staticmethod
    def datediff(first: str, second: str, part: str) -> str:
        return f"date_diff('{part}', {first}, {second})"
