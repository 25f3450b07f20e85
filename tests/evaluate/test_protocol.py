"""Protocols say how lists are tested; the error names each wrong field."""

import pytest
import yaml

from pipeline.errors import UsageError
from pipeline.evaluate.protocol import FOLDER, Protocol
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.simulate.typologies import TYPOLOGIES
from pipeline.simulate.visits.sessions import FUNNEL

FINE = {
    "name": "mine",
    "title": "Mine",
    "domain": "shop",
    "events": ["orders.csv"],
    "until": "2026-08-31",
    "test": ["2026-09-01", "2026-09-30"],
}

SHOP = {"users": 100, "days": 90, "seed": 1, "first_day": "2026-06-01"}


COLUMNS = {"user": "user_id", "step": "step", "label": "is_bad", "split": "split"}
FIELDS = {**COLUMNS, "numbers": ["f0"]}


def written(tmp_path, **changed):
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump(FINE | changed))
    return str(path)


@pytest.mark.parametrize("name", [path.stem for path in sorted(FOLDER.glob("*.yml"))])
def test_every_protocol_that_ships_is_whole_and_names_base_models_there_are(name):
    protocol = Protocol.load(name)
    assert protocol.name == name
    assert {*protocol.base_models, *protocol.learning_curve.base_models} <= set(BASE_MODELS)


def test_the_shop_tells_apart_every_variant_that_takes_its_steps_in_another_order():
    reordered = {
        f"{process.name}/{variant.name}"
        for process in TYPOLOGIES.values()
        for variant in process.variants
        if variant.order != FUNNEL
    }
    assert set(Protocol.load("shop").groups["order and timing"]) == reordered


def test_one_of_your_own_is_read(tmp_path):
    assert Protocol.load(written(tmp_path)).test[1].isoformat() == "2026-09-30"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"test": ["2026-08-31", "2026-09-30"]}, "the test must come after until"),
        ({"groups": {"ring": ["bots/scraper"]}}, "names of typologies, as the labels have them"),
        ({"events": [], "simulate": SHOP, "groups": {"ring": ["bots/gentle"]}}, "groups name ['bots/gentle']"),
        ({"groups": {"": ["bots"]}}, "at least 1 character"),
        ({"test": ["2026-09-30", "2026-09-01"]}, "the test must come after until"),
        ({"events": []}, "either events or simulate"),
        ({"kind": "sequences"}, "some of flags, categories and numbers"),
        ({"kind": "sequences", "sequence": COLUMNS}, "a sequence needs fields"),
        ({"kind": "sequences", "sequence": {**COLUMNS, "user": "a; drop"}}, "sequence.user"),
        ({"baselines": ["evnt_count"]}, "unknown feature 'evnt_count'; close to it: event_count"),
        ({"base_models": ["grue"]}, "unknown base models ['grue']; known: lstm_autoencoder, novelty"),
        ({"learning_curve": {"base_models": ["grue"]}}, "learning_curve.base_models: unknown base models ['grue']"),
        (
            {"kind": "sequences", "sequence": {**COLUMNS, "flags": ["f0"]}, "events": []},
            "events must name the one file of sequences",
        ),
        ({"domain": ""}, "domain is needed"),
        ({"kind": "injected", "events": [], "simulate": SHOP, "baselines": ["event_count"]}, "name the one file"),
        ({"kind": "injected"}, "baselines a feature"),
        ({"until": "0001-01-01"}, "until: 0001-01-01 is not between 1990 and 2199"),
        ({"reviews": 0}, "reviews"),
        ({"colour": "red"}, "colour"),
        ({"until": None}, "until and test are needed"),
        ({"name": "../evil"}, "name"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changed, message):
    with pytest.raises(UsageError, match="is wrong") as error:
        Protocol.load(written(tmp_path, **changed))
    assert message in str(error.value)


def test_one_that_is_not_there_is_explained_with_those_that_are():
    with pytest.raises(UsageError, match="payments"):
        Protocol.load("no_such")


def test_what_is_no_yaml_is_explained(tmp_path):
    (tmp_path / "mine.yml").write_text("name: [")
    with pytest.raises(UsageError, match="not YAML"):
        Protocol.load(str(tmp_path / "mine.yml"))
