"""Embeddings, neighbours and the model card in the little shop, by the commands that people use."""

import shutil

import little_shop as shop
import pytest
from command import explains_failure
from story_so_far import LABELLED, LISTED

TODAY, NOW = shop.day(LABELLED), shop.morning_after(LABELLED)
FIRST_LISTED, FIRST_NOW = shop.day(LISTED), shop.morning_after(LISTED)
ACCOUNT = "ann-00"


@pytest.fixture
def home(at_end_of):
    return at_end_of("with labels")


def active(home):
    """An account that was there on the day of the last list."""
    return next(row["user_id"] for row in shop.events_of(LABELLED) if row["user_id"].startswith("ann"))


def test_neighbours_are_other_accounts_of_the_days_that_the_same_bundle_has_scored(home):
    user = active(home)
    result = home.run_ok("neighbours", "--day", TODAY, "--user", user, "--json", now=NOW).json
    names = [each["user_id"] for each in result["nearest"]]
    assert len(names) == len(set(names)) == 10
    assert user not in names
    assert {each["day"] for each in result["nearest"]} == {str(TODAY)}
    assert result["of_other_bundles"] == [str(FIRST_LISTED)], "scored before the retraining"
    distances = [each["distance"] for each in result["nearest"]]
    assert distances == sorted(distances)
    shown = home.run_ok("neighbours", "--day", TODAY, "--user", user, "--limit", "3", now=NOW).out
    assert "1 day of" in shown and "another bundle's vectors" in shown


def test_what_cannot_be_looked_up_is_explained(home):
    result = home.run("neighbours", "--day", TODAY, "--user", "nobody", now=NOW)
    assert explains_failure(result, 3, "account 'nobody' was not active", f"dawnlist show --day {TODAY}")
    result = home.run("neighbours", "--day", shop.day(LABELLED - 1), "--user", ACCOUNT, now=NOW)
    assert explains_failure(result, 3, "no snapshot of embeddings", f"dawnlist score --day {shop.day(LABELLED - 1)}")


def test_a_home_scored_before_there_were_embeddings_gets_them_and_keeps_its_scores(home):
    before = home.bytes_of("snapshots")
    shutil.rmtree(home.path / "snapshots" / "embeddings" / f"day={TODAY}")
    home.run_ok("score", "--day", TODAY, now=NOW)
    assert home.bytes_of("snapshots") == before


def test_the_card_of_the_bundle_in_use_is_printed_and_says_what_was_not_measured(home):
    result = home.run_ok("models", "card", "--json", now=NOW).json
    text = home.run_ok("models", "card", now=NOW).out
    assert text.strip() == result["card"].strip()
    assert f"# Model card: {result['bundle']}" in text
    assert "how good it is was not measured" in text, "its holdout has a Sunday where the next bad day would be"
    assert '"card.md"' in (home.path / "models" / result["bundle"] / "bundle.json").read_text()


@pytest.mark.slow
def test_the_card_of_a_bundle_with_bad_days_in_its_holdout_has_its_baselines_and_typologies(home):
    until = shop.day(LABELLED - 3)
    trained, _ = home.run_ok("train", "--until", until, "--json", now=NOW).json
    holdout = trained["details"]["stacker"]["holdout_metrics"]
    assert holdout["bad"] > 0
    assert sum(kind["user_days"] for kind in holdout["typologies"]) == holdout["bad"]
    assert {kind["typology"] for kind in holdout["typologies"]} <= {"takeover", "refund_abuse"}
    text = home.run_ok("models", "card", trained["details"]["bundle"], now=NOW).out
    for word in (
        "baseline: random",
        "**this bundle**",
        "upper bound: an oracle",
        "| `lstm_autoencoder` |",
        "RISK_LIST_SIZE=8",
    ):
        assert word in text


def test_the_first_bundle_had_no_stacker_and_its_card_says_so(home):
    first = home.run_ok("models", "list", "--json", now=NOW).json[0]["bundle"]
    assert "**There is no stacker:**" in home.run_ok("models", "card", first, now=NOW).out
    assert explains_failure(home.run("models", "card", "nonsense", now=NOW), 3, "no bundle 'nonsense'")
