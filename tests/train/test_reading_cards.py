"""Which card is read, and that it is the one that training wrote."""

from datetime import date

import pytest
from made_cards import AT, NAME, SHOP, manifest

from pipeline.errors import InputError
from pipeline.models import bundle as bundles
from pipeline.models import registry
from pipeline.storage.files import sha256_of
from pipeline.train import card as cards
from pipeline.train.card import card


@pytest.fixture
def trained(tmp_path):
    """A bundle in a home, its card listed like any other file."""
    place = bundles.folder(tmp_path, NAME)
    cards.write(place, manifest(), SHOP, "shop")
    listed = manifest(files={"card.md": sha256_of(place / "card.md")})
    (place / "bundle.json").write_text(listed.model_dump_json())
    return tmp_path


def test_the_card_of_the_bundle_in_use_is_read_unless_another_is_named(trained):
    with pytest.raises(InputError, match="there is no champion"):
        cards.read(trained, None, AT)
    assert cards.read(trained, NAME, AT) == (NAME, card(manifest(), SHOP, "shop"))
    registry.write(trained, registry.Entry(at=AT, action="promoted", bundle=NAME, until=date(2026, 3, 28), why="first"))
    assert cards.read(trained, None, AT) == (NAME, card(manifest(), SHOP, "shop"))


def test_a_card_that_was_changed_afterwards_is_not_shown(trained):
    path = bundles.folder(trained, NAME) / "card.md"
    path.write_text(path.read_text().replace("0.412", "0.999"))
    with pytest.raises(InputError, match=r"is damaged: card\.md is not the file that was written"):
        cards.read(trained, NAME, AT)


def test_a_bundle_from_before_there_were_cards_is_explained(trained):
    (bundles.folder(trained, NAME) / "bundle.json").write_text(manifest().model_dump_json())
    with pytest.raises(InputError, match="has no model card"):
        cards.read(trained, NAME, AT)


def test_an_unknown_bundle_is_explained(trained):
    with pytest.raises(InputError, match="no bundle 'nonsense'"):
        cards.read(trained, "nonsense", AT)
