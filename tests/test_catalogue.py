"""Every feature can be explained to an analyst: a family, a unit and a sentence, all of which work."""

import ast
import re
import shutil
from dataclasses import replace

import pytest

from pipeline import catalogue
from pipeline.catalogue import FIELD_WORDS, LEARNED, features
from pipeline.domain import TOKEN_CATEGORICAL, TOKEN_NUMERIC
from pipeline.models.reasons import fill, in_words, sentence_of
from pipeline.settings import PROJECT

FEATURES = features()
FAMILIES = {
    *("volume", "mix", "pace", "money", "novelty", "own past", "everyone", "shared", "counterparty", "label history"),
}
UNITS_BY_ENDING = {
    "_count": {"count"},
    "_amount": {"amount"},
    "_seconds": {"seconds"},
    "_hours": {"hours"},
    "_days": {"days"},
    "_percentile": {"percentile"},
    "_deviation": {"deviations"},
    "_spreads": {"deviations"},
    "_ratio": {"share", "times"},
    "_quantity": {"quantity"},
}
TYPICAL = {name: 3.0 if feature.unit not in ("share", "percentile") else 0.5 for name, feature in FEATURES.items()}


def columns_in(sentence):
    return re.findall(r"\{(\w+)\}", sentence)


def test_families_are_those_of_the_mart():
    assert {feature.family for feature in FEATURES.values()} == FAMILIES


@pytest.mark.parametrize("name", FEATURES)
def test_a_name_ends_with_its_unit(name):
    (units,) = [units for ending, units in UNITS_BY_ENDING.items() if name.endswith(ending)]
    assert FEATURES[name].unit in units
    assert in_words(1.0, FEATURES[name].unit, "EUR")


@pytest.mark.parametrize("name", FEATURES)
def test_a_sentence_tells_the_feature_and_names_no_column(name):
    feature = FEATURES[name]
    assert columns_in(feature.reason)[0] in FEATURES and set(columns_in(feature.reason)) <= set(FEATURES)
    assert name in columns_in(feature.reason), "the number that counted is not told"
    written = sentence_of(name, TYPICAL[name], TYPICAL, "EUR")
    assert written and not re.search(r"[{}\[\]_]|\bnan\b|\bNone\b", written)
    assert re.search(r"\d", written)


@pytest.mark.parametrize("name", FEATURES)
def test_a_sentence_without_its_brackets_still_reads_and_needs_its_own_number(name):
    feature = FEATURES[name]
    bare = re.sub(r"\[[^\]]*\]", "", feature.reason)
    only_needed = {column: TYPICAL[column] for column in columns_in(bare)}
    written = fill(feature, only_needed, "EUR")
    assert written and "[" not in written
    assert fill(feature, only_needed | {name: None}, "EUR") is None
    assert fill(feature, only_needed | {name: float("nan")}, "EUR") is None


def test_no_two_features_give_the_same_sentence():
    written = [sentence_of(name, TYPICAL[name], TYPICAL, "EUR") for name in FEATURES]
    assert sorted(written) == sorted(set(written))


def test_an_unknown_unit_is_a_bug_not_a_sentence():
    odd = replace(FEATURES["event_count"], unit="furlongs")
    assert odd.unit not in {feature.unit for feature in FEATURES.values()}
    with pytest.raises(ValueError, match="furlongs"):
        in_words(1.0, odd.unit, "EUR")


def test_every_token_field_has_words():
    assert set(FIELD_WORDS) == {*TOKEN_CATEGORICAL, *TOKEN_NUMERIC}


@pytest.mark.parametrize("name", [*sorted(LEARNED.keys() - {"surprise_field", "base_model"}), "score_gru"])
def test_what_the_sequence_model_adds_is_explained_in_words(name):
    written = sentence_of(name, 2.5, {}, "EUR")
    assert written and not re.search(r"[{}_]", written)


@pytest.mark.parametrize("field", FIELD_WORDS)
def test_surprise_at_a_field_is_explained_in_words(field):
    written = sentence_of(f"surprise_{field}", 2.5, {}, "EUR")
    assert written and FIELD_WORDS[field] in written and "2.5" in written


# Imported by what learns and scores, without changing what it learns: text, errors, files and names.
NOT_LEARNING = {
    *("__init__.py", "catalogue.py", "context.py", "errors.py", "receipt.py", "safe_text.py", "yaml_files.py"),
    *(f"storage/{name}.py" for name in ("__init__", "files", "memo")),
}


def imported_files(file):
    """The modules of pipeline/ that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    places = [PROJECT.joinpath(*name.split(".")) for name in names if name.split(".")[0] == "pipeline"]
    candidates = [path for place in places for path in (place / "__init__.py", place.with_suffix(".py"))]
    return {path for path in candidates if path.is_file()}


def test_the_code_in_a_bundles_name_is_all_that_training_and_scoring_import():
    reached, waiting = set(), [*(PROJECT / "pipeline/train").rglob("*.py"), *(PROJECT / "pipeline/score").rglob("*.py")]
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            waiting += imported_files(file)
    named = {str(file.relative_to(PROJECT / "pipeline")) for file in catalogue.model_code()}
    imported = {str(file.relative_to(PROJECT / "pipeline")) for file in reached}
    assert imported - named - NOT_LEARNING == set(), "add these to MODEL_CODE in pipeline/catalogue.py"
    files = {name for name in catalogue.MODEL_CODE if name.endswith(".py")}
    assert files - imported == set(), "training and scoring no longer import these"


def test_any_change_of_code_that_trains_or_scores_makes_other_bundles_and_no_other_change_does(tmp_path, monkeypatch):
    shutil.copytree(PROJECT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(catalogue, "PROJECT", tmp_path)
    digest = catalogue.model_code_digest.__wrapped__
    before = digest()
    assert before == catalogue.model_code_digest()  # of where it really is
    for part in ("models/stacker.py", "train/stacking.py", "score/user_days.py", "metrics/bootstrap.py", "domain.py"):
        with (tmp_path / "pipeline" / part).open("a") as file:
            file.write("# other\n")
        assert digest() != before
        before = digest()
    for part in ("simulate/shop.py", "evaluate/run.py", "metrics/detection_delay.py", "ingest/load.py"):
        with (tmp_path / "pipeline" / part).open("a") as file:
            file.write("# other\n")
        assert digest() == before
    monkeypatch.setattr(catalogue, "version", lambda library: "another")
    assert digest() != before
