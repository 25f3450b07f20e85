"""The scores of one day: everybody has them, reasons have those who may reach the list, and bytes are the same."""

import hashlib
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import small_bundle as small
from small_bundle import DAY

from pipeline.models.feature_rows import read_user_days
from pipeline.models.samples import Samples
from pipeline.models.scoring import read_sequences
from pipeline.models.surprise import score_windows
from pipeline.models.tokens.windows import Sequences
from pipeline.publish.entries import SCORE_COLUMNS
from pipeline.score.user_days import score_user_days
from pipeline.settings import Settings
from pipeline.warehouse import connect


@pytest.fixture
def score(tmp_path):
    """Scores a day's user-days in a folder of their own; the tables, as they were written."""
    paths, everybody, _ = small.stream(tmp_path)

    def run(bundle, name="out", user_days=everybody, candidates=5, known=()):
        settings, aside = Settings(home=tmp_path, threads=1), tmp_path / name
        aside.mkdir()
        with connect(settings) as con:
            written = score_user_days(con, settings, bundle, user_days, paths, list(known), DAY, candidates, aside)
        return {table: pq.read_table(path) for table, path in written.items()}

    def codes(bundle):
        """Of everybody, by the first autoencoder alone."""
        with connect(Settings(home=tmp_path, threads=1)) as con:
            sequences = read_sequences(
                con, bundle, read_user_days(con, [everybody]).user_id.unique(), paths, (DAY, DAY)
            )
        return score_windows(bundle.unlabelled.autoencoders[:1], sequences, with_code=True).code

    run.folder, run.active, run.codes = tmp_path, small.stream(tmp_path)[2], codes
    return run


def column(table, name):
    return table.column(name).to_pylist()


def likeliest(scores, level, n):
    ranked = sorted(zip(column(scores, level), column(scores, "surprise"), column(scores, "user_id"), strict=True))
    return {user for _, _, user in ranked[::-1][:n]}


@pytest.mark.parametrize("has_stacker", [True, False], ids=["by risk", "by surprise"])
def test_everybody_active_has_a_score_and_an_embedding_and_the_likeliest_what_speaks_against_them(score, has_stacker):
    found = score(small.bundle(has_stacker=has_stacker))
    scores = found["scores"]
    assert column(scores, "user_id") == column(found["embeddings"], "user_id") == score.active
    few = likeliest(scores, "risk" if has_stacker else "surprise_percentile", 5)
    assert set(column(found["contributions"], "user_id")) <= few
    assert {row["user_id"] for row in scores.to_pylist() if row["top_events"] is not None} == few
    assert len(set(column(found["contributions"], "user_id"))) > 1


def test_of_two_days_with_as_much_new_the_more_surprising_never_has_the_lower_percentile(score):
    rows = score(small.bundle())["scores"].to_pylist()
    new = dict(zip(score.active, small.seen("new_device_count", score.active), strict=True))
    for one in rows:
        for other in rows:
            if one["score_surprise"] > other["score_surprise"] and new[one["user_id"]] >= new[other["user_id"]]:
                assert one["surprise_percentile"] >= other["surprise_percentile"]
    assert [row["risk"] for row in rows] == [None] * len(score.active)


def test_an_account_that_was_known_to_be_bad_before_has_the_risk_of_known_ones(score):
    known = score.active[1::2]
    scores = score(small.bundle(has_stacker=True), known=["nobody", *known])["scores"]
    odds = np.log(np.divide(*(np.array(column(scores, "score_stacker")) * sign + at for sign, at in ((1, 0), (-1, 1)))))
    expected = 0.75 * odds - 2 * np.isin(score.active, known)  # small_bundle's two lines
    np.testing.assert_allclose(column(scores, "risk"), 1 / (1 + np.exp(-expected)), atol=2e-6)


def test_contributions_are_above_zero_and_the_largest_comes_first(score):
    for row in score(small.bundle(has_stacker=True))["contributions"].to_pylist():
        assert row["contribution"] > 0
        assert row["feature"] in (*small.SEEN, "surprise")
    contributions = score(small.bundle(has_stacker=True), "again")["contributions"].to_pylist()
    for user in {row["user_id"] for row in contributions}:
        added = [row["contribution"] for row in contributions if row["user_id"] == user]
        assert added == sorted(added, reverse=True)


def test_top_events_are_of_the_day_and_of_the_account(score):
    for row in score(small.bundle())["scores"].to_pylist():
        for event in json.loads(row["top_events"] or "[]"):
            assert event["event_id"].startswith(f"{row['user_id']}-{small.DAYS - 1}-")
            assert event["at"].startswith(str(DAY))


def test_a_base_model_that_is_on_has_its_own_column_and_one_that_is_off_has_none(score):
    scores = score(small.bundle(has_stacker=True, base_model="novelty"))["scores"]
    with connect(Settings(home=score.folder, threads=1)) as con:
        read = read_user_days(con, [score.folder / "user_days.parquet"])
    place = Samples.unlabelled(Sequences(None, None, read.day), tuple(small.features()), read.rows)
    assert column(scores, "score_novelty") == pytest.approx(small.novelty().score(place), abs=1e-5)
    assert len(set(column(scores, "score_novelty"))) > 1
    assert "score_novelty" not in score(small.bundle(has_stacker=True), "off")["scores"].column_names


@pytest.mark.parametrize("has_stacker", [True, False])
def test_a_day_without_users_has_the_columns_that_publishing_asks_for_and_no_rows(score, has_stacker):
    nobody = small.user_days(score.folder / "nobody.parquet", [])
    found = score(small.bundle(has_stacker=has_stacker), user_days=nobody)
    usual = score(small.bundle(has_stacker=has_stacker), "usual")
    assert {len(table) for table in found.values()} == {0}
    assert set(SCORE_COLUMNS) <= set(found["scores"].column_names)
    for table in ("contributions", "embeddings"):
        assert found[table].schema.equals(usual[table].schema)


def test_the_same_inputs_have_the_same_bytes(score):
    hashes = []
    for name in ("once", "again"):
        score(small.bundle(has_stacker=True, base_model="novelty"), name)
        files = sorted((score.folder / name).iterdir())
        hashes.append([(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files])
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 3


def test_an_embedding_is_the_code_in_numbers_from_minus_1_to_1_and_names_its_bundle(score):
    found = score(small.bundle(name="2026-01-02-def"))
    vectors = np.array(column(found["embeddings"], "embedding"), np.float32)
    np.testing.assert_allclose(vectors, score.codes(small.bundle()), atol=3e-5)
    assert np.abs(vectors).max() <= 1
    assert set(column(found["embeddings"], "bundle")) == {"2026-01-02-def"}
    assert str(found["embeddings"].schema.field("embedding").type).startswith("fixed_size_list<")
    assert set(column(found["embeddings"], "event_day")) == {DAY}


def test_an_embedding_does_not_depend_on_who_else_is_active(score):
    few = small.user_days(score.folder / "few.parquet", score.active[3:6])
    found, usual = score(small.bundle(), "few", few)["embeddings"], score(small.bundle())["embeddings"]
    assert found.equals(usual.slice(3, 3))
