"""What every step asks of its run before it begins: a time to look back from that is over."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from command import explains_failure

from pipeline import daily
from pipeline.errors import UsageError

NOW = "2026-01-27T04:00:00+00:00"
SOON = "2026-01-27T04:00:01Z"
DAY = ("--day", "2026-01-26")
DAYS = ("--from", "2026-01-25", "--to", "2026-01-26")


@pytest.mark.parametrize(
    "command",
    [
        ("run", *DAY),
        ("validate", *DAY),
        ("score", *DAY),
        ("publish", *DAY),
        ("features", *DAYS),
        ("backfill", *DAYS),
        ("train", "--until", "2026-01-26"),
    ],
    ids=lambda command: command[0],
)
def test_a_command_as_of_the_future_is_refused_and_leaves_nothing(command, home):
    result = home.run(*command, "--as-of", SOON, now=NOW)
    assert explains_failure(result, 2, "is in the future", "2026-01-27T04:00:00+00:00 now")
    assert not home.path.exists()


@pytest.mark.parametrize("as_of", [SOON, datetime.fromisoformat(SOON)])
def test_a_step_as_of_the_future_is_refused_however_it_is_called(as_of, home):
    given = {
        "home": home.path,
        "domain": str(home.pack),
        "now": datetime.fromisoformat(NOW),
        "as_of": as_of,
    }
    given["day"] = date(2026, 1, 26)
    steps = (
        lambda: daily.ingest_events(given),
        lambda: daily.build_features(given),
        lambda: daily.check_events(given),
        lambda: daily.build_training_features(given),
        lambda: daily.train_challenger(given),
        lambda: daily.promote(given, "a bundle"),
        lambda: daily.roll_back(given),
        lambda: daily.score_users(given),
        lambda: daily.publish_list(given),
        lambda: daily.take_feedback(given, Path("verdicts.csv")),
    )
    for step in steps:
        with pytest.raises(UsageError, match="is in the future"):
            step()
    assert not home.path.exists()


def test_this_very_moment_is_not_the_future(home):
    given = {"home": home.path, "domain": str(home.pack), "now": datetime(2026, 1, 27, 4, tzinfo=UTC)}
    assert daily.open_run(given | {"day": date(2026, 1, 26), "as_of": NOW}).as_of == datetime.fromisoformat(NOW)


@pytest.mark.parametrize("as_of", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_time_at_the_end_of_time_is_explained(as_of, home):
    assert explains_failure(home.run("run", *DAY, "--as-of", as_of, now=NOW), 2, "--as-of", "is not a time like")
