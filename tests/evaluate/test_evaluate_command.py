"""`dawnlist evaluate` on a little simulated shop: the whole way, and what is told when it cannot go it."""

import json
import shutil
from unittest.mock import patch

import numpy as np
import pytest
import yaml
from command import Home

from pipeline.evaluate.contenders import FEATURES, OLDER, PRODUCT, with_arm
from pipeline.evaluate.learning import without_label_history
from pipeline.models.samples import Samples
from pipeline.simulate.typologies import TYPOLOGIES

PROTOCOL = {
    "name": "little",
    "title": "A little shop",
    "domain": "shop",
    "simulate": {"users": 500, "days": 70, "seed": 3, "first_day": "2026-03-01", "bad_share": 0.05},
    "until": "2026-05-02",
    "test": ["2026-05-03", "2026-05-09"],
    "reviews": 10,
    "floors": ["spend_amount"],
    "groups": {"all kinds": list(TYPOLOGIES), "none of them": ["bots/gentle"]},
    "arms": ["isolation_forest"],
    "learning_curve": {"labels": [5], "repeats": 2, "arms": ["isolation_forest"]},
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "little.yml").write_text(yaml.safe_dump(PROTOCOL))

    def what_is_kept(_):
        shutil.copy(folder / "out" / "report.json", folder / "out" / "kept.json")
        return []

    with patch("pipeline.evaluate.run.prices", what_is_kept):  # the price list has tests of its own
        said = Home(folder / "elsewhere").says("evaluate", folder / "little.yml", "--out", folder / "out")
    assert said.code == 0, said.err
    return folder / "out", said


@pytest.mark.slow
def test_every_contender_stands_between_a_floor_and_a_ceiling(judged):
    report = json.loads((judged[0] / "report.json").read_text())
    names = [each["name"] for each in report["contenders"]]
    wanted = {PRODUCT, FEATURES, "isolation_forest", with_arm("isolation_forest"), "floor: random", "ceiling: oracle"}
    assert wanted <= set(names)
    assert names[0] == "ceiling: oracle"
    found = {each["name"]: each["recall"]["value"] for each in report["contenders"]}
    assert max(found.values()) == found["ceiling: oracle"]
    assert found[FEATURES] > found["floor: random"]


@pytest.mark.slow
def test_labels_dealt_out_by_lot_are_shown_and_so_is_the_gap_to_what_was_learned(judged):
    report = json.loads((judged[0] / "report.json").read_text())
    shuffled = report["shuffles"][0]
    assert shuffled["found"]["low"] < shuffled["chance"] == 0.5 < shuffled["found"]["high"]
    assert report["gaps"][0]["train"] > report["gaps"][0]["future"]


@pytest.mark.slow
def test_groups_are_told_apart_and_an_empty_one_is_told(judged):
    report = json.loads((judged[0] / "report.json").read_text())
    features = next(each for each in report["contenders"] if each["name"] == FEATURES)
    assert [group["recall"] for group in features["groups"]] == [pytest.approx(features["recall"]["value"]), None]
    assert any("nobody of the test is in the group none of them" in note for note in report["notes"])
    kinds = {pair["among"] for pair in report["pairs_by_group"]}
    assert kinds >= {"all kinds", "none of them"} and kinds - {"all kinds", "none of them"} <= set(TYPOLOGIES)


@pytest.mark.slow
def test_the_page_is_whole_and_the_terminal_shows_the_table(judged):
    folder, said = judged
    page = (folder / "report.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert "A little shop" in said.out
    assert "report.html" in said.out


def test_with_few_labels_no_feature_knows_of_the_others():
    columns = ("spend_amount", "counterpart_bad_7d_ratio", "event_count", "device_bad_28d_count")
    samples = Samples.unlabelled(None, None, [0, 1], columns, np.arange(8, dtype=np.float32).reshape(2, 4))
    left = without_label_history(samples)
    assert left.columns == ("spend_amount", "event_count")
    assert left.rows.tolist() == [[0, 2], [4, 6]]


@pytest.mark.slow
def test_before_the_last_hours_of_a_run_a_whole_report_is_kept(judged):
    folder, said = judged
    report = json.loads((folder / "kept.json").read_text())
    assert {OLDER, PRODUCT} <= {each["name"] for each in report["contenders"]}
    few, everybody = report["learning"][FEATURES]
    assert few["labels"] == 5 < everybody["labels"] and few["low"] <= few["value"] <= few["high"]
    without = report["learning"]["isolation_forest"]  # learns the same, whoever is known to be bad
    assert [point["labels"] for point in without] == [0, 5, everybody["labels"]]
    assert len({point["value"] for point in without}) == 1
    beside = report["learning"][with_arm("isolation_forest")]
    assert [point["labels"] for point in beside] == [5, everybody["labels"]]
    assert "UTC: learning curves: 5 bad accounts known, draw 2 of 2" in said.err


def test_an_arm_that_is_none_is_told(tmp_path):
    said = Home(tmp_path / "home").says("evaluate", "retail", "--arms", "crystal_ball", "--data", tmp_path)
    assert said.code == 2
    assert "no arm is called crystal_ball" in said.err
    assert "isolation_forest" in said.err


def test_files_that_are_not_there_are_told(tmp_path):
    said = Home(tmp_path / "home").says("evaluate", "payments", "--data", tmp_path, "--home", tmp_path / "kept")
    assert said.code == 3
    assert "transactions.parquet" in said.err
    assert "--data" in said.err


def test_without_a_folder_of_data_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("RISK_DATASETS", raising=False)
    said = Home(tmp_path / "home").says("evaluate", "payments", "--home", tmp_path / "kept")
    assert said.code == 2
    assert "--data" in said.err
