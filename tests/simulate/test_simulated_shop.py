"""The simulated shop is repeatable, delivers what the contract says, and has the shape of a shop."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from simulated import SMALL, days_of

from pipeline import ingest
from pipeline.domain import EVENT_COLUMNS, Domain
from pipeline.errors import UsageError
from pipeline.settings import Settings
from pipeline.simulate import ShopSettings, run
from pipeline.storage.files import sha256_of

pytestmark = pytest.mark.slow

TINY = ShopSettings(users=600, bad_share=0.03)


def hashes(folder):
    return {str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def all_events(days):
    return pa.concat_tables([day.events for day in days])


def test_same_seed_same_bytes(tmp_path):
    for name in ("one", "two"):
        run(tmp_path / name, days=6, users=500, bad_share=0.03)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_another_seed_is_another_shop():
    one, two = (days_of(replace(TINY, seed=seed), 1)[0] for seed in (1, 2))
    assert not set(one.events["user_id"].to_pylist()) & set(two.events["user_id"].to_pylist())


def test_more_days_only_add_files(tmp_path):
    run(tmp_path / "short", days=4, users=500, bad_share=0.03)
    run(tmp_path / "long", days=7, users=500, bad_share=0.03)
    short, long = hashes(tmp_path / "short"), hashes(tmp_path / "long")
    delivered = [name for name in short if name.startswith(("events", "labels"))]
    assert len(delivered) == 8
    assert {name: short[name] for name in delivered} == {name: long[name] for name in delivered}


def test_a_day_holds_its_own_events_in_order_of_time_then_id(small_shop):
    for day in small_shop:
        assert day.events.column_names == list(EVENT_COLUMNS)
        assert set(pc.cast(day.events["event_at"], pa.date32()).to_pylist()) == {day.day}
        keys = list(zip(day.events["event_at"].to_pylist(), day.events["event_id"].to_pylist(), strict=True))
        assert keys == sorted(keys)


def test_event_ids_are_unique_across_days(small_shop):
    ids = all_events(small_shop)["event_id"].to_pylist()
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_every_event_and_label_passes_ingest(tmp_path, format):
    run(tmp_path / "shop", days=5, users=500, bad_share=0.05, format=format)
    settings = Settings(home=tmp_path / "home", now=datetime(2026, 9, 1, tzinfo=UTC))
    folders = {kind: [tmp_path / "shop" / kind] for kind in ("events", "labels")}
    receipt = ingest.run(settings, Domain.load("shop"), **folders, history=True)
    assert receipt.read and receipt.read == receipt.accepted
    assert receipt.refused == receipt.duplicates == 0


def test_csv_and_parquet_say_the_same(tmp_path):
    from pyarrow import csv

    for name in ("parquet", "csv"):
        run(tmp_path / name, days=1, users=500, format=name)
    one = pq.read_table(tmp_path / "parquet/events/2026-06-01.parquet")
    two = csv.read_csv(tmp_path / "csv/events/2026-06-01.csv")
    for name in ("event_id", "user_id", "amount", "ip"):
        assert one[name].to_pylist() == [None if cell == "" else cell for cell in two[name].to_pylist()]
    assert one["event_at"].cast(pa.timestamp("ms")).to_pylist() == [
        at.replace(tzinfo=None) for at in two["event_at"].cast(pa.timestamp("ms", "UTC")).to_pylist()
    ]


def test_truth_is_in_no_delivered_file(tmp_path):
    run(tmp_path / "shop", days=4, users=500, bad_share=0.05)
    actors = pq.read_table(tmp_path / "shop/truth/user_days.parquet")["actor_id"].drop_null().unique().to_pylist()
    delivered = b"".join(
        path.read_bytes() for kind in ("events", "labels") for path in (tmp_path / "shop" / kind).iterdir()
    )
    assert actors and not [actor for actor in actors if actor.encode() in delivered]
    assert "typology" not in pq.read_schema(tmp_path / "shop/events/2026-06-01.parquet").names


def test_people_share_networks_and_homes_but_seldom_devices(small_shop):
    events = all_events(small_shop).append_column(
        "network", pc.replace_substring_regex(all_events(small_shop)["ip"], r"\.\d+$", "")
    )

    def users_of(name):
        pairs = events.filter(pc.is_valid(events[name])).group_by([name]).aggregate([("user_id", "count_distinct")])
        return np.sort(pairs["user_id_count_distinct"].to_numpy())

    assert users_of("network")[-1] > 100  # a carrier
    assert np.mean(users_of("address_id") > 1) > 0.1  # households
    assert 0.01 < np.mean(users_of("device_id") > 1) < 0.3


def test_activity_has_a_heavy_tail_and_most_accounts_are_absent_on_a_day(small_shop):
    daily = np.mean([len(day.events["user_id"].unique()) for day in small_shop])
    assert 0.1 < daily / SMALL.users < 0.35
    counts = np.sort(list(Counter(all_events(small_shop)["user_id"].to_pylist()).values()))[::-1]
    assert counts[: len(counts) // 10].sum() > 0.3 * counts.sum()


def test_looks_outnumber_carts_and_carts_outnumber_purchases(small_shop):
    steps = Counter(all_events(small_shop)["event_type"].to_pylist())
    assert steps["browse"] > 3 * steps["cart"] > 4 * steps["purchase"] > 20 * steps["refund"] > 0


def test_newcomers_arrive_and_some_leave(small_shop):
    seen = [set(day.events["user_id"].to_pylist()) for day in small_shop]
    assert len(set().union(*seen)) > len(set().union(*seen[:15])) > len(seen[0])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"users": 10}, "users"),
        ({"days": 0}, "days"),
        ({"seed": -1}, "seed"),
        ({"bad_share": 0.5}, "bad share"),
        ({"bad_share": float("nan")}, "bad share"),
        ({"intensity": 2}, "intensity"),
        ({"typologies": ("arson",)}, "arson"),
        ({"format": "xml"}, "format"),
        ({"first_day": date(1900, 1, 1)}, "first day"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_words(tmp_path, wrong, words):
    with pytest.raises(UsageError, match=words):
        run(tmp_path / "shop", **wrong)
    assert not (tmp_path / "shop").exists()


def test_a_folder_with_anything_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(UsageError, match="not an empty folder"):
        run(tmp_path, days=1, users=300)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unfinished_shop_is_named_as_such(tmp_path):
    run(tmp_path, days=1, users=300)
    (tmp_path / "truth/simulation.json").unlink()
    with pytest.raises(UsageError, match="is an unfinished shop"):
        run(tmp_path, days=1, users=300)


def test_a_finished_shop_is_left_alone(tmp_path):
    run(tmp_path, days=1, users=300)
    with pytest.raises(UsageError, match="not an empty folder"):
        run(tmp_path, days=1, users=300)


def test_a_folder_that_cannot_be_made_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "shop", tmp_path / "file"):
        with pytest.raises(UsageError, match="not an empty folder"):
            run(out, days=1, users=300)
    with pytest.raises(UsageError, match="cannot be written"):
        run(Path("/proc/shop"), days=1, users=300)


def test_nothing_is_left_aside(tmp_path):
    run(tmp_path, days=2, users=300)
    assert not list(tmp_path.rglob("*.tmp"))
