"""Scripts do what they say: what is returned was bought, breaks are breaks, sleepers leave, sales have their crowd."""

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from simulated import SMALL, days_of

from pipeline.simulate.look_alikes import LOOK_ALIKES
from pipeline.simulate.shop import Shop
from pipeline.simulate.typologies import TYPOLOGIES
from pipeline.simulate.world import catalogue

pytestmark = pytest.mark.slow

LONG = replace(SMALL, users=2500, bad_share=0.04, seed=3)


@pytest.fixture(scope="module")
def long_shop():
    return days_of(LONG, 50)


def truth_by_user_day(days):
    return {(row["user_id"], day.day): row for day in days for row in day.true_user_days.to_pylist()}


def events_of(days, *kinds):
    return [(day, row) for day in days for row in day.events.to_pylist() if not kinds or row["event_type"] in kinds]


def test_what_is_returned_was_bought_before_for_that_money_and_with_that_card(long_shop):
    bought, late, known = defaultdict(set), 0, 0
    for day, row in events_of(long_shop, "purchase", "refund"):
        what = (row["item_id"], row["payment_id"], row["amount"], row["quantity"])
        if row["event_type"] == "purchase":
            bought[row["user_id"]].add(what)
        elif day.day > LONG.day(30):  # earlier ones may be of purchases from before the first day
            late, known = late + 1, known + (what in bought[row["user_id"]])
    assert late > 100 and known / late > 0.9


def test_most_reviews_are_of_things_bought_also_those_of_abusers(long_shop):
    bought, found, rows = defaultdict(set), defaultdict(list), truth_by_user_day(long_shop)
    for day, row in events_of(long_shop, "purchase", "review"):
        if row["event_type"] == "purchase":
            bought[row["user_id"]].add(row["item_id"])
        elif day.day > LONG.day(30):
            who = rows.get((row["user_id"], day.day), {"look_alike": None, "variant": None})
            kind = "look_alike" if who["look_alike"] else who["variant"] or "ordinary"
            found[kind].append(row["item_id"] in bought[row["user_id"]])
    assert np.mean(found["ordinary"]) > 0.85 and np.mean(found["look_alike"]) > 0.65
    assert np.mean(found["cover"] + found["praised"]) > 0.9 > 0.6 > np.mean(found["unbought"])


def test_everybody_writes_reviews_right_after_buying_and_signs_in_late_at_times(long_shop):
    rows, after, late = truth_by_user_day(long_shop), defaultdict(int), 0
    visits = defaultdict(list)
    for day, row in events_of(long_shop):
        visits[row["session_id"]].append((row["event_type"], (row["user_id"], day.day)))
    for steps in visits.values():
        kinds = [kind for kind, _ in steps]
        is_bad = rows.get(steps[0][1], {}).get("is_bad", False)
        after[is_bad] += ("purchase", "review") in pairwise(kinds)
        late += not is_bad and "login" in kinds[1:] and kinds[0] != "login"
    assert after[False] > after[True] > 0
    assert late > 0.03 * len(visits)


def test_returns_and_reviews_are_as_frequent_in_the_first_week_as_later(small_shop):
    def per_day(days):
        return len(events_of(days, "review", "refund")) / len(days)

    assert per_day(small_shop[:7]) > 0.7 * per_day(small_shop[14:])


def test_every_device_has_one_channel(small_shop):
    channels = defaultdict(set)
    for _, row in events_of(small_shop):
        channels[row["device_id"]].add(row["channel"])
    assert all(len(of) == 1 for of in channels.values())


def test_visits_do_not_pile_up_before_midnight(small_shop):
    seconds = [row["event_at"].hour * 3600 + row["event_at"].minute * 60 + row["event_at"].second
               for _, row in events_of(small_shop)]  # fmt: skip
    last, before = (np.sum((np.array(seconds) >= at) & (np.array(seconds) < at + 600)) for at in (85_800, 85_200))
    assert last < 1.5 * before + 10


