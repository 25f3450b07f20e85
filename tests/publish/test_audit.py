"""Audit rows: how many, drawn from whom, with which probability, and what they are good for."""

from collections import Counter
from math import ceil, sqrt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_day import AS_OF, DAY, RISKS, SHOP, add_bundle, add_scores, words

from pipeline import publish
from pipeline.context import Run
from pipeline.errors import CheckpointFailedError
from pipeline.publish import audit, read_list
from pipeline.publish.audit import audit_slots, draw, strata
from pipeline.publish.entries import choose
from pipeline.publish.ranking import rank
from pipeline.settings import Settings

SEEDS = [f"seed-{n}" for n in range(4000)]
unpicked = st.integers(0, 400)
slots = st.integers(0, 40)
accounts = st.lists(st.text(max_size=6), unique=True, max_size=60)
scored = st.lists(
    st.tuples(st.text("abcdé", max_size=4), st.none() | st.floats(0, 1), st.floats(0, 9), st.floats(0, 1)),
    max_size=60,
    unique_by=lambda row: row[0],
)
by = st.sampled_from(["risk", "surprise"])
COLUMNS = {"user_id": pa.string(), "risk": pa.float64(), "surprise": pa.float64(), "surprise_percentile": pa.float64()}


def domain(share, precision=0.5):
    return SHOP.model_copy(update={"audit_share": share, "min_precision": precision})


def scores_of(rows, by="risk"):
    kept = [{**dict(zip(COLUMNS, row, strict=True)), **({} if by == "risk" else {"risk": None})} for row in rows]
    return pa.Table.from_pylist(kept, pa.schema(list(COLUMNS.items())))


@pytest.mark.parametrize(
    ("list_size", "share", "wanted"),
    [(100, 0.05, 5), (100, 0, 0), (9, 0.5, 0), (10, 0.05, 1), (10, 0.5, 5), (200, 0.001, 1), (1000, 0.25, 250)],
)
def test_the_share_of_the_budget(list_size, share, wanted):
    assert audit_slots(list_size, share) == wanted


@given(unpicked, slots)
def test_strata_cover_all_unpicked_accounts_and_no_account_has_no_chance(unpicked, slots):
    parts = strata(unpicked, slots)
    assert sum(part.draws for part in parts) == min(unpicked, slots)
    if slots:
        assert sum(part.accounts for part in parts) == unpicked
        assert all(0 < part.propensity <= 1 for part in parts)


