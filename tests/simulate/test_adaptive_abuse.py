"""Adaptive abusers read published lists and change what they do; nobody else does."""

from dataclasses import replace
from datetime import timedelta
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from simulated import SMALL

from pipeline.catalogue import features as catalogue
from pipeline.errors import InputError
from pipeline.simulate import run, simulate
from pipeline.simulate.campaigns.adaptive import ListReaders, traits_of
from pipeline.simulate.campaigns.process import Variant
from pipeline.simulate.campaigns.traits import draw_traits
from pipeline.simulate.shop import Shop
from pipeline.simulate.typologies import TYPOLOGIES

pytestmark = pytest.mark.slow

REASON = "devices it had never used before: 1"


def publish(folder, day, users, reason=REASON):
    path = folder / f"day={day}" / "risk_list.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": users, **{f"reason_{n}": [reason] * len(users) for n in (1, 2, 3)}}), path)


def test_reasons_name_traits():
    assert traits_of([REASON, None]) == ["device"]
    assert traits_of(["addresses it had never used before: 2", "failed payments that day: 3"]) == [
        *("address", "cards", "failures"),
    ]
    assert traits_of([None]) == []


def test_most_reasons_the_product_gives_teach_something():
    taught = [column.name for column in catalogue().values() if traits_of([column.reason])]
    assert len(taught) > 0.6 * len(catalogue())


def test_what_lists_name_is_avoided_by_that_typology_alone(tmp_path):
    readers = ListReaders(tmp_path)
    readers.accounts = {f"u{n}": "bots" for n in range(20)}
    publish(tmp_path, "2026-06-01", [f"u{n}" for n in range(20)])
    readers.read_up_to("2026-06-02")
    assert readers.avoided("bots")["device"] > 0.6
    assert readers.avoided("sleepers") == {}


def test_a_list_is_read_once_and_only_after_its_day(tmp_path):
    readers = ListReaders(tmp_path)
    readers.accounts = {"u": "bots"}
    publish(tmp_path, "2026-06-01", ["u"])
    readers.read_up_to("2026-06-01")
    assert readers.avoided("bots") == {}
    readers.read_up_to("2026-06-02")
    once = readers.avoided("bots")["device"]
    readers.read_up_to("2026-06-03")
    assert 0 < readers.avoided("bots")["device"] < once  # forgets


def test_avoided_traits_are_left_out_unless_they_are_the_point():
    variant = Variant("v", always=("coupon",), drawn=("device", "network"), least=2, most=2)
    avoided = {"coupon": 0.8, "device": 0.8}
    found = draw_traits(variant, 1000, 0.5, avoided, np.random.default_rng(1))
    assert found["coupon"].all() and found["network"].all() and found["device"].mean() < 0.3


def test_a_shop_goes_on_day_by_day_with_lists_and_again_with_the_same_bytes(tmp_path):
    settings = replace(SMALL, bad_share=0.05, lists=tmp_path)
    shop, days = simulate(settings), []
    for _ in range(12):
        days.append(next(shop))
        listed = [row["user_id"] for row in days[-1].true_user_days.to_pylist() if row["is_bad"]]
        publish(tmp_path, days[-1].day, listed)
    unread = list(islice(simulate(replace(settings, lists=None)), 12))
    assert days[0].events == unread[0].events  # nothing was published before the first day
    assert days[-1].events != unread[-1].events
    assert [day.events for day in islice(simulate(settings), 12)] == [day.events for day in days]


def test_lists_of_later_days_change_nothing_before(tmp_path):
    settings = replace(SMALL, lists=tmp_path)
    before = next(simulate(settings))
    publish(tmp_path, settings.first_day + timedelta(days=3), ["anyone"])
    assert next(simulate(settings)).events == before.events


def test_a_damaged_list_is_named(tmp_path):
    (tmp_path / "day=2026-05-01").mkdir()
    (tmp_path / "day=2026-05-01" / "risk_list.parquet").write_text("not parquet")
    with pytest.raises(InputError, match=r"risk_list\.parquet is not a risk list"):
        next(simulate(replace(SMALL, lists=tmp_path)))


def test_an_abandoned_shop_leaves_an_empty_folder(tmp_path):
    publish(tmp_path / "lists", SMALL.first_day + timedelta(days=1), [])
    (tmp_path / f"lists/day={SMALL.first_day + timedelta(days=1)}/risk_list.parquet").write_text("not parquet")
    with pytest.raises(InputError):
        run(tmp_path / "shop", days=5, users=400, lists=tmp_path / "lists")
    assert not list((tmp_path / "shop").iterdir())


def new_device_share(days):
    """Among user-days of adaptive abusers with a past: how many have a device that account never used before."""
    known, found = {}, []
    for day in days:
        adaptive = {row["user_id"] for row in day.true_user_days.to_pylist() if row["variant"] == "adaptive"}
        pairs = set(zip(day.events["user_id"].to_pylist(), day.events["device_id"].to_pylist(), strict=True))
        for user in sorted(adaptive & set(known)):
            found.append(any(owner == user and device not in known[user] for owner, device in pairs))
        for user, device in pairs:
            known.setdefault(user, set()).add(device)
    return np.mean(found[len(found) // 2 :])


def test_once_listed_for_their_devices_they_change_no_devices(tmp_path):
    settings = replace(SMALL, bad_share=0.1, typologies=("account_takeover",), lists=tmp_path)
    shop, days = simulate(settings), []
    for _ in range(24):
        days.append(next(shop))
        publish(tmp_path, days[-1].day, [row["user_id"] for row in days[-1].true_user_days.to_pylist()])
    unread = list(islice(simulate(replace(settings, lists=None)), 24))
    assert new_device_share(days) < 0.7 * new_device_share(unread)


def test_only_adaptive_crews_read(tmp_path):
    shop = Shop(replace(SMALL, lists=tmp_path))
    adaptive = set()
    for _ in range(4):
        rows = shop.next_day().true_user_days.to_pylist()
        reads = {
            (name, variant.name) for name, kind in TYPOLOGIES.items() for variant in kind.variants if variant.adaptive
        }
        adaptive |= {row["user_id"] for row in rows if (row["typology"], row["variant"]) in reads}
    assert set(shop.readers.accounts) == adaptive != set()


def test_a_list_is_not_known_before_four_in_the_morning(tmp_path):
    readers = ListReaders(tmp_path)
    readers.accounts = {"u": "bots"}
    publish(tmp_path, "2026-06-01", ["u"])
    readers.read_up_to("2026-06-02")
    avoided = readers.of("bots").chances(np.array([3 * 3600, 4 * 3600]))["device"]
    assert avoided[0] == 0 < avoided[1]
    readers.read_up_to("2026-06-03")
    assert readers.of("bots").chances(np.array([0]))["device"][0] > 0
