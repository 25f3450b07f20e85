"""The model card says what the manifest says, in words, and never runs a name from outside."""

import copy
import re
import shlex
from datetime import UTC, date, datetime
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pipeline.commands import models as commands
from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.models import bundle as bundles
from pipeline.models import registry
from pipeline.safe_text import one_line
from pipeline.settings import Settings
from pipeline.storage.files import sha256_of
from pipeline.train import card as cards
from pipeline.train.card import card, safe

SHOP = Domain(name="shop", title="A <b>shop</b>", currency="EUR", event_types={"purchase": "purchase"})
AT = datetime(2026, 4, 1, tzinfo=UTC)
NAME = "2026-03-28-0123456789ab"
MADE_FROM = {
    "until": "2026-03-28",
    "domain": {"name": "shop", "digest": "d0d0d0d0d0d0"},
    "features": "f0f0f0f0f0f0",
    "code": "c0c0c0c0c0c0",
    "settings": {"train_days": 60, "min_bad_labels": 50, "seed": 7, "threads": 2},
    "reviews": 25,
    "user_days": {"2026-02-01": "aaa", "2026-03-28": "bbb", "2026-02-02": "ccc"},
    "event_tokens": "e0e0e0e0e0e0",
    "labels": "1abe11abe11a",
}
AUTOENCODER = {
    "learned_from": ["2026-02-01", "2026-02-10"],
    "validated_on": ["2026-02-11", "2026-02-13"],
    "quiet_times": ["2026-02-11", "2026-03-28"],
    "user_days": {"learned": 12345, "later": 4000},
    "later_nats_baselines": {"all_users": 11.0, "own_past": 8.25},
    "fits": [
        {"train_nats": [9.0, 6.25, 6.0], "later_nats": [9.1, 6.5, 6.6], "epochs": 3, "best_epoch": 1},
        {"train_nats": [9.0, 6.125], "later_nats": [9.1, 6.75], "epochs": 2, "best_epoch": 1},
    ],
}
HOLDOUT = {
    "user_days": 8000,
    "bad": 80,
    "average_precision": 0.412,
    "precision_at_reviews": 0.288,
    "reviews_per_day": 25,
    "expected_calibration_error": 0.00123,
    "brier": 0.00456,
    "baseline_random": 0.01,
    "baselines": {
        "random": {"average_precision": 0.01, "precision_at_reviews": 0.0099},
        "single_feature": {
            "feature": "spend_amount",
            "which": "most",
            "average_precision": 0.111,
            "precision_at_reviews": 0.122,
        },
        "surprise": {"average_precision": 0.222, "precision_at_reviews": 0.133},
    },
    "upper_bound": {"average_precision": 1.0, "precision_at_reviews": 0.765},
    "typologies": [
        {"typology": "sleepers", "accounts": 30, "user_days": 40, "recall": 0.1},
        {"typology": "takeover", "accounts": 35, "user_days": 40, "recall": 0.9},
    ],
    "worst_typology": "sleepers",
    "overfitting": {
        "user_days": 24000,
        "bad": 240,
        "average_precision_learned": 0.934,
        "average_precision_later": 0.409,
        "average_precision_labels_shuffled": 0.0123,
    },
}


def lift(value, low, high):
    least = {"least_seen": value - low, "least_loss_seen": None if high is None else high - value}
    found = {"value": value, "low": low, "high": high, **least}
    return {"list_length": 17, "caught": found, "average_precision": found}


def gate(base_model, is_on, value, low, high):
    found = lift(value, low, high)
    why = "catches more" if is_on else "no proven lift"
    base = {
        "base_model": base_model,
        "is_on": is_on,
        "why": why,
        "rule": "on if better",
        "bad_accounts": 123,
    }
    return {**base, **found}


STACKER = {
    "is_used": True,
    "why": "320 matured bad user-days, 50 needed",
    "bad_user_days": 320,
    "learned_from": ["2026-02-11", "2026-03-20"],
    "holdout": ["2026-03-10", "2026-03-20"],
    "user_days": 32000,
    "reported": {"share": 0.6, "from": "assumed in the domain pack"},
    "share_of_accounts": 1.0,
    "monotone": {"spend_amount": "rises"},
    "gates": [gate("gru", True, 12.0, 3.0, 21.0), gate("lstm_autoencoder", False, 1.0, -4.0, None)],
    "new_features": None,
    "over_surprise": lift(9.0, 2.5, 15.0),
    "calibration": {"kind": "beta", "log_losses": {"none": 0.05, "platt": 0.041, "beta": 0.04}},
    "holdout_metrics": HOLDOUT,
}
NO_STACKER = {"is_used": False, "why": "3 matured bad user-days, 50 needed", "bad_user_days": 3}


def manifest(stacker=STACKER, files=None):
    return bundles.Manifest(
        id=NAME,
        domain="shop",
        until=date(2026, 3, 28),
        features=[],
        columns=[],
        spreads={},
        made_from=MADE_FROM,
        autoencoder=AUTOENCODER,
        stacker=stacker,
        files=files or {},
    )


def changed(**metrics):
    stacker = copy.deepcopy(STACKER)
    stacker["holdout_metrics"] |= metrics
    return stacker


def lines(text, *words):
    """The lines with all these words."""
    return [line for line in text.splitlines() if all(word in line for word in words)]


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


