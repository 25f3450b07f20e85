"""Variables of a dbt run."""

from datetime import UTC, date, timedelta

import pytest
import random_lake
import support

from pipeline import features
from pipeline.context import Run
from pipeline.settings import Settings

DAY = date(2026, 3, 10)
NIGHT = support.moment(DAY, 26)


class Asked(Exception):
    pass


@pytest.mark.parametrize(("arrived_at", "is_later"), [(NIGHT, False), (NIGHT + timedelta(microseconds=1), True)])
def test_arrival_is_asked_for_only_where_something_arrived_after_as_of(tmp_path, monkeypatch, arrived_at, is_later):
    support.write_events(
        tmp_path,
        [
            support.event("ann", support.moment(DAY), "in time", arrived_at=NIGHT),
            support.event("ann", support.moment(DAY), "perhaps late", arrived_at=arrived_at),
        ],
    )

    assert asked_of(tmp_path, monkeypatch, "has_later_arrivals") == is_later


@pytest.mark.parametrize(("arrived_at", "first"), [(NIGHT, "2026-03-02"), (NIGHT + timedelta(seconds=1), "2026-03-05")])
def test_history_begins_with_the_oldest_day_of_which_something_had_arrived(tmp_path, monkeypatch, arrived_at, first):
    """In an older day's file, whatever batch it came with, and whatever else of that day is still to come."""
    march = support.moment(DAY) - timedelta(days=9)
    rows = {"ann": (4, NIGHT), "bob": (1, arrived_at), "cyd": (1, NIGHT + timedelta(days=1)), "dan": (9, NIGHT)}
    for user, (days, arrived) in rows.items():
        support.write_events(tmp_path, [support.event(user, march + timedelta(days=days), user, arrived_at=arrived)])
    assert asked_of(tmp_path, monkeypatch, "history_first_day") == first


def asked_of(home, monkeypatch, name):
    """The variable `name` of the dbt run of DAY, as of NIGHT."""

    def dbt_build(settings, variables):
        raise Asked(variables[name])

    monkeypatch.setattr(features, "dbt_build", dbt_build)
    with pytest.raises(Asked) as raised:
        features.run(Run(Settings(home=home), random_lake.shop(), DAY, NIGHT.replace(tzinfo=UTC)))
    return raised.value.args[0]
