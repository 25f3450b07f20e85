"""Files of verdicts, and the lists and events that they are about."""

from typing import Any

from files import File, delivery, mostly, texts
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from odd_values import ODD_TEXTS, ODD_TIMES, words

# Day -> account -> what the list's CSV shows for it.
LISTED: dict[str, dict[str, str]] = {
    "2026-10-24": {"ann": "ann"},
    "2026-11-19": {"ann": "ann", "bob": "bob", "=cat": "'=cat", "a\u200eb": "a b", "a b": "a b", "dan\u200e": "dan "},
}


NAMES = [name for listed in LISTED.values() for pair in listed.items() for name in pair]


VERDICT_CELLS: dict[str, SearchStrategy[Any]] = {
    "day": mostly(
        st.sampled_from(tuple(LISTED)), ("", "2026-11-20", "2026-1-5", "1066-10-14", "2200-01-01", "19.11.2026")
    ),
    "user_id": mostly(st.sampled_from(NAMES), ("", "eve", "cat", " ann", "dan", *ODD_TEXTS)),
    "verdict": mostly(
        st.sampled_from(("confirmed", "dismissed", "unsure", "Confirmed ")), ("", "perhaps", "confirmed!")
    ),
    "decided_at": mostly(
        st.sampled_from(
            ("2026-11-20T10:00:00Z", "2026-11-21 09:00", "2026-10-25 02:30:00", "2026-11-20T00:00:00+00:00")
        ),
        ("", "2026-W47-5", *ODD_TIMES),
        4,
    ),
    "typology": texts(4),
    "note": mostly(
        st.sampled_from(("called", "two\nlines", 'a "quoted" word')), ("", "x" * 4097, "n" * 70_000, *ODD_TEXTS), 3
    ),
    "analyst": texts(),
    "rank": words,
    "scope": mostly(st.sampled_from(("", "day", "Account", "event")), ("all", "days"), 3),
    "event_id": mostly(st.sampled_from(("", "", "e1")), ("e2", *ODD_TEXTS), 4),
    "since": mostly(st.sampled_from(("", "", "2026-11-18", "2026-10-25 02:30:00")), ("soon", *ODD_TIMES), 4),
}


# Day -> account -> its events.
DONE: dict[str, dict[str, list[str]]] = {"2026-11-19": {"eve": ["e1"], "ann": ["e1"]}, "2026-11-20": {"ann": ["e2"]}}


REQUIRED_OF_VERDICTS = ("day", "user_id", "verdict", "decided_at")


def verdict_files() -> SearchStrategy[list[File]]:
    return delivery("csv", VERDICT_CELLS, REQUIRED_OF_VERDICTS, most=3, name="verdicts")
