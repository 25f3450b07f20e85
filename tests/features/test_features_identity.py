"""What names a day's features: what they are made from, and nothing else."""

from datetime import timedelta

import pytest
import random_lake
import support

from pipeline.context import Run
from pipeline.domain import Labels
from pipeline.features.identity import Inputs, made_from
from pipeline.settings import Settings
from pipeline.storage import lake

DOMAIN = random_lake.shop()


NIGHT = random_lake.AS_OF.replace(tzinfo=None)


def named(domain, as_of=random_lake.AS_OF):
    return made_from(Run(Settings(), domain, random_lake.LAST, as_of), "user_days", random_lake.LAST, Inputs([], []))


@pytest.mark.parametrize(
    "change",
    [
        {"timezone": "Asia/Tokyo"},
        {"event_types": {"look": "browse"}},
        {"labels": Labels(delay_days=6)},
        {"labels": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_the_sql_is_told_of_the_pack_makes_other_features(change):
    assert named(DOMAIN.model_copy(update=change)) != named(DOMAIN)


def test_what_the_sql_is_not_told_of_the_pack_leaves_them_as_they_are():
    assert named(DOMAIN.model_copy(update={"list_size": 3, "currency": "USD"})) == named(DOMAIN)


def test_a_time_at_which_nothing_more_has_arrived_makes_the_same_features():
    assert named(DOMAIN, random_lake.AS_OF + timedelta(days=1)) == named(DOMAIN)


def test_a_day_is_made_from_when_history_began_as_of_then(tmp_path):
    """Its own day's files and all before name the beginning too."""
    day, as_of = random_lake.LAST, random_lake.AS_OF
    run = Run(Settings(), DOMAIN, day, as_of)
    found = []
    for days_before in (3, 2, 9, -1):
        at = support.moment(day) - timedelta(days=days_before)
        support.write_events(tmp_path, [support.event("ann", at, arrived_at=max(at, NIGHT))])
        inputs = Inputs(lake.event_files(tmp_path), [])
        found.append((inputs.first_day(as_of), made_from(run, "event_tokens", day, inputs)))
        assert inputs.first_day(as_of - timedelta(seconds=1)) is None
    first_days, names = zip(*found, strict=True)
    assert first_days == tuple(day - timedelta(days=back) for back in (3, 3, 9, 9))
    assert names[0] != names[1] != names[2] == names[3]
