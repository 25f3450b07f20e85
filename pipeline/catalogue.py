"""The features' facts: name, meaning, unit and reason sentence, read from where they live, the mart's YAML."""

from dataclasses import dataclass
from functools import cache

import yaml

from pipeline.files import digest
from pipeline.settings import PROJECT

MART = PROJECT / "dbt_project" / "models" / "marts" / "fct_user_days.yml"


@dataclass(frozen=True)
class Feature:
    """One column of fct_user_days. `reason` is a sentence with {columns} in it, `family` groups like with like."""

    name: str
    description: str
    family: str
    unit: str
    reason: str


@cache
def features() -> dict[str, Feature]:
    """All features in the mart's column order, keys left out."""
    (model,) = yaml.safe_load(MART.read_text())["models"]
    return {
        column["name"]: Feature(column["name"], column["description"], **column["config"]["meta"])
        for column in model["columns"]
        if "config" in column
    }


@cache
def code_digest() -> str:
    """Names the SQL that makes the features: part of every snapshot's id."""
    project = PROJECT / "dbt_project"
    sources = sorted([*project.glob("models/**/*.*"), *project.glob("macros/*.sql"), project / "dbt_project.yml"])
    return digest({str(path.relative_to(project)): path.read_text() for path in sources})
