"""Settings suggested by a home's data: the rules, and the facts they are made of."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support import event, label, moment, write_events, write_labels

from pipeline.context import Run
from pipeline.domain import Domain, Labels
from pipeline.errors import InputError
from pipeline.settings import Settings
from pipeline.suggest import BAD_LABELS, PLENTY, BadDay, Facts, in_lines, read_facts, suggest

UNTIL = date(2026, 11, 22)
FINE = {"name": "mine", "currency": "EUR", "event_types": {"buy": "purchase"}}
PACK = Domain(**FINE, labels={"delay_days": 30})
SMALL = Facts(UNTIL, 365, 7300, 20, 80, 50, tuple(BadDay(age=7 * n, known_after=n % 20) for n in range(50)))

BAD_DAYS = st.builds(BadDay, age=st.integers(0, 900), known_after=st.integers(0, 500))
FACTS = st.builds(
    Facts,
    until=st.just(UNTIL),
    days=st.integers(1, 2000),
    user_days=st.integers(1, 10**9),
    active_a_day=st.integers(0, 10**7),
    active_a_week=st.integers(0, 10**8),
    bad_accounts=st.integers(0, 500),
    bad_days=st.lists(BAD_DAYS, max_size=400).map(tuple),
)
LABELS = st.none() | st.builds(Labels, delay_days=st.integers(0, 365), reported=st.floats(0.01, 1))
PACKS = st.builds(
    lambda labels, size, every: PACK.model_copy(update={"labels": labels, "list_size": size, "list_every": every}),
    labels=LABELS,
    size=st.integers(1, 100_000),
    every=st.integers(1, 28),
)


def values(facts, pack=PACK):
    return {each.key: each.value for each in suggest(facts, pack)}


def lines(facts, pack):
    return in_lines([vars(each) for each in suggest(facts, pack)])


@settings(deadline=None, max_examples=25)  # a pack is slow to check: it looks for all time zones
@given(FACTS, PACKS)
def test_the_lines_are_a_pack_and_an_environment_that_we_read(facts, pack):
    text = lines(facts, pack)
    of_pack = yaml.safe_load("\n".join(text[: text.index("# in the environment")]))
    assert ("labels" in of_pack) == (pack.labels is not None)
    Domain(**FINE | of_pack)
    environment = dict(line.partition("  #")[0].split("=") for line in text if line.startswith("RISK_"))
    Settings(home="home", **{name.removeprefix("RISK_").lower(): value for name, value in environment.items()})


@settings(deadline=None)
@given(FACTS, PACKS)
def test_nobody_is_asked_to_review_more_than_now(facts, pack):
    found = values(facts, pack)
    every = int(found["list_every"].split()[0])
    assert int(found["list_size"]) <= max(1, pack.list_size * every / pack.list_every)


@settings(deadline=None)
@given(FACTS)
def test_a_training_finds_as_many_labels_as_it_is_told_to_need_if_there_are_enough(facts):
    found = values(facts)
    window, delay = int(found["RISK_TRAIN_DAYS"]), int(found["labels.delay_days"])
    usable = sum(delay <= bad.age < window for bad in facts.bad_days)
    assert usable < BAD_LABELS[0] or int(found["RISK_MIN_BAD_LABELS"]) <= usable


@settings(deadline=None)
@given(FACTS, BAD_DAYS)
def test_one_more_label_never_asks_for_a_longer_window_with_the_same_delay(facts, another):
    more = replace(facts, bad_days=(*facts.bad_days, another))
    before, after = values(facts), values(more)
    same_delay = before["labels.delay_days"] == after["labels.delay_days"]
    assert not same_delay or int(after["RISK_TRAIN_DAYS"]) <= int(before["RISK_TRAIN_DAYS"])


def test_a_small_business_is_given_weekly_lists_and_all_its_labels():
    assert values(SMALL) == {
        "list_every": "7 days",
        "list_size": "10",
        "min_precision": "0.014",
        "labels.delay_days": "18",
        "labels.learn_at": "1",
        "RISK_TRAIN_DAYS": "365",
        "RISK_MIN_BAD_LABELS": "23",
    }


def test_a_large_one_keeps_its_daily_list_and_a_window_that_holds_plenty():
    many = tuple(BadDay(age=n // 10, known_after=n % 5) for n in range(3000))
    found = values(replace(SMALL, active_a_day=5000, active_a_week=20_000, user_days=1_500_000, bad_days=many))
    assert (found["list_every"], found["list_size"]) == ("1 day", "100")
    assert (found["RISK_TRAIN_DAYS"], found["RISK_MIN_BAD_LABELS"]) == ("90", "50")
    assert len([bad for bad in many if bad.age < 60]) > PLENTY


def test_without_labels_nothing_is_made_up():
    reasons = {each.key: each.why for each in suggest(replace(SMALL, bad_accounts=0, bad_days=()), PACK)}
    assert reasons["min_precision"] == "as it is: only 0 bad user-days are known yet"
    assert reasons["labels.delay_days"].startswith("as it is: 0 bad user-days")
    assert reasons["RISK_MIN_BAD_LABELS"].startswith("the least; 0 are there yet")


def test_labels_that_came_late_make_the_delay_though_most_days_are_young():
    young = tuple(BadDay(age=3, known_after=1) for _ in range(100))
    old = tuple(BadDay(age=200, known_after=n) for n in range(40))
    assert values(replace(SMALL, bad_days=young + old))["labels.delay_days"] == "37"


@pytest.fixture
def home(tmp_path):
    """Four weeks of five accounts. Two were bad for a day, a third on a day on which it did nothing."""
    days = [UNTIL - timedelta(days=n) for n in range(28)]
    write_events(
        tmp_path,
        [event(f"u{n}", moment(day), f"{day}-{n}") for day in days for n in range(5) if day.weekday() != 6 or n == 0],
    )
    write_labels(
        tmp_path,
        [
            label("u1", moment(days[20]), moment(days[15])),
            label("u2", moment(days[10]), moment(days[9])),
            label("u3", moment(days[0]), moment(days[0], 13)),  # a Sunday
        ],
    )
    return tmp_path


def run_of(home, day=UNTIL, as_of=datetime(2026, 11, 24, tzinfo=UTC)):
    return Run(Settings(home=home), PACK, day, as_of)


def test_the_facts_are_those_of_the_data(home):
    assert read_facts(run_of(home)) == Facts(
        until=UNTIL,
        days=28,
        user_days=124,
        active_a_day=5,
        active_a_week=5,
        bad_accounts=2,
        bad_days=(BadDay(age=10, known_after=1), BadDay(age=20, known_after=5)),
    )


def test_nothing_of_later_days_is_known(home):
    earlier = UNTIL - timedelta(days=12)
    facts = read_facts(run_of(home, earlier))
    assert (facts.until, facts.bad_accounts) == (earlier, 1)


def test_a_home_without_events_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="no events up to 2026-11-22"):
        read_facts(run_of(tmp_path))
