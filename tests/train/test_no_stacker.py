"""Where no stacker is made, the receipt says where the known bad user-days went."""

from dataclasses import asdict
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline import train
from pipeline.models.bundle import Manifest
from pipeline.train.fitting import KnownBad, no_stacker

FIRST, MATURED_UNTIL = date(2026, 3, 1), date(2026, 3, 20)
EARLY, YOUNG, INSIDE = date(2026, 2, 3), date(2026, 3, 21), date(2026, 3, 20)


def receipt(stacker):
    manifest = Manifest(
        id="2026-03-27-abc",
        domain="shop",
        until=date(2026, 3, 27),
        features=[],
        columns=[],
        spreads={},
        made_from={},
        autoencoder={},
        stacker=stacker,
        files={},
    )
    return train._receipt(manifest, True)


@given(st.lists(st.integers(-40, 40), max_size=60), st.integers(-50, 40), st.data())
def test_each_known_bad_user_day_is_counted_once(offsets, matured, data):
    days = [FIRST + timedelta(days=n) for n in offsets]
    until = FIRST + timedelta(days=matured)
    usable = data.draw(st.integers(0, sum(FIRST <= day <= until for day in days)))
    known = asdict(KnownBad.of(days, usable, FIRST, until))
    assert sum(known.values()) == len(days)
    assert min(known.values()) >= 0


def test_the_receipt_says_how_many_and_why_the_rest_fell_away():
    known = KnownBad.of([EARLY] * 5 + [YOUNG] * 20 + [INSIDE] * 15, 12, FIRST, MATURED_UNTIL)
    stacker = no_stacker(known, 50)
    assert stacker["why"] == "12 matured bad user-days, 50 needed"
    assert receipt(stacker).details["no_stacker"] == (
        "12 matured bad user-days, 50 needed; "
        "40 known, of them 20 too young, 5 before the first training day, 3 without activity that day; "
        "dawnlist suggest says which settings fit"
    )


def test_enough_of_them_in_the_wrong_place_is_said_too():
    details = receipt(no_stacker(KnownBad.of([INSIDE] * 60, 60, FIRST, MATURED_UNTIL), 50)).details
    assert details["no_stacker"].startswith("60 matured bad user-days, 50 needed, half of them after the first")
    assert details["no_stacker"].endswith("; 60 known; dawnlist suggest says which settings fit")


def test_with_a_stacker_there_is_nothing_to_explain():
    assert "no_stacker" not in receipt({"is_used": True}).details
