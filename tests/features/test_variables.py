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

    def dbt_build(settings, variables):
        raise Asked(variables["has_later_arrivals"])

    monkeypatch.setattr(features, "dbt_build", dbt_build)
    with pytest.raises(Asked) as asked:
        features.run(Run(Settings(home=tmp_path), random_lake.shop(), DAY, NIGHT.replace(tzinfo=UTC)))
    assert asked.value.args == (is_later,)