def test_sleepers_are_aged_and_gone_afterwards(long_shop):
    days_seen = defaultdict(list)
    for n, day in enumerate(long_shop):
        for user in day.events["user_id"].unique().to_pylist():
            days_seen[user].append(n)
    slept = defaultdict(list)
    for n, day in enumerate(long_shop):
        for row in day.true_user_days.to_pylist():
            if row["typology"] == "sleepers":
                slept[row["user_id"]].append(n)
    over = {user: max(days) for user, days in slept.items() if max(days) < 40}
    assert len(over) > 10
    assert all(max(days_seen[user]) - last < 7 for user, last in over.items())  # some had left before all was done
    assert np.mean([min(days_seen[user]) < days[0] for user, days in slept.items() if days[0] > 30]) > 0.9


def test_a_break_is_a_break(long_shop):
    seen, breaks = {}, []
    for n, day in enumerate(long_shop):
        rested = {row["user_id"] for row in day.true_user_days.to_pylist() if row["look_alike"] == "back_after_a_break"}
        breaks += [n - seen.get(user, -21) for user in rested if n > 30]
        seen |= dict.fromkeys(day.events["user_id"].unique().to_pylist(), n)
    assert len(breaks) > 15 and np.median(breaks) >= 18


def test_growing_customers_and_ramping_sleepers_spend_more_each_time(long_shop):
    spent, nth = defaultdict(list), defaultdict(int)
    for day in long_shop:
        paid = defaultdict(float)
        for _, row in events_of([day], "purchase"):
            paid[row["user_id"]] += row["amount"]
        for row in day.true_user_days.to_pylist():
            if row["look_alike"] == "growing_customer" or row["variant"] == "ramp":
                spent[nth[row["user_id"], row["actor_id"]]].append(paid[row["user_id"]])
                nth[row["user_id"], row["actor_id"]] += 1
    assert np.median(spent[2]) > 1.3 * np.median(spent[0])


def test_scalpers_and_collectors_come_to_flash_sales_for_what_is_on_sale(long_shop):
    rows, on_sale = truth_by_user_day(long_shop), []
    for n, day in enumerate(long_shop):
        season = catalogue.season(LONG.seed, day.day.timetuple().tm_yday, n)
        crowd = {row["user_id"] for row in day.true_user_days.to_pylist()
                 if row["look_alike"] == "flash_sale_collector" or row["variant"] == "scalper"}  # fmt: skip
        assert not crowd or season.flash_category >= 0
        for _, row in events_of([day], "purchase"):
            if row["user_id"] in crowd:
                on_sale.append(row["category"] == catalogue.NAMES[season.flash_category])
    assert rows and len(on_sale) > 20 and np.mean(on_sale) > 0.6


def test_a_bad_batch_comes_back_from_buyers_of_one_seller(long_shop):
    returned, rows = [], truth_by_user_day(long_shop)
    for day in long_shop:
        batch = {user for (user, on), row in rows.items() if on == day.day and row["look_alike"] == "bad_batch"}
        sellers = [row["counterparty_id"] for _, row in events_of([day], "refund") if row["user_id"] in batch]
        returned += [sellers.count(seller) for seller in set(sellers)]
    assert max(returned) >= 3


def test_newcomers_of_a_household_share_its_home():
    shop = Shop(replace(SMALL, quiet=True))
    before = len(shop.people)
    for _ in range(40):
        shop.next_day()
    people = shop.people
    same = [
        people.home[new] == people.home[old]
        for new in range(before, len(people))
        for old in np.flatnonzero(people.household[:before] == people.household[new])[:1]
    ]
    assert len(same) > 20 and np.mean(same) > 0.85  # some moved


def test_every_variant_has_known_traits_and_enough_of_them():
    from pipeline.simulate.campaigns.traits import TRAITS

    for process in (*LOOK_ALIKES, *TYPOLOGIES.values()):
        for variant in process.variants:
            assert {*variant.always, *variant.drawn} <= set(TRAITS)
            assert variant.least <= variant.most <= len(variant.drawn)
