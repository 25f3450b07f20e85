"""A bundle is whole and fits today's features, or it is not used."""

import json
from datetime import date

import pytest

from pipeline.catalogue import features
from pipeline.errors import InputError
from pipeline.models import bundle as bundles
from pipeline.storage.files import sha256_of


@pytest.fixture
def manifest(tmp_path):
    """A bundle's manifest with one file, on disk."""
    place = bundles.folder(tmp_path, "2026-03-01-abc")
    place.mkdir(parents=True)
    (place / "fields.json").write_text("{}")
    made = bundles.Manifest(
        id="2026-03-01-abc",
        domain="shop",
        until=date(2026, 3, 1),
        features=list(features()),
        columns=[],
        spreads={"event_count": bundles.Spread(median=1.0, scale=0.5)},
        made_from={},
        autoencoder={},
        stacker={"is_used": False},
        files={"fields.json": sha256_of(place / "fields.json")},
    )
    (place / "bundle.json").write_text(made.model_dump_json())
    return made


def test_a_manifest_is_read_as_it_was_written(tmp_path, manifest):
    assert bundles.read_manifest(tmp_path, manifest.id) == manifest


@pytest.mark.parametrize("name", ["2026-03-02-def", "..", "../lake", "", "2026-03-01-abc/"])
def test_an_unknown_bundle_is_explained_with_those_there_are(name, tmp_path, manifest):
    with pytest.raises(InputError, match="bundles here: 2026-03-01-abc"):
        bundles.read_manifest(tmp_path, name)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": 1}'])
def test_a_damaged_manifest_is_explained(content, tmp_path, manifest):
    (bundles.folder(tmp_path, manifest.id) / "bundle.json").write_text(content)
    with pytest.raises(InputError, match=r"bundle.json is damaged"):
        bundles.read_manifest(tmp_path, manifest.id)


@pytest.mark.parametrize("change", [lambda path: path.write_text("{ }"), lambda path: path.unlink()])
def test_a_file_that_is_not_the_one_trained_is_explained(change, tmp_path, manifest):
    change(bundles.folder(tmp_path, manifest.id) / "fields.json")
    with pytest.raises(InputError, match=r"fields.json is not the file that training wrote"):
        bundles.load(tmp_path, manifest.id, threads=1)


def test_other_features_than_the_table_has_are_named(manifest):
    first, *rest = features()
    other = manifest.model_copy(update={"features": [*rest, "moon_phase", "tide"]})
    with pytest.raises(InputError) as error:
        bundles.check_features(other)
    assert error.value.problem == (
        f"bundle 2026-03-01-abc was trained on {len(rest) + 2} features, fct_user_days has {len(rest) + 1}"
    )
    assert error.value.found == ("only in bundle: moon_phase, tide", f"only in table:  {first}")


def test_the_order_of_features_does_not_matter(manifest):
    bundles.check_features(manifest.model_copy(update={"features": list(features())[::-1]}))


def test_a_manifest_is_plain_json(tmp_path, manifest):
    content = json.loads((bundles.folder(tmp_path, manifest.id) / "bundle.json").read_text())
    assert content["until"] == "2026-03-01"
