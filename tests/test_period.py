"""Periods tile the days."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import MOST_DAYS, Domain
from pipeline.period import Period

DAYS = st.dates(date(1990, 1, 1), date(2199, 12, 31))
EVERY = st.integers(1, MOST_DAYS)


@settings(deadline=None)
@given(DAYS, EVERY)
def test_every_day_is_in_one_period_and_all_its_days_agree_on_it(day, every):
    period = Period.of(day, every)
    assert day in period.days and len(period.days) == every
    assert {Period.of(other, every) for other in period.days} == {period}
    assert Period.of(period.last + timedelta(days=1), every).first == period.last + timedelta(days=1)


@settings(deadline=None)
@given(DAYS, EVERY)
def test_the_newest_period_that_is_over_ends_at_most_a_period_ago(day, every):
    ended = Period.ended_by(day, every)
    assert ended == Period.of(ended.last, every)
    assert 0 <= (day - ended.last).days < every


def test_a_week_ends_on_a_sunday_and_a_day_is_a_period_of_its_own():
    assert Period.of(date(2026, 11, 19), 7) == Period(date(2026, 11, 16), date(2026, 11, 22))
    assert str(Period.of(date(2026, 11, 19), 7)) == "2026-11-16 to 2026-11-22"
    assert str(Period.of(date(2026, 11, 19), 1)) == "2026-11-19"


def test_a_pack_without_the_key_makes_a_list_a_day_and_keeps_its_digest():
    fine = {"name": "mine", "currency": "EUR", "event_types": {"buy": "purchase"}}
    daily, weekly = Domain(**fine), Domain(**fine, list_every="7 days", list_size=20)
    assert (daily.list_every, weekly.list_every) == (1, 7)
    assert Domain(**fine, list_every="1 day").digest == daily.digest
    assert Domain(**fine, list_every="2 days").digest != daily.digest
    assert (daily.reviews_a_day(), daily.reviews_a_day(8), weekly.reviews_a_day()) == (100, 8, 2)
    assert weekly.reviews_a_day(3) == 1
