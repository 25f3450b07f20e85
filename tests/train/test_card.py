"""The model card says what the manifest says, in words."""

import shlex

import pytest
from made_cards import NO_STACKER, SHOP, STACKER, changed, gate, lift, lines, manifest, sources

from pipeline.domain import Domain
from pipeline.train import card as cards
from pipeline.train.card import card


def test_every_number_stands_between_baselines_and_the_upper_bound():
    text = card(manifest(), SHOP, "shop")
    assert lines(text, "baseline: random", "| 0.0100 | 0.0099 |")
    assert lines(text, "baseline: most `spend_amount`", "| 0.111 | 0.122 |")
    assert lines(text, "baseline: its own surprise", "| 0.222 | 0.133 |")
    assert lines(text, "**this bundle**", "**0.412**", "**0.288**")
    assert lines(text, "upper bound", "| 1.000 | 0.765 |")


def test_each_part_of_the_split_has_its_days_and_its_numbers():
    text = card(manifest(), SHOP, "shop")
    assert lines(text, "all days read", "2026-02-01 to 2026-03-28 (3 active days)")
    assert lines(text, "the sequence models learn", "2026-02-01 to 2026-02-10", "12,345")
    assert lines(text, "the stacker learns", "2026-02-11 to 2026-03-20", "32,000", "320")
    assert lines(text, "holdout: its last block", "2026-03-10 to 2026-03-20", "8,000", "80")


def test_a_base_model_is_on_or_off_with_its_lift_and_the_others_were_not_tried():
    text = card(manifest(), SHOP, "shop")
    assert lines(text, "| `gru` | **on** | +12.0 (+3.0 to +21.0) | 9.0 |", "catches more")
    assert lines(text, "| `lstm_autoencoder` | off | +1.0 (-4.0 to –)", "no proven lift")
    (others,) = lines(text, "Not tried:")
    assert "`vae`" in others
    assert "`gru`" not in others


def test_with_few_bad_accounts_the_card_says_by_which_rule_the_autoencoder_is_read():
    few = {**gate("lstm_autoencoder", True, 1.0, -4.0, 4.0), "rule": "on unless worse", "bad_accounts": 12}
    text = card(manifest({**STACKER, "gates": [few]}), SHOP, "shop")
    assert lines(text, "12 bad accounts and lists of 17 accounts a day.")
    assert lines(text, "`lstm_autoencoder` needs no labels, so it is read unless proven worse")
    usual = card(manifest(), SHOP, "shop")
    assert lines(usual, "123 bad accounts and lists of 17 accounts a day.")
    assert not lines(usual, "unless proven worse")


def test_the_lift_over_surprise_stands_beside_the_one_that_could_have_been_seen():
    text = card(manifest(), SHOP, "shop")
    assert lines(
        text,
        "On 2026-03-10 to 2026-03-20, with lists of 17 accounts a day: +9.0 (+2.5 to +15.0) bad accounts caught",
    )
    assert lines(text, "A lift of 6.5 or 6.5000 could have been seen.")


@pytest.mark.parametrize(("is_on", "words"), [(True, "Not worse, so they are read."), (False, "**Worse")])
def test_new_features_are_named_with_what_they_add_and_without_any_nothing_is_said(is_on, words):
    new = {"names": ["event_count", "spend_amount"], "is_on": is_on, **lift(1.0, -4.0, 3.0)}
    text = card(manifest({**STACKER, "new_features": new}), SHOP, "shop")
    assert lines(text, "did not know `event_count`, `spend_amount`. With them")
    assert lines(text, "+1.0 (-4.0 to +3.0)", words)
    assert lines(text, "A loss of 2.0 or 2.0000 could have been seen")
    assert not lines(card(manifest(), SHOP, "shop"), "New features")


def test_the_worst_kind_of_abuse_is_named():
    text = card(manifest(), SHOP, "shop")
    assert lines(text, "The worst: **sleepers**")
    assert lines(text, "| sleepers | 30 | 40 | 10.0 % |")


def test_calibration_constraints_overfitting_and_the_way_to_make_it_again_are_there():
    text = card(manifest(), SHOP, "shop")
    assert lines(text, "Kind: **beta**", "none 0.05000, platt 0.04100, beta 0.04000.")
    assert lines(text, "- `spend_amount`: the more, the higher the risk")
    assert lines(text, "learned from (24,000", "0.934")
    assert lines(text, "shuffled labels", "0.0123")
    assert lines(text, "RISK_SEED=7")
    assert lines(text, "RISK_LIST_SIZE=25 dawnlist train --domain shop --until 2026-03-28")
    for digest in ("d0d0d0d0d0d0", "f0f0f0f0f0f0", "e0e0e0e0e0e0", "1abe11abe11a"):
        assert lines(text, f"`{digest}`")


