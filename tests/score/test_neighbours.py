"""Accounts that behave like this one: nearest by cosine, each once, never across bundles."""

import io
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console
from support import add_snapshot, label, moment, write_labels

from pipeline.errors import InputError
from pipeline.score.neighbours import EMBEDDINGS, embeddings, neighbours, render
from pipeline.settings import Settings
from pipeline.storage.files import digest

DAY = date(2026, 3, 20)
AS_OF = datetime(2026, 3, 22, tzinfo=UTC)
EAST, NORTH, NORTH_EAST, WEST = [1.0, 0.0], [0.0, 1.0], [0.7, 0.7], [-0.5, 0.0]


def ago(n):
    return DAY - timedelta(days=n)


def add(home, day, vectors, bundle="b1"):
    """A day's embeddings; `vectors` by account."""
    home.mkdir(exist_ok=True)
    aside = home / "aside.parquet"
    code = np.array(list(vectors.values()), np.float64).reshape(len(vectors), -1 if vectors else 2)
    pq.write_table(embeddings(bundle, day, pa.array(list(vectors), pa.string()), code), aside)
    made_from = {"bundle": bundle, "vectors": digest(code.tolist()), "users": list(vectors)}
    return add_snapshot(home, EMBEDDINGS, day, aside, made_from, AS_OF)


@pytest.fixture
def look_up(tmp_path):
    def ask(user, day=DAY, back=28, limit=10):
        return neighbours(Settings(home=tmp_path, threads=1), day, user, back, limit, AS_OF)

    return ask


def as_tuples(found):
    return [(each.user_id, each.day, each.distance) for each in found.nearest]


def test_the_nearest_come_first_and_how_long_a_vector_is_does_not_matter(tmp_path, look_up):
    add(tmp_path, DAY, {"ann": EAST, "bob": WEST, "cat": NORTH_EAST, "dan": NORTH, "eve": [0.1, 0.0]})
    expected = [("eve", 0.0), ("cat", 1 - np.sqrt(0.5)), ("dan", 1.0), ("bob", 2.0)]
    assert [(user, distance) for user, _, distance in as_tuples(look_up("ann"))] == [
        (user, pytest.approx(distance, abs=1e-6)) for user, distance in expected
    ]
    assert [user for user, _, _ in as_tuples(look_up("ann", limit=2))] == ["eve", "cat"]


def test_another_account_is_named_once_with_its_nearest_day_and_of_equal_ones_the_latest(tmp_path, look_up):
    add(tmp_path, ago(3), {"bob": EAST, "cat": NORTH, "ann": EAST})
    add(tmp_path, ago(2), {"bob": EAST})
    add(tmp_path, DAY, {"ann": EAST, "bob": NORTH})
    assert as_tuples(look_up("ann")) == [("bob", ago(2), 0.0), ("cat", ago(3), 1.0)]
    assert as_tuples(look_up("ann", back=1)) == [("bob", DAY, 1.0)]


@pytest.mark.slow
@settings(deadline=None)
@given(arrays(np.float64, (9, 4), elements=st.integers(-3, 3).map(float)), st.integers(1, 8))
def test_the_same_accounts_as_a_plain_calculation_finds(tmp_path_factory, vectors, limit):
    home = tmp_path_factory.mktemp("home")
    names = [f"u{n % 5}" for n in range(9)]  # two days: u0..u4 and u0..u3
    add(home, DAY, dict(zip(names[:5], vectors[:5], strict=True)))
    add(home, ago(1), dict(zip(names[5:], vectors[5:], strict=True)))
    found = neighbours(Settings(home=home, threads=1), DAY, "u0", 28, limit, AS_OF)

    expected: dict[str, float] = {}
    for name, vector in zip(names, vectors, strict=True):
        length = np.linalg.norm(vector) * np.linalg.norm(vectors[0])
        if name != "u0" and length > 0:
            expected[name] = min(expected.get(name, 2.0), 1 - float(vector @ vectors[0] / length))
    assert {each.user_id: each.distance for each in found.nearest} == {
        each.user_id: pytest.approx(expected[each.user_id], abs=1e-6) for each in found.nearest
    }
    distances = [each.distance for each in found.nearest]
    assert distances == [pytest.approx(d, abs=1e-6) for d in sorted(expected.values())[:limit]]


