"""`dawnlist evaluate` on a little simulated shop, and the errors of a run that cannot start."""

import json
import shutil
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
import yaml
from command import Home, explains_failure
from labelled_cases import labelled

from pipeline.errors import UsageError
from pipeline.evaluate import contenders, run
from pipeline.evaluate.contenders import FEATURES, OLDER, PRODUCT, Results, with_base_model
from pipeline.evaluate.experiment import bad_by_group
from pipeline.evaluate.learning_curves import without_label_history
from pipeline.evaluate.run import _notes
from pipeline.models import stacker
from pipeline.models.samples import Samples
from pipeline.models.tokens.windows import Sequences
from pipeline.simulate.typologies import TYPOLOGIES

pytestmark = pytest.mark.timeout(1800)  # the fixture trains three bundles and 29 boosters, on whatever machine

PROTOCOL = {
    "name": "little",
    "title": "A little shop",
    "domain": "shop",
    "simulate": {"users": 500, "days": 70, "seed": 3, "first_day": "2026-03-01", "bad_share": 0.05},
    "until": "2026-05-02",
    "test": ["2026-05-03", "2026-05-09"],
    "reviews": 10,
    "baselines": ["spend_amount"],
    "groups": {"all kinds": list(TYPOLOGIES), "one variant": ["bots/humanised"]},
    "base_models": ["isolation_forest"],
    "learning_curve": {"labels": [5, 100_000], "repeats": 2, "base_models": ["isolation_forest"]},
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Without --out, the report goes to the working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "little.yml").write_text(yaml.safe_dump(PROTOCOL))

    def look_what_is_kept(then, name):
        def looked(*arguments):
            shutil.copy(folder / "out" / "report.json", folder / "out" / name)
            return then(*arguments)

        return looked

    curves = look_what_is_kept(run.learning_curves, "before_curves.json")
    prices = look_what_is_kept(lambda _: [], "before_prices.json")  # the price list has tests of its own
    with (
        patch.object(run, "learning_curves", curves),
        patch.object(run, "leak_prices", prices),
        patch.object(stacker, "ROUNDS", 250),  # 29 boosters: their quality is judged elsewhere
        patch.object(contenders, "PLACEBOS", 2),
    ):
        result = Home(folder / "elsewhere").run("evaluate", folder / "little.yml", "--out", folder / "out")
    assert result.code == 0, result.err
    return folder / "out", result


@pytest.mark.slow
def test_every_contender_stands_between_baselines_and_an_upper_bound(evaluated):
    report = json.loads((evaluated[0] / "report.json").read_text())
    names = [each["name"] for each in report["contenders"]]
    wanted = {PRODUCT, FEATURES, "isolation_forest", with_base_model("isolation_forest")}
    assert wanted | {"baseline: random", "upper bound: oracle"} <= set(names)
    assert names[0] == "upper bound: oracle"
    found = {each["name"]: each["recall"]["value"] for each in report["contenders"]}
    assert max(found.values()) == found["upper bound: oracle"]
    assert found[FEATURES] > found["baseline: random"]


@pytest.mark.slow
def test_shuffled_labels_and_the_gap_to_the_training_days_are_shown(evaluated):
    report = json.loads((evaluated[0] / "report.json").read_text())
    shuffled = report["shuffles"][0]
    assert shuffled["range"]["low"] < shuffled["chance"] == 0.5 < shuffled["range"]["high"]
    assert report["gaps"][0]["train"] > report["gaps"][0]["future"]


@pytest.mark.slow
def test_placebos_show_what_training_does_by_accident(evaluated):
    report = json.loads((evaluated[0] / "report.json").read_text())
    assert [placebo["metric"] for placebo in report["placebos"]] == ["average_precision", "recall"]
    for placebo in report["placebos"]:
        assert placebo["columns"] == 2 and -1 <= placebo["range"]["low"] <= placebo["range"]["high"] <= 1


@pytest.mark.slow
def test_groups_are_told_apart_beside_the_typologies(evaluated):
    report = json.loads((evaluated[0] / "report.json").read_text())
    features = next(each for each in report["contenders"] if each["name"] == FEATURES)
    everybody, one = features["groups"]
    assert everybody["recall"] == pytest.approx(features["recall"]["value"])
    assert one["accounts"] < next(each["accounts"] for each in features["typologies"] if each["name"] == "bots")
    groups = {pair["among"] for pair in report["pairs_by_group"]}
    assert groups >= {"all kinds", "one variant"} and groups - {"all kinds", "one variant"} <= set(TYPOLOGIES)


def bad_days(*kinds):
    rows = [(user, 0, kind.partition("/")[0] or None) for user, kind in enumerate(kinds)]
    return labelled(rows), np.array([kind.partition("/")[2] or None for kind in kinds], object)


