"""The list on a terminal."""

import io

from rich.console import Console
from small_day import DAY, RISKS, add_bundle, add_scores

from pipeline.publish import latest_good, read_list, render


def shown(table, manifest, limit=None, width=100):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(render(table, manifest, limit))
    return console.file.getvalue()


def test_the_table_names_accounts_risks_reasons_and_the_expected_precision(home, publish_day):
    publish_day()
    text = shown(*read_list(home, DAY))
    assert "ann" in text and "95.0%" in text and "money added 1.5" in text
    assert "expected precision 61%, at least 50% asked" in text
    assert "4 of 8 accounts" in text


def test_a_limit_shows_the_first_ranks_only(home, publish_day):
    publish_day()
    text = shown(*read_list(home, DAY), limit=1)
    assert "ann" in text and "bob" not in text


def test_hostile_names_are_text_and_nothing_else(tmp_path, publish_in):
    add_bundle(tmp_path)
    add_scores(tmp_path, {"[bold red]x[/]": 0.9, "a\x1b[2Jb": 0.8, "[/nonsense]": 0.7, "\u202etxt.exe": 0.7})
    publish_in(tmp_path)
    text = shown(*read_list(tmp_path, DAY))
    assert "[bold red]x[/]" in text and "[/nonsense]" in text
    assert "\x1b" not in text and "\u202e" not in text


def test_without_risks_the_surprise_is_shown(tmp_path, publish_in):
    add_bundle(tmp_path, is_used=False)
    add_scores(tmp_path, dict.fromkeys(RISKS))
    publish_in(tmp_path)
    text = shown(*read_list(tmp_path, DAY), width=200)
    assert "surprise" in text and "top 0.10%" in text
    assert "12 matured bad labels, 50 needed" in text


def test_an_empty_list_says_that_it_is_an_answer(tmp_path, publish_in):
    add_bundle(tmp_path)
    add_scores(tmp_path, dict.fromkeys(RISKS, 0.1))
    publish_in(tmp_path)
    assert "nothing stood out" in shown(*read_list(tmp_path, DAY), width=200)


def test_a_stale_list_says_so(home, publish_day):
    publish_day()
    assert "STALE: 2026-11-21 has no list yet" in shown(*latest_good(home, DAY.replace(day=21)))
