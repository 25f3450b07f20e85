"""Truth and labels: how much abuse there is, what resembles it, and what becomes known when."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from simulated import SMALL, days_of

from pipeline.simulate import ShopSettings, run
from pipeline.simulate.campaigns.traits import draw_traits
from pipeline.simulate.look_alikes import RESEMBLES
from pipeline.simulate.typologies import TYPOLOGIES

pytestmark = pytest.mark.slow


def truth_of(days):
    return pa.concat_tables([day.true_user_days for day in days]).to_pylist()


def labels_of(days):
    return [row for day in days for row in day.labels.to_pylist()]


@pytest.fixture(scope="module")
def quiet_shop():
    return days_of(replace(SMALL, quiet=True), 30)


def test_prevalence_is_near_what_was_asked(small_shop):
    bad = sum(row["is_bad"] for row in truth_of(small_shop))
    assert 0.8 < bad / sum(day.user_days for day in small_shop) / SMALL.bad_share < 1.2


@pytest.mark.parametrize(
    ("users", "days", "bad_share", "seed"),
    [(300, 40, 0.005, 1), (300, 20, 0.1, 2), (600, 30, 0.03, 7), (2000, 30, 0.0005, 3), (2500, 15, 0.1, 4)],
)
def test_look_alikes_outnumber_every_typology_and_prevalence_is_kept_at_every_size(users, days, bad_share, seed):
    shop = days_of(ShopSettings(users=users, seed=seed, bad_share=bad_share), days)
    rows = truth_of(shop)
    bad = Counter(row["typology"] for row in rows if row["is_bad"])
    alike = Counter(RESEMBLES[row["look_alike"]] for row in rows if row["look_alike"])
    assert all(alike[name] > bad[name] for name in bad), (bad, alike)
    wanted = bad_share * sum(day.user_days for day in shop)
    assert abs(bad.total() - wanted) < max(12, 0.15 * wanted)  # a dozen: the rings that a small shop cannot halve


def test_every_typology_occurs_in_each_of_its_variants_and_look_alikes_outnumber_it(small_shop):
    rows = truth_of(small_shop)
    bad = Counter(row["typology"] for row in rows if row["is_bad"])
    alike = Counter(RESEMBLES[row["look_alike"]] for row in rows if row["look_alike"])
    assert set(bad) == set(TYPOLOGIES) and len(bad) == 10
    assert all(alike[name] > 2 * bad[name] for name in bad), (bad, alike)
    assert all(len(process.variants) >= 2 for process in TYPOLOGIES.values())
    assert {row["look_alike"] for row in rows if row["look_alike"]} == set(RESEMBLES)


def test_a_user_day_is_bad_or_a_look_alike_never_both(small_shop):
    rows = truth_of(small_shop)
    assert len({(row["user_id"], row["event_day"]) for row in rows}) == len(rows)
    for row in rows:
        assert row["is_bad"] == (row["typology"] is not None) == (row["actor_id"] is not None)
        assert row["is_bad"] == (row["look_alike"] is None)


def test_bad_events_are_events_of_bad_user_days_beside_ordinary_ones(small_shop):
    beside = 0
    for day in small_shop:
        owner = dict(zip(day.events["event_id"].to_pylist(), day.events["user_id"].to_pylist(), strict=True))
        bad_days = {row["user_id"] for row in day.true_user_days.to_pylist() if row["is_bad"]}
        bad = day.true_events.to_pylist()
        assert all(owner[row["event_id"]] == row["user_id"] for row in bad)
        assert {row["user_id"] for row in bad} == bad_days
        beside += sum(user in bad_days for user in owner.values()) - len(bad)
    assert beside > 0


def test_labels_are_never_known_before_they_happened_and_come_on_their_day(small_shop):
    assert labels_of(small_shop)
    for day in small_shop:
        for row in day.labels.to_pylist():
            assert row["happened_at"] <= row["known_at"]
            assert row["known_at"].startswith(str(day.day))


def test_labels_are_late_incomplete_and_sometimes_wrong():
    days = days_of(SMALL, 75)
    labels, truth = labels_of(days), truth_of(days)
    typology = {(row["user_id"], str(row["event_day"])): row["typology"] for row in truth}
    early = {key for key, name in typology.items() if name and key[1] <= str(days[20].day)}
    named = {(row["user_id"], row["happened_at"][:10]): row for row in labels if row["is_bad"] == "true"}
    reported = early & set(named)
    assert 0.3 < len(reported) / len(early) < 0.8
    wrong = [key for key in named if not typology.get(key)]
    assert 0.02 < len(wrong) / len(named) < 0.25
    misnamed = [key for key in reported if named[key]["typology"] != typology[key]]
    assert 0.01 < len(misnamed) / len(reported) < 0.2
    assert {row["source"] for row in labels} == {"chargeback", "takedown", "complaint", "review_desk"}
    assert any(row["is_bad"] == "false" for row in labels)


def test_a_quiet_shop_has_no_abuse_and_only_wrong_reports(quiet_shop):
    truth = truth_of(quiet_shop)
    assert truth and not any(row["is_bad"] for row in truth)
    assert not any(len(day.true_events) for day in quiet_shop)
    honest = {user for day in quiet_shop for user in day.events["user_id"].to_pylist()}
    assert all(row["user_id"] in honest for row in labels_of(quiet_shop))


def test_a_quiet_shop_is_otherwise_the_same(small_shop, quiet_shop):
    def per_day(days):
        return sum(len(day.events) for day in days) / len(days)

    def alike(days):
        return sum(row["look_alike"] is not None for row in truth_of(days))

    assert per_day(quiet_shop) == pytest.approx(per_day(small_shop), rel=0.04)
    assert alike(quiet_shop) == pytest.approx(alike(small_shop), rel=0.1)


def test_an_asked_for_typology_comes_alone():
    truth = truth_of(days_of(replace(SMALL, typologies=("bots",)), 4))
    assert {row["typology"] for row in truth if row["is_bad"]} == {"bots"}


def test_the_receipt_and_the_record_agree_with_the_files(tmp_path):
    import json

    receipt = run(tmp_path / "shop", days=5, users=600, bad_share=0.04)
    record = json.loads((tmp_path / "shop/truth/simulation.json").read_text())
    truth = pq.read_table(tmp_path / "shop/truth/user_days.parquet")
    assert (
        receipt.details["bad_user_days"]
        == sum(truth["is_bad"].to_pylist())
        == sum(record["counts"]["by_typology"].values())
    )
    files = {str(path.relative_to(tmp_path / "shop")) for path in (tmp_path / "shop").rglob("*.*")}
    assert set(record["sha256"]) == files - {"truth/simulation.json"}


def test_more_intensity_shows_more_traits():
    variant = TYPOLOGIES["account_takeover"].variants[0]
    rng = np.random.default_rng(1)
    quiet, loud = (sum(rows.sum() for rows in draw_traits(variant, 500, how, {}, rng).values()) for how in (0.0, 1.0))
    assert (quiet, loud) == (500 * variant.least, 500 * variant.most)


def test_wrong_reports_look_like_right_ones():
    days = days_of(replace(SMALL, users=2500, bad_share=0.03), 50)
    bad = {(row["user_id"], str(row["event_day"])) for row in truth_of(days) if row["is_bad"]}
    reports, withdrawn = {}, Counter()
    for row in labels_of(days):
        key = (row["user_id"], row["happened_at"][:10])
        if row["is_bad"] == "true":
            reports.setdefault(key, []).append(row)
        else:
            withdrawn[key in bad] += 1
    right, wrong = ([rows for key, rows in reports.items() if (key in bad) is is_right] for is_right in (True, False))
    assert len(wrong) > 25
    assert withdrawn[True] and withdrawn[False]
    for tells in (
        lambda rows: len(rows) == 1,
        lambda rows: rows[0]["typology"] is None,
        lambda rows: rows[0]["source"] == "takedown",
        lambda rows: rows[0]["source"] == "chargeback",
    ):
        shares = [np.mean([tells(rows) for rows in group]) for group in (right, wrong)]
        assert shares == pytest.approx([shares[0]] * 2, abs=0.2), shares
        assert 0 < shares[1] < 1


def test_no_abuse_asked_for_and_a_quiet_shop_are_the_same():
    none, quiet = (
        days_of(replace(SMALL, users=4000, **given), 24)
        for given in ({"bad_share": 0.0}, {"bad_share": 0.005, "quiet": True})
    )
    assert [day.events for day in none] == [day.events for day in quiet]
    assert labels_of(none) == labels_of(quiet) != []