def sources(name="chargeback", count=1):
    """A stacker whose labels came from one source, or from several of that name."""
    known = {"7": 0.032, "14": 0.1828, "30": 1.0}
    clock = {"source": name, "labels": 1051, "median_days": 19, "known": known}
    share = {"share": 0.4, "low": 0.2, "high": 0.7, "reviewed": 30, "audited": 2}
    pair = {"first": name, "second": name, "named_by_first": 20, "named_by_second": 1030, "both": 10, **share}
    parts = {
        "by_typology": [{"typology": name, **share}] * count,
        "by_source": [{"source": name, **share}] * count,
        "between_sources": [pair],
    }
    clocks = {"wait_days": 9, "reports": 1100, "reports_known": known, "by_source": [clock] * count}
    return {**STACKER, "label_clocks": clocks, "reported": {**STACKER["reported"], **parts}}


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


def test_every_table_has_as_many_cells_in_each_row():
    table: list[int] = []
    stacker = {**sources(HOSTILE[0]), "holdout_metrics": changed(worst_typology=HOSTILE[0])["holdout_metrics"]}
    for line in [*card(manifest(stacker), SHOP, "shop").splitlines(), ""]:
        if line.startswith("|"):
            table.append(len(re.findall(r"(?<!\\)\|", line)))
        else:
            assert len(set(table)) <= 1
            table = []


HOSTILE = [
    "a|b\n| c | d |",
    "<script>alert(1)</script>",
    "[click](http://evil.example)",
    "![x](http://evil.example/p.png)",
    "`rm -rf`**bold**_it_",
    "\x1b[31mred\u202egnp",
    "www.evil.example",
    "&lt;b&gt;",
    "# heading",
    "\\|",
    "x" * 500,
    "{{ bundle.id }}{% raw %}",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_kind_of_abuse_stays_one_cell_of_plain_text(name):
    def shown_with(name):
        kinds = [{"typology": name, "accounts": 1, "user_days": 1, "recall": 0.5}]
        metrics = changed(typologies=kinds, worst_typology=name)["holdout_metrics"]
        return card(manifest({**sources(name), "holdout_metrics": metrics}), SHOP, "shop")

    text, usual = shown_with(name), shown_with("usual")
    assert len(text.splitlines()) == len(usual.splitlines())
    kinds_of_token = {token.type for token in tokens(text)}
    assert kinds_of_token == {token.type for token in tokens(usual)}
    shown = [token.content for token in tokens(text) if token.type == "inline_text"]
    assert shortened(name) in shown
    assert not set("\x1b\u202e") & set(text)
    assert "www.evil" not in text


@settings(deadline=None)
@given(st.text(max_size=80))
def test_whatever_a_name_holds_it_is_shown_as_it_is(name):
    text = f"| a | b |\n|---|---|\n| {safe(name)} | end |\n"
    found = tokens(text)
    assert not {token.type for token in found} & {"link_open", "image", "html_inline", "em_open", "code_inline"}
    shown = [token.content for token in found if token.type == "inline_text"]
    assert shown == ["a", "b", *([line] if (line := shortened(name)) else []), "end"]


def shortened(name):
    line = one_line(name)
    return (line if len(line) <= cards.LONGEST else line[: cards.LONGEST - 1] + "…").strip()


def tokens(text):
    """What a reader of Markdown makes of a page; each stretch of text is one token `inline_text`."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        found.append(token)
        parts = token.children or []
        found += [part for part in parts if part.type not in ("text", "text_special")]
        for is_text, run in groupby(parts, lambda part: part.type in ("text", "text_special")):
            if is_text:
                found.append(Token("inline_text", "", 0, content="".join(part.content for part in run)))
    return found


@given(st.text(max_size=80))
def test_a_terminal_shows_a_name_without_escapes(name):
    assert cards.plain(safe(name)).strip() == shortened(name)


def test_a_card_says_which_share_of_what_is_bad_is_assumed_to_be_reported():
    assert lines(card(manifest(), SHOP, "shop"), "60.0 %", "are ever reported (assumed in the domain pack)")
    complete = {**STACKER, "reported": {"share": 1.0, "from": "assumed in the domain pack"}}
    assert "ever reported" not in card(manifest(complete), SHOP, "shop")


def test_a_title_is_printed_without_a_backslash(monkeypatch, capsys):
    titled = SHOP.model_copy(update={"title": "Online [red] Retail (UCI) & <sons>"})
    monkeypatch.setattr(commands.daily, "settings_of", lambda request: Settings())
    monkeypatch.setattr(cards, "read", lambda *_: ("one", card(manifest(), titled, "shop")))
    commands.models_card()
    shown = capsys.readouterr().out
    assert "(Online [red] Retail (UCI) & <sons>)" in shown


def test_plain_names_are_left_as_they_are():
    assert [safe(name) for name in ("account_takeover", "card-testing", "fake reviews")] == [
        "account_takeover",
        "card-testing",
        "fake reviews",
    ]
    assert safe("_emphasis_") == "\\_emphasis\\_"


def test_punctuation_that_means_nothing_in_markdown_is_left_as_it_is():
    title = "Films & series, rated 0.5 to 5 (stars): what's new?"
    assert safe(title) == title


def test_the_same_manifest_has_the_same_bytes(tmp_path):
    for name in ("once", "again"):
        cards.write(tmp_path / name, manifest(), SHOP, "shop")
    once, again = (tmp_path / name / "card.md" for name in ("once", "again"))
    assert once.read_bytes() == again.read_bytes()


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
