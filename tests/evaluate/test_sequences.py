"""Users as windows of events: in order, cut at so many steps, and with no more labels than there are."""

import duckdb
import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.evaluate.protocol import Protocol
from pipeline.evaluate.sequence_data import read_sequences
from pipeline.evaluate.sequences import _folds, with_labels

WIKI = Protocol.load("wiki_edits")


@pytest.fixture
def edits(tmp_path):
    """Sixty editors of each split with 15 edits; flag 0 alternates, flag 1 is in vandals' last edit of the first 12."""
    path = tmp_path / "edits.parquet"
    others = ", ".join(f"0.0 as {name}" for name in WIKI.sequence.flags[2:])
    duckdb.sql(
        f"""copy (
            select split, user_idx, step, (step % 2) / sqrt(2) as f0,
                if(step = 11 and user_idx % 2 = 1, 0.5, 0.0) as f1, {others}, user_idx % 2 as label
            from (values ('train'), ('valid'), ('test')) splits (split),
                range(60) users (user_idx), range(15) steps (step)
            order by random()
        ) to '{path}' (format parquet)"""
    )
    return read_sequences(WIKI.model_copy(update={"events": ("edits.parquet",)}), tmp_path)


def test_each_split_has_its_editors_and_their_first_edits(edits):
    for part in (edits.train, edits.valid, edits.test):
        assert len(part) == 60
        assert set(part.windows.length) == {12}
        assert part.is_bad.sum() == 30


def test_edits_are_in_order_and_a_flag_is_there_or_not(edits):
    first = edits.test.windows.take(np.array([0]))
    codes = edits.test.tokens.codes[first.start[0] : first.end[0]]
    assert codes[:, 0].tolist() == [2, 3] * 6
    assert set(codes[:, 2]) == {2}


def test_aggregates_say_how_often_first_last_and_how_many_changes(edits):
    place = {name: i for i, name in enumerate(edits.test.columns)}
    rows, is_bad = edits.test.rows, edits.test.is_bad
    assert np.all(rows[:, place["f0_share"]] == 0.5)
    assert np.all(rows[:, place["f0_changes"]] == 11)
    assert np.all(rows[:, place["f0_first"]] == 0)
    assert np.array_equal(rows[:, place["f1_last"]] == 1, is_bad)


def test_few_labels_are_that_many_half_of_them_bad_and_no_other_is_known(edits):
    some = with_labels(edits, 20, repeat=0)
    assert some.train.weight.sum() == 20
    assert some.train.is_bad.sum() == some.train.is_bad_account.sum() == 10
    assert some.valid.weight.sum() == 0
    assert not some.valid.is_bad.any()
    assert some.test is edits.test
    assert not np.array_equal(some.train.weight, with_labels(edits, 20, repeat=1).train.weight)


def test_who_is_scored_is_neither_learned_from_nor_stopped_by(edits):
    seen = []
    for learn, stop, rows in _folds(edits.train):
        scored = set(edits.train.windows.user[rows])
        with_label = {*learn.windows.user[learn.weight > 0], *stop.windows.user[stop.weight > 0]}
        assert not scored & with_label
        seen += rows.tolist()
    assert sorted(seen) == list(range(60))


def test_a_missing_file_is_explained(tmp_path):
    for data in (tmp_path, None):
        with pytest.raises(InputError, match="--data"):
            read_sequences(WIKI, data)


def own_protocol(**sequence):
    columns = {"user": "account", "step": "nth", "label": "is_bad", "split": "part", **sequence}
    content = {"name": "own", "title": "Own", "kind": "sequences", "events": ["own.csv"], "sequence": columns}
    return Protocol.model_validate(content)


OWN = own_protocol(flags=["urgent"], categories=["kind"], numbers=["amount"])


def write_own(folder, rows):
    lines = ["part,account,nth,is_bad,urgent,kind,amount", *(",".join(map(str, row)) for row in rows)]
    (folder / "own.csv").write_text("\n".join(lines) + "\n")


def test_a_file_of_your_own_needs_only_its_columns_named(tmp_path):
    some = [("train", user, step, user % 2, 0, "view", 10 ** (1 + user % 3)) for user in range(6) for step in range(3)]
    rare = [
        ("valid", "v", 0, "true", 1, "sale", ""),
        ("valid", "v", 7, "true", 0, "", 0),
        ("test", 0, 0, 0, 1, "view", -5),
    ]
    write_own(tmp_path, [*some, *rare])
    found = read_sequences(OWN, tmp_path)
    assert [len(part) for part in (found.train, found.valid, found.test)] == [6, 1, 1]
    assert found.valid.is_bad.tolist() == [True] and found.test.is_bad.tolist() == [False]
    tokens, [start] = found.valid.tokens, found.valid.windows.start
    assert found.train.fields.names == ("urgent", "kind", "amount")
    assert tokens.codes[start : start + 2].tolist() == [[3, 1], [2, 0]], "sale is not in training, then no kind at all"
    assert np.isnan(tokens.numbers[start, 0]) and np.isneginf(tokens.numbers[start + 1, 0])
    place = {name: i for i, name in enumerate(found.test.columns)}
    assert found.test.rows[0, place["kind=view_share"]] == 1
    assert found.test.rows[0, place["amount_last"]] == -5


@pytest.mark.parametrize(
    ("protocol", "rows", "words"),
    [
        (OWN, [("train", 1, 0, 1, 0, "view", 1)], "no users of split test, valid"),
        (own_protocol(numbers=["height"]), [("train", 1, 0, 1, 0, "view", 1)], "is not as the protocol says"),
    ],
)
def test_a_file_that_is_not_as_the_protocol_says_is_refused(tmp_path, protocol, rows, words):
    write_own(tmp_path, rows)
    with pytest.raises(InputError, match=words):
        read_sequences(protocol, tmp_path)