def test_a_group_is_of_typologies_or_of_variants_of_them():
    found, variant = bad_days("bots/scraper", "bots/humanised", "", "brushing/praised", "brushing/hurried")
    asked = {"some": ("bots/humanised", "brushing"), "nobody": ("sleepers",)}
    groups = bad_by_group(asked, found, variant)
    assert groups["some"].tolist() == [False, True, False, True, True]
    assert not groups["nobody"].any()
    notes = _notes(SimpleNamespace(simulate=None, notes=()), Results(), groups)
    assert notes == ["no account of the test is in the group nobody"]


def test_a_group_may_not_take_the_name_of_a_typology():
    with pytest.raises(UsageError, match="a group has the name of a typology: bots"):
        bad_by_group({"bots": ("bots/humanised",)}, *bad_days("bots/humanised", "bots/scraper"))


@pytest.mark.slow
def test_the_page_is_whole_and_the_terminal_shows_the_table(evaluated):
    folder, result = evaluated
    page = (folder / "report.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert "A little shop" in result.out
    assert "report.html" in result.out


def test_with_few_labels_no_feature_knows_of_the_others():
    columns = ("spend_amount", "counterparty_bad_7d_ratio", "event_count", "device_bad_28d_count")
    samples = Samples.unlabelled(Sequences(None, None, [0, 1]), columns, np.arange(8, dtype=np.float32).reshape(2, 4))
    left = without_label_history(samples)
    assert left.columns == ("spend_amount", "event_count")
    assert left.rows.tolist() == [[0, 2], [4, 6]]


@pytest.mark.slow
def test_before_the_last_hours_of_a_run_a_whole_report_is_kept_that_says_what_is_missing(evaluated):
    folder, result = evaluated
    before, later, last = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("before_curves", "before_prices", "report")
    )
    assert before["contenders"] == later["contenders"] == last["contenders"]
    assert {OLDER, PRODUCT} <= {each["name"] for each in last["contenders"]}
    assert [report["notes"][0].startswith("unfinished: ") for report in (before, later, last)] == [True, True, False]
    assert "learning curves" in before["notes"][0] and "learning curves" not in later["notes"][0]
    assert not before["learning"] and later["learning"] == last["learning"]
    assert "UTC: learning curves: 5 bad accounts known, draw 2 of 2" in result.err


@pytest.mark.slow
def test_a_learning_curve_goes_from_nobody_known_to_everybody(evaluated):
    curves = json.loads((evaluated[0] / "report.json").read_text())["learning"]
    few, everybody = curves[FEATURES]
    assert few["labels"] == 5 < everybody["labels"] and few["low"] <= few["value"] <= few["high"]
    assert [point["labels"] for point in curves["isolation_forest"]] == [0]
    beside = curves[with_base_model("isolation_forest")]
    assert [point["labels"] for point in beside] == [5, everybody["labels"]]


def test_an_unknown_base_model_is_named(tmp_path):
    result = Home(tmp_path / "home").run("evaluate", "retail", "--base-models", "crystal_ball", "--data", tmp_path)
    assert explains_failure(
        result, 2, "no base model is called crystal_ball", "to fix: name some of", "isolation_forest"
    )


def test_without_out_the_report_goes_to_a_folder_here(tmp_path):
    result = Home(tmp_path / "home").run("evaluate", "retail", "--base-models", "crystal_ball")
    assert explains_failure(result, 2, "crystal_ball")
    assert (tmp_path / "evaluation").is_dir()


def test_an_out_that_cannot_be_a_folder_is_explained(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "out", tmp_path / ("x" * 300)):
        result = Home(tmp_path / "home").run("evaluate", "retail", "--out", out)
        assert explains_failure(result, 2, "cannot make the folder", "to fix: give --out another one")


def test_files_that_are_not_there_are_told(tmp_path):
    result = Home(tmp_path / "home").run("evaluate", "payments", "--data", tmp_path, "--home", tmp_path / "kept")
    assert result.code == 3
    assert "transactions.parquet" in result.err
    assert "--data" in result.err


def test_without_a_folder_of_data_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("RISK_DATASETS", raising=False)
    result = Home(tmp_path / "home").run("evaluate", "payments", "--home", tmp_path / "kept")
    assert result.code == 2
    assert "--data" in result.err


def test_refused_files_are_told_by_count_reason_and_line(tmp_path):
    (tmp_path / "orders.csv").write_text(
        "user_id,event_at,event_type\nann,2026-01-01,purchase\nbob,5.1.26,purchase\n,,\n"
    )
    protocol = {name: value for name, value in PROTOCOL.items() if name not in ("simulate", "groups")}
    (tmp_path / "mine.yml").write_text(yaml.safe_dump(protocol | {"events": ["orders.csv"]}))
    result = Home(tmp_path / "home").run(
        "evaluate", tmp_path / "mine.yml", "--data", tmp_path, "--out", tmp_path / "out"
    )
    assert result.code == 3
    assert "2 of 3 rows of the protocol's files were refused" in result.err
    assert "not_a_time event_at: 1" in result.err
    assert "orders.csv line 3: not_a_time event_at" in result.err