def test_the_way_to_make_it_again_names_a_pack_of_your_own_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = card(manifest(), SHOP, "my packs/it's.yml")
    (command,) = lines(text, "dawnlist train --domain")
    assert shlex.split(command)[shlex.split(command).index("--domain") + 1] == str(tmp_path / "my packs" / "it's.yml")


def test_the_reviews_are_those_of_a_list_whenever_there_is_one():
    weekly = Domain(name="shop", currency="EUR", event_types={"purchase": "purchase"}, list_every="7 days")
    assert "25 accounts a day." in card(manifest(), SHOP, "shop")
    assert "25 accounts every 7 days." in card(manifest(), weekly, "shop")


def test_without_a_stacker_the_card_says_so_and_claims_no_precision():
    text = card(manifest(NO_STACKER), SHOP, "shop")
    assert lines(text, "**There is no stacker:** 3 matured bad user-days, 50 needed")
    assert not lines(text, "average precision")
    assert not lines(text, "## Base models")
    assert lines(text, "6.500 with epoch 2 of 3, which is kept, 6.250 for those it learned from; 6.750 with")


def test_without_anything_bad_in_the_holdout_the_card_says_that_nothing_was_measured():
    text = card(manifest({**STACKER, "holdout_metrics": {"user_days": 8000, "bad": 0}}), SHOP, "shop")
    assert lines(text, "**how good it is was not measured.**")
    assert not lines(text, "baseline:")


def test_a_share_of_the_accounts_and_few_bad_days_are_on_the_card():
    text = card(manifest({**changed(bad=12), "share_of_accounts": 0.25}), SHOP, "shop")
    assert lines(text, "25.0 % of the good accounts were read")
    assert lines(text, "**12 bad user-days are few:**")
    assert not lines(card(manifest(), SHOP, "shop"), "are few")


def test_of_many_kinds_of_abuse_the_worst_are_shown_and_the_rest_counted():
    kinds = [{"typology": f"kind {n}", "accounts": 1, "user_days": 1, "recall": n / 100} for n in range(50)]
    text = card(manifest(changed(typologies=kinds)), SHOP, "shop")
    assert len(lines(text, "| kind ")) == cards.SHOWN
    assert lines(text, "And 30 more")


def test_each_source_of_labels_has_its_pace_on_the_card_with_a_stacker_and_without():
    without = {**NO_STACKER, "label_clocks": sources()["label_clocks"]}
    for text in (card(manifest(stacker), SHOP, "shop") for stacker in (sources(), without)):
        assert lines(text, "| chargeback | 1,051 | 19 | 3.2 % | 18.3 % | 100.0 % |")
        assert lines(text, "| all reports | 1,100 | – | 3.2 %")
        assert lines(text, "Days younger than 9 days wait")
    assert not lines(card(manifest(), SHOP, "shop"), "all reports"), "too few labels: no pace is claimed"
    verdicts = {**sources("verdict")["label_clocks"], "reports": 0, "reports_known": None}
    text = card(manifest({**STACKER, "label_clocks": verdicts}), SHOP, "shop")
    assert not lines(text, "all reports") and lines(text, "wait for their reports, of which there are too few")


def test_how_much_is_reported_is_shown_by_typology_by_source_and_between_sources():
    text = card(manifest(sources()), SHOP, "shop")
    assert len(lines(text, "| chargeback | 40.0 % | 20.0 % to 70.0 % | 30 | 2 |")) == 2
    assert lines(text, "chargeback named 20 accounts, chargeback 1,030, both 10. If they were independent")
    assert lines(text, "40.0 % (20.0 % to 70.0 %) of what is bad")
    assert len(lines(card(manifest(sources(count=50)), SHOP, "shop"), "| chargeback ")) == 3 * cards.SHOWN


def test_a_card_says_which_share_of_what_is_bad_is_assumed_to_be_reported():
    assert lines(card(manifest(), SHOP, "shop"), "60.0 %", "are ever reported (assumed in the domain pack)")
    complete = {**STACKER, "reported": {"share": 1.0, "from": "assumed in the domain pack"}}
    assert "ever reported" not in card(manifest(complete), SHOP, "shop")


def test_the_same_manifest_has_the_same_bytes(tmp_path):
    for name in ("once", "again"):
        cards.write(tmp_path / name, manifest(), SHOP, "shop")
    once, again = (tmp_path / name / "card.md" for name in ("once", "again"))
    assert once.read_bytes() == again.read_bytes()
