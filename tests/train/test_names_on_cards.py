"""A model card shows a name from outside as it is, and never runs it."""

import re
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_cards import SHOP, changed, manifest, sources
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pipeline.commands import models as commands
from pipeline.safe_text import one_line
from pipeline.settings import Settings
from pipeline.train import card as cards
from pipeline.train.card import card, safe

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


def test_every_table_has_as_many_cells_in_each_row():
    table: list[int] = []
    stacker = {**sources(HOSTILE[0]), "holdout_metrics": changed(worst_typology=HOSTILE[0])["holdout_metrics"]}
    for line in [*card(manifest(stacker), SHOP, "shop").splitlines(), ""]:
        if line.startswith("|"):
            table.append(len(re.findall(r"(?<!\\)\|", line)))
        else:
            assert len(set(table)) <= 1
            table = []


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