def test_days_of_another_bundle_are_never_compared_but_named(tmp_path, look_up):
    add(tmp_path, ago(2), {"bob": EAST}, bundle="b0")
    add(tmp_path, ago(1), {"cat": NORTH})
    add(tmp_path, DAY, {"ann": EAST})
    found = look_up("ann", back=3)
    assert as_tuples(found) == [("cat", ago(1), 1.0)]
    assert (found.of_other_bundles, found.not_scored, found.days_seen) == ((ago(2),), (ago(3),), 2)
    assert "1 day of 2026-03-18..2026-03-18 skipped: another bundle's vectors" in shown(found)


def test_an_account_alone_has_no_neighbours(tmp_path, look_up):
    add(tmp_path, DAY, {"ann": EAST})
    assert look_up("ann").nearest == ()


def test_who_was_known_to_be_bad_by_the_end_of_that_day_is_said(tmp_path, look_up):
    add(tmp_path, ago(5), {"bob": EAST, "cat": EAST, "dan": EAST})
    add(tmp_path, DAY, {"ann": EAST, "eve": NORTH})
    write_labels(
        tmp_path,
        [
            label("bob", moment(ago(5)), moment(ago(1)), "e1", typology="takeover"),
            label("cat", moment(ago(9)), moment(ago(1)), "e2", typology="refund_abuse"),
            label("dan", moment(ago(5)), moment(ago(-1)), "e3"),
        ],
    )
    found = {each.user_id: each for each in look_up("ann").nearest}
    assert (found["bob"].is_bad_that_day, found["bob"].typologies) == (True, ("takeover",))
    assert (found["cat"].is_bad_that_day, found["cat"].known_bad_days) == (False, 1)
    assert (found["dan"].known_bad_days, found["eve"].known_bad_days) == (0, 0), "dan's became known a day later"


def test_who_was_not_active_that_day_is_explained(tmp_path, look_up):
    add(tmp_path, DAY, {"ann": EAST})
    add(tmp_path, ago(1), {"bob": EAST})
    with pytest.raises(InputError, match="account 'bob' was not active on 2026-03-20"):
        look_up("bob")


def test_a_day_without_users_is_explained_like_one(tmp_path, look_up):
    add(tmp_path, DAY, {})
    with pytest.raises(InputError, match="was not active"):
        look_up("ann")


def test_a_day_that_was_not_scored_is_explained_with_its_cure(tmp_path, look_up):
    add(tmp_path, DAY, {"ann": EAST})
    with pytest.raises(
        InputError, match=r"no snapshot of embeddings for 2026-03-19(.|\n)*dawnlist score --day 2026-03-19"
    ):
        look_up("ann", ago(1))


def test_a_damaged_day_of_the_look_back_is_explained(tmp_path, look_up):
    add(tmp_path, ago(1), {"bob": EAST}).path(tmp_path).write_bytes(b"")
    add(tmp_path, DAY, {"ann": EAST})
    with pytest.raises(InputError, match="of embeddings for 2026-03-19 is damaged"):
        look_up("ann")


def test_names_from_outside_are_shown_and_never_run(tmp_path, look_up):
    hostile = "bob' or 1=1 --[red]\x1b[31m\n\u202e"
    add(tmp_path, DAY, {"ann": EAST, hostile: NORTH})
    write_labels(tmp_path, [label(hostile, moment(DAY, 3), moment(DAY, 5), "e1", typology="[bold]x\x1b[1m")])
    assert as_tuples(look_up(hostile)) == [("ann", DAY, 1.0)]
    text = shown(look_up("ann"))
    assert "bob' or 1=1 --[red]" in text
    assert "[bold]x" in text
    assert not set("\x1b\u202e") & set(text)


def shown(found):
    out = io.StringIO()
    Console(file=out, width=140).print(render(found))
    return out.getvalue()