@given(st.integers(2, 400), st.integers(2, 40))
def test_half_of_the_draws_are_from_the_tenth_ranked_next(unpicked, slots):
    near, far = strata(unpicked, slots)
    assert (near.name, far.name) == ("next", "rest")
    assert near.accounts == ceil(unpicked / 10)
    assert near.draws == min(slots // 2, near.accounts)


def test_one_draw_is_from_all():
    assert [part.to_dict() for part in strata(200, 1)] == [
        {"stratum": "all", "accounts": 200, "draws": 1, "propensity": 0.005}
    ]


@given(accounts, slots, st.text(max_size=8), st.randoms())
def test_equal_inputs_draw_equal_accounts_in_ranked_order(accounts, slots, seed, random):
    parts = strata(len(accounts), slots)
    drawn = list(draw(accounts, parts, seed).items())
    assert drawn == list(draw(list(accounts), parts, seed).items())
    assert [user for user, _ in drawn] == [user for user in accounts if user in dict(drawn)]
    mixed = list(accounts)
    random.shuffle(mixed)
    if len(parts) == 1:  # within a stratum the order of rows decides nothing
        assert set(draw(mixed, parts, seed)) == {user for user, _ in drawn}


@pytest.mark.parametrize(("unpicked", "slots"), [(40, 1), (40, 4), (61, 7), (12, 9), (5, 8)])
def test_every_account_is_drawn_as_often_as_its_propensity_says(unpicked, slots):
    accounts = [f"user-{n}" for n in range(unpicked)]
    parts = strata(unpicked, slots)
    counts: Counter[str] = Counter()
    propensity = {}
    for seed in SEEDS:
        drawn = draw(accounts, parts, seed)
        assert len(drawn) == min(unpicked, slots)
        counts.update(drawn.keys())
        propensity |= drawn
    assert set(propensity) == set(accounts)
    for account, p in propensity.items():
        deviation = sqrt(len(SEEDS) * p * (1 - p))
        assert abs(counts[account] - len(SEEDS) * p) <= 4 * deviation + 1e-9, account


def test_two_accounts_of_a_stratum_are_drawn_together_as_often_as_any_other_two():
    accounts = [f"user-{n}" for n in range(10)]
    pairs: Counter[tuple[str, ...]] = Counter()
    for seed in SEEDS:
        drawn = draw(accounts, [audit.Stratum("all", 10, 2)], seed)
        pairs[tuple(sorted(drawn))] += 1
    expected = len(SEEDS) / 45
    assert len(pairs) == 45
    assert sum((count - expected) ** 2 / expected for count in pairs.values()) < 75  # chi-squared, 44 df: p = 0.0025


def test_weighted_by_their_propensity_audit_rows_estimate_the_total_without_bias():
    accounts = [f"user-{n}" for n in range(80)]
    is_bad = {account: n % 3 == 0 if n < 8 else n % 19 == 0 for n, account in enumerate(accounts)}
    total, parts = sum(is_bad.values()), strata(len(accounts), 6)
    estimates = []
    for seed in SEEDS:
        estimate = 0.0
        start = 0
        drawn = draw(accounts, parts, seed)
        for part in parts:  # naively: the share of bad ones among the drawn, times the accounts
            inside = [user for user in accounts[start : start + part.accounts] if user in drawn]
            estimate += part.accounts * sum(is_bad[user] for user in inside) / len(inside)
            start += part.accounts
        assert estimate == pytest.approx(sum(is_bad[user] / p for user, p in drawn.items()))
        estimates.append(estimate)
    mean = sum(estimates) / len(estimates)
    deviation = sqrt(sum((estimate - mean) ** 2 for estimate in estimates) / len(estimates))
    assert abs(mean - total) < 3 * deviation / sqrt(len(estimates))


@given(scored, by, st.floats(0, 0.5), st.integers(1, 70), st.floats(0.01, 0.99))
def test_a_list_keeps_its_budget_and_names_no_account_twice(rows, by, share, list_size, precision):
    choice = choose(scores_of(rows, by), by, domain(share, precision), list_size, "seed")
    users = choice.rows["user_id"].to_pylist()
    assert len(users) == len(set(users)) == choice.picked + choice.audited <= list_size
    assert choice.audited == min(audit_slots(list_size, share), len(rows) - choice.picked)
    assert choice.picked <= list_size - choice.slots


@given(scored, by, st.integers(10, 70))
def test_picked_rows_stand_first_and_both_kinds_are_in_ranked_order(rows, by, list_size):
    scores = scores_of(rows, by)
    choice = choose(scores, by, domain(0.3), list_size, "seed")
    ranked = rank(scores)["user_id"].to_pylist()
    users, kinds = choice.rows["user_id"].to_pylist(), choice.rows["picked_by"].to_pylist()
    assert kinds == [by] * choice.picked + ["audit"] * choice.audited
    assert users[: choice.picked] == ranked[: choice.picked]
    drawn = users[choice.picked :]
    assert drawn == [user for user in ranked if user in set(drawn)]
    assert choice.rows["propensity"].to_pylist()[: choice.picked] == [1.0] * choice.picked


@given(scored, by)
def test_without_a_share_there_are_only_picked_rows(rows, by):
    choice = choose(scores_of(rows, by), by, domain(0), 20, "seed")
    assert (choice.slots, choice.audited, choice.strata) == (0, 0, [])


CROWD = RISKS | {f"user-{n:02}": 0.001 * n for n in range(60)}


@pytest.fixture
def audited(tmp_path):
    """Publishes a day of 68 accounts with ten reviews; returns the list and its manifest."""
    add_bundle(tmp_path)
    add_scores(tmp_path, CROWD)

    def publish_one(share=0.2, list_size=10, home=tmp_path):
        settings = Settings(home=home, list_size=list_size)
        publish.run(Run(settings, domain(share, precision=0.6), DAY, AS_OF))
        return read_list(home, DAY)

    return publish_one


def test_audit_rows_follow_the_picked_ones_and_say_so(audited):
    table, manifest = audited()
    rows = table.to_pylist()
    picked, drawn = rows[: manifest["rows"]["picked"]], rows[manifest["rows"]["picked"] :]
    assert [row["user_id"] for row in picked] == ["ann", "bob", "cat", "dan"]
    assert {row["picked_by"] for row in picked} == {"risk"} and {row["propensity"] for row in picked} == {1.0}
    assert len(drawn) == 2 and {row["picked_by"] for row in drawn} == {"audit"}
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["risk"] for row in drawn] == sorted((row["risk"] for row in drawn), reverse=True)
    for row in drawn:
        assert row["reason_1"] == "Drawn at random, to measure what the list misses."
        assert row["reason_2"] is None and row["reason_3"] is None


