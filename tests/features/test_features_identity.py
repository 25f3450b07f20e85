"""What names a day's features: what they are made from, and nothing else."""

from datetime import timedelta

import pytest
import random_lake

from pipeline.context import Run
from pipeline.domain import Labels
from pipeline.features.identity import Inputs, made_from
from pipeline.settings import Settings

DOMAIN = random_lake.shop()


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
