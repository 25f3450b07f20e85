"""One word for one thing: words that were replaced stay out of code, SQL, docs, templates and tests."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from types import MappingProxyType
from typing import NamedTuple

import pytest

from pipeline.settings import PROJECT

KINDS = {".py", ".sql", ".yml", ".yaml", ".md", ".j2", ".toml", ".sh", ".html", ".css", "Makefile", "Dockerfile"}
OUTSIDE = {
    "CHANGELOG.md": "what was done, in the words of its day",
    "tests/test_words.py": "this list",
}


class Old(NamedTuple):
    """A word that was replaced by `now`. `allowed`: the files that may still have it, each with the reason."""

    pattern: str
    now: str
    allowed: Mapping[str, str] = MappingProxyType({})
    files: str = "*"


WORDS = {
    "arm": Old(r"arms?", "base model", {"tests/fuzz/pack_files.py": "a field that no pack has: the fuzzer tries it"}),
    "door": Old(r"doors?", "checkpoint"),
    "floor": Old(r"floors?(?!\()", "baseline"),
    "ceiling": Old(r"ceilings?", "upper bound"),
    "promise": Old(
        r"promis(?:e|es|ed|ing)",
        "expected precision",
        {"pipeline/simulate/shop.py": "the name of a random stream: it decides the numbers drawn"},
    ),
    "wrong_share": Old(r"wrong[_ ]shares?", "min_precision"),
    "issue of a list": Old(r"(?:re-?)?issu(?:e|es|ed|ing)", "revision, publish"),
    "counterpart": Old(r"counterparts?", "counterparty"),
    "bundle in use": Old(r"bundles? in use|in use bundles?", "champion"),
    "candidate bundle": Old(r"candidate (?:bundle|model|version)s?", "challenger"),
    "candidate, in docs": Old(r"candidates?", "challenger", files="*.md"),
    "judge block": Old(r"judge[_ ](?:block|first|day)s?", "holdout"),
    "forward in time": Old(r"forward in time", "walk-forward"),
    "told, as a name": Old(
        r"(?:def|from|table|in|assert) told(?!_)|(?<!_)told(?=\s*[=(.:\[\])])", "what it holds", files="*.[ps][yq]*"
    ),
    "book": Old(r"book", "what it holds"),
    "trial": Old(r"trials?", "contender, experiment"),
    "summary_contender": Old(r"summary_contenders?", "contender_summary"),
    "house.py": Old(r"house\.py", "common.py"),
    "cells.py": Old(r"(?<!_)cells\.py", "safe_text.py"),
}


def sources() -> Iterator[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = PROJECT / name
        if name not in OUTSIDE and (path.suffix in KINDS or path.name in KINDS) and path.is_file():
            yield name


SOURCES = {name: (PROJECT / name).read_text() for name in sources()}


def places_of(old: Old) -> list[str]:
    """Each place of the word as file:line, where it is not allowed."""
    word = re.compile(rf"(?<![A-Za-z])(?:{old.pattern})(?![a-z])", re.IGNORECASE)
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in SOURCES.items()
        if fnmatch(name, old.files) and name not in old.allowed
        for number, line in enumerate(text.splitlines(), start=1)
        if word.search(line)
    ]


@pytest.mark.parametrize("word", WORDS)
def test_a_replaced_word_is_gone(word: str) -> None:
    places = places_of(WORDS[word])
    assert not places, "\n".join([f"we say {WORDS[word].now}:", *places])


@pytest.mark.parametrize("word", WORDS)
def test_a_file_is_allowed_an_old_word_only_while_it_has_it(word: str) -> None:
    old = WORDS[word]
    allowed = {place.partition(":")[0] for place in places_of(old._replace(allowed={}))} & set(old.allowed)
    assert allowed == set(old.allowed)
