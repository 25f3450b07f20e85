"""The shops of a rehearsal: one for all ways of working, and one whose crews read the lists."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.evaluate import rehearsal
from pipeline.evaluate.rehearsal import plan as plans
from pipeline.evaluate.rehearsal.measures import ListedDay
from pipeline.evaluate.rehearsal.plan import Plan, Way
from pipeline.evaluate.rehearsal.shops import reading_shop, same_shop

PLAN = Plan(weeks=1, warm_up=28, users=300, bad_share=0.05)
WAYS = [Way("one way", True, 0.0), Way("crews read", True, 0.0, crews_read_lists=True)]


def publish(lists, day, users):
    path = lists / f"day={day}" / "risk_list.parquet"
    path.parent.mkdir(parents=True)
    reasons = {f"reason_{n}": ["devices it had never used before: 1"] * len(users) for n in (1, 2, 3)}
    pq.write_table(pa.table({"user_id": users, **reasons}), path)


@pytest.fixture(scope="module")
def same(tmp_path_factory):
    return same_shop(tmp_path_factory.mktemp("shops") / "shop", PLAN)


def bytes_of(shop, days):
    return [path.read_bytes() for day in days for path in shop.open_day(day)]


def test_a_shop_whose_crews_read_is_the_others_until_the_first_list_and_another_one_after_it(tmp_path, same):
    listed = PLAN.listed_days
    with reading_shop(tmp_path / "shop", PLAN, tmp_path / "lists") as shop:
        past = [path.read_bytes() for day in PLAN.past_days for path in (shop.folder / "events").glob(f"{day}.*")]
        assert past == [same.open_day(day)[0].read_bytes() for day in PLAN.past_days]
        first = bytes_of(shop, listed[:1])
        assert first == bytes_of(same, listed[:1]), "no list was published before the first day was over"
        for day in listed[1:]:
            publish(tmp_path / "lists", day - timedelta(days=1), sorted(shop.truth.bad_days))
            shop.open_day(day)
    assert shop.truth.bad_days and all(list(days) == sorted(days) for days in shop.truth.bad_days.values())
    assert bytes_of(same, listed[1:]) != [path.read_bytes() for day in listed[1:] for path in files(shop, day)]
    assert (shop.folder / "truth" / "simulation.json").is_file()


def files(shop, day):
    return shop.folder / "events" / f"{day}.parquet", shop.folder / "labels" / f"{day}.csv"


def test_a_shop_whose_simulation_was_killed_is_simulated_again(tmp_path, same):
    (tmp_path / "shop" / "events").mkdir(parents=True)
    (tmp_path / "shop" / "events" / "half").touch()
    again = same_shop(tmp_path / "shop", PLAN)
    assert again.truth == same.truth and not (tmp_path / "shop" / "events" / "half").exists()


def test_history_is_built_once_and_each_way_begins_with_a_whole_copy_of_it(tmp_path, monkeypatch, same):
    built, began = [], []

    def build_history(request, **_):
        built.append(request["home"])
        (request["home"] / "lake").mkdir(parents=True)
        (request["home"] / "lake" / "past").write_text("56 days")

    def live(folder, shop, plan, way, tell):
        began.append(way.name)
        assert (folder / "home" / "lake" / "past").read_text() == "56 days"
        (folder / "home" / "lake" / "past").write_text("lived in")
        if len(began) == 2:
            raise KeyboardInterrupt
        yield ListedDay(plan.listed_days[0], (), frozenset())

    monkeypatch.setattr(plans.Plan, "ways", WAYS)
    monkeypatch.setattr(rehearsal, "same_shop", lambda folder, plan: same)
    monkeypatch.setattr(rehearsal.daily, "ingest_events", build_history)
    monkeypatch.setattr(rehearsal.daily, "build_training_features", lambda request: None)
    monkeypatch.setattr(rehearsal.daily, "train_challenger", lambda request: None)
    monkeypatch.setattr(rehearsal, "_listed_days", live)
    with pytest.raises(KeyboardInterrupt):
        rehearsal.run(tmp_path, PLAN)
    report = rehearsal.run(tmp_path, PLAN)
    assert began == ["one way", "crews read", "crews read"], "the finished way is kept, the other begins again"
    assert len(built) == 1 and list(report["ways"]) == ["one way", "crews read"]
    assert [way["crews_read_lists"] for way in report["ways"].values()] == [False, True]
