"""The event contract stands once, in pipeline/domain.py: what has to list its columns or roles again agrees with it."""

from typing import Any

import pytest
import yaml
from jinja2 import Environment

from pipeline.catalogue import FIELD_WORDS, MART
from pipeline.domain import ENTITIES, ROLES, TOKEN_CATEGORICAL, TOKEN_NUMERIC, Domain
from pipeline.ingest.pseudonyms import PREFIXES
from pipeline.schemas import EVENTS, LABELS
from pipeline.settings import PROJECT
from pipeline.simulate.visits.sessions import STEPS

SQL_TYPES = {
    "string": "varchar",
    "timestamp[us]": "timestamp",
    "decimal128(18, 4)": "decimal(18, 4)",
    "bool": "boolean",
}


def macro(file: str, name: str) -> Any:
    """What a dbt macro without arguments returns."""
    returned: list[Any] = []
    environment = Environment(extensions=["jinja2.ext.do"])
    environment.globals["return"] = returned.append
    text = (PROJECT / "dbt_project" / "macros" / file).read_text()
    getattr(environment.from_string(text).module, name)()
    return returned[-1]


def test_dbt_knows_the_same_roles():
    assert tuple(macro("measures.sql", "all_roles")) == ROLES


def test_dbt_knows_the_same_entities():
    assert tuple(f"{kind}_id" for kind in macro("kinds.sql", "entity_kinds")) == ENTITIES


@pytest.mark.parametrize(("schema", "name"), [(EVENTS, "lake_event_columns"), (LABELS, "lake_label_columns")])
def test_dbt_reads_columns_that_the_lake_has_in_their_types(schema, name):
    columns = macro("lake.sql", name)
    assert columns == {column: SQL_TYPES[str(schema.field(column).type)] for column in columns}


def test_dbt_reads_every_column_of_an_event_that_tells_about_it():
    assert set(EVENTS.names) - set(macro("lake.sql", "lake_event_columns")) == {"ip", "batch_id"}


def test_the_mart_counts_every_role():
    (model,) = yaml.safe_load(MART.read_text())["models"]
    assert {f"{role}_count" for role in ROLES} <= {column["name"] for column in model["columns"]}


def test_every_token_field_has_words():
    assert set(FIELD_WORDS) == {*TOKEN_CATEGORICAL, *TOKEN_NUMERIC}


def test_whatever_a_pack_may_hide_has_a_prefix():
    base = {"name": "mine", "currency": "EUR", "event_types": {"buy": "purchase"}}
    hidden = [name for name in PREFIXES if name != "network_id"]
    assert Domain.model_validate(base | {"sensitive": hidden}).sensitive == tuple(hidden)
    assert set(ENTITIES) <= set(PREFIXES)


def test_the_simulated_shop_does_only_what_has_a_role():
    assert set(STEPS) <= set(Domain.load("shop").event_types) <= set(ROLES)
