"""The list on a terminal."""

import io

import pytest
from rich.console import Console
from small_day import AS_OF, DAY, RISKS, SHOP, add_bundle, add_scores

from pipeline import publish
from pipeline.context import Run
from pipeline.errors import InputError
from pipeline.publish import latest_good, ranking_behind, read_list, render, render_ranking
from pipeline.settings import Settings
from pipeline.storage import snapshots


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


def test_the_caption_says_how_many_are_expected_to_be_bad(home, publish_day):
    publish_day()
    assert "of these 4 accounts we expect 1 to 4 to be bad" in shown(*read_list(home, DAY), width=200)


def test_a_short_list_says_what_stands_next_and_what_would_fill_it(tmp_path, publish_in):
    add_bundle(tmp_path)
    add_scores(tmp_path, {"ann": 0.9, "bob": 0.05, "cat": 0.03, "dan": 0.0004, "eve": 0.0})
    publish_in(tmp_path)
    text = shown(*read_list(tmp_path, DAY), width=400)
    assert "of this one account we expect 0 to 1 to be bad" in text
    assert "next is rank 2 with risk 5.0%; min_precision 0.24 would fill all 4 slots" in text


def test_a_day_with_few_accounts_says_what_would_list_all(tmp_path, publish_in):
    add_bundle(tmp_path)
    add_scores(tmp_path, {"ann": 0.9, "bob": 0.00001})
    publish_in(tmp_path)
    assert "next is rank 2 with risk 0.001%; min_precision 0.45 would list all 2 accounts" in shown(
        *read_list(tmp_path, DAY), width=400
    )


def test_audit_rows_are_counted_apart(tmp_path):
    add_bundle(tmp_path)
    add_scores(tmp_path, RISKS | {f"user-{n}": 0.001 for n in range(30)})
    publish.run(Run(Settings(home=tmp_path, list_size=20), SHOP, DAY, AS_OF))
    text = shown(*read_list(tmp_path, DAY), width=400)
    assert "5 of 38 accounts; ranked by risk" in text
    assert "1 more drawn at random, to measure what the list misses" in text
    assert "Drawn at random, to measure what the list misses." in text


def test_the_ranking_behind_a_list_has_every_scored_account(home, publish_day):
    publish_day()
    ranking = ranking_behind(home, *read_list(home, DAY))
    assert ranking["user_id"].to_pylist() == ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal"]
    assert ranking["risk"].to_pylist() == list(RISKS.values())
    assert ranking["is_listed"].to_pylist() == [True] * 4 + [False] * 4
    assert ranking["picked_by"].to_pylist() == ["risk"] * 4 + [None] * 4
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(render_ranking(ranking, read_list(home, DAY)[1], limit=5))
    assert "Ranking behind the risk list of 2026-11-19" in console.file.getvalue()
    assert "eve" in console.file.getvalue() and "fay" not in console.file.getvalue()


def test_the_ranking_is_of_the_scores_the_list_was_made_from(home, publish_day):
    publish_day()
    shown_list = read_list(home, DAY)
    add_scores(home, RISKS | {"hal": 0.99}, salt="late events")  # newer scores that no list was made from
    assert ranking_behind(home, *shown_list)["user_id"].to_pylist()[0] == "ann"


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_scores_that_are_not_those_of_the_list_are_asked_for(home, publish_day, harm):
    publish_day()
    table, manifest = read_list(home, DAY)
    path = snapshots.folder(home, "scores", DAY) / f"{manifest['snapshots']['scores']['id']}.parquet"
    path.unlink() if harm == "gone" else path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="dawnlist run --day 2026-11-19 --as-of"):
        ranking_behind(home, table, manifest)


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