def test_the_manifest_says_what_the_audit_rows_were_drawn_from(audited):
    table, manifest = audited()
    assert manifest["rows"] == {"scored": 68, "listed": 6, "picked": 4, "audit": 2}
    assert manifest["audit"] == {
        "slots": 2,
        "strata": [
            {"stratum": "next", "accounts": 7, "draws": 1, "propensity": round(1 / 7, 9)},
            {"stratum": "rest", "accounts": 57, "draws": 1, "propensity": round(1 / 57, 9)},
        ],
    }
    assert table["propensity"].to_pylist()[4:] == [1 / 7, 1 / 57]


def test_expected_precision_speaks_of_picked_rows_only(audited):
    _, manifest = audited()
    assert manifest["cut"]["expected_precision"] == pytest.approx((0.95 + 0.6 + 0.6 + 0.3) / 4)
    assert manifest["cut"]["expected_bad"]["mean"] == pytest.approx(0.95 + 0.6 + 0.6 + 0.3)
    assert (manifest["cut"]["list_size"], manifest["cut"]["picked_slots"]) == (10, 8)


def test_two_homes_with_equal_inputs_draw_the_same_rows(audited, tmp_path):
    audited()
    other = tmp_path / "other"
    other.mkdir()
    add_bundle(other)
    add_scores(other, CROWD)
    audited(home=other)
    for name in ("risk_list.csv", "risk_list.parquet"):
        paths = [home / "lists" / f"day={DAY}" / name for home in (tmp_path, other)]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_pack_can_do_without_audit_rows(audited):
    table, manifest = audited(share=0)
    assert set(table["picked_by"].to_pylist()) == {"risk"}
    assert manifest["audit"] == {"slots": 0, "strata": []}


WRONG = {
    "an unknown way onto the list": ("picked_by", "whim", "list.picked_by"),
    "an audit row without a chance": ("propensity", 0.0, "list.propensity"),
    "a chance above 1": ("propensity", 1.5, "list.propensity"),
    "an unknown chance": ("propensity", None, "list.propensity"),
    "more audit rows than slots": ("picked_by", "audit", "list.audit_number"),
    "an audit row above a picked one": ("picked_by", "audit", "list.out_of_order"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_checkpoint_refuses(audited, monkeypatch, name):
    column, value, finding = WRONG[name]
    assemble = publish.assemble

    def wrong(*given):
        table = assemble(*given)
        values = [value, *table[column].to_pylist()[1:]]
        return table.set_column(table.column_names.index(column), column, pa.array(values, table[column].type))

    monkeypatch.setattr(publish, "assemble", wrong)
    with pytest.raises(CheckpointFailedError, match=finding):
        audited()
    assert words({"event_count": 1.0}, [], [], "EUR")
