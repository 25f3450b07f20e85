"""The ledger says which bundle is the champion, now and at any time before."""

from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.errors import InputError, UsageError
from pipeline.models import registry
from pipeline.models.registry import Entry

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def decide(tmp_path):
    """Writes a decision at an hour after the start; the bundle `a5` learned until 5 March."""

    def write(hour, action, bundle):
        until = date(2026, 3, int(bundle[1:]))
        registry.write(tmp_path, Entry(at=at(hour), action=action, bundle=bundle, until=until, why="test"))

    return write


def at(hour):
    return START + timedelta(hours=hour)


def champions(home, hour):
    return [entry.bundle for entry in registry.champions(home, at(hour))]


def test_nothing_is_in_use_before_the_first_promotion(tmp_path, decide):
    assert champions(tmp_path, 0) == []
    decide(1, "promoted", "a1")
    assert champions(tmp_path, 0) == []
    assert champions(tmp_path, 1) == ["a1"]


def test_a_rejected_bundle_is_never_champion(tmp_path, decide):
    decide(1, "promoted", "a1")
    decide(2, "rejected", "b2")
    assert champions(tmp_path, 3) == ["a1"]


def test_a_rollback_takes_the_last_promotion_back(tmp_path, decide):
    for hour, bundle in enumerate(("a1", "b2", "c3")):
        decide(hour, "promoted", bundle)
    left, now = registry.roll_back(tmp_path, at(5))
    assert (left.bundle, now.bundle) == ("c3", "b2")
    assert champions(tmp_path, 5) == ["a1", "b2"]
    assert champions(tmp_path, 4) == ["a1", "b2", "c3"], "what was the champion before the rollback is still known"
    registry.roll_back(tmp_path, at(6))
    with pytest.raises(UsageError, match="no earlier promoted bundle"):
        registry.roll_back(tmp_path, at(7))


def test_a_bundle_rolled_back_can_be_promoted_again(tmp_path, decide):
    decide(1, "promoted", "a1")
    decide(2, "promoted", "b2")
    registry.roll_back(tmp_path, at(3))
    decide(4, "promoted", "b2")
    assert champions(tmp_path, 4) == ["a1", "b2"]


def test_promoting_an_older_bundle_again_puts_it_on_top(tmp_path, decide):
    for hour, bundle in enumerate(("a1", "b2", "a1")):
        decide(hour, "promoted", bundle)
    assert champions(tmp_path, 9) == ["b2", "a1"]


def test_a_day_is_scored_by_the_last_bundle_that_learned_from_earlier_days_only(tmp_path, decide):
    decide(1, "promoted", "a1")
    decide(2, "promoted", "b5")
    assert registry.champion_for(tmp_path, date(2026, 3, 6), at(9)).bundle == "b5"
    assert registry.champion_for(tmp_path, date(2026, 3, 5), at(9)).bundle == "a1", "b5 has seen 5 March"
    assert registry.champion_for(tmp_path, date(2026, 3, 6), at(1)).bundle == "a1", "b5 was not promoted yet"


def test_without_a_fitting_bundle_the_error_says_which_there_are(tmp_path, decide):
    with pytest.raises(InputError, match="no bundle was ever promoted"):
        registry.champion_for(tmp_path, date(2026, 3, 6), at(9))
    decide(1, "promoted", "b5")
    with pytest.raises(InputError, match="b5 learned until 2026-03-05"):
        registry.champion_for(tmp_path, date(2026, 3, 5), at(9))
    with pytest.raises(InputError, match="b5 was promoted only at 2026-03-01 01:00 UTC"):
        registry.champion_for(tmp_path, date(2026, 3, 6), at(0))


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_line_cut_short_by_a_crash_does_not_count_and_is_written_over(cut, tmp_path, decide):
    decide(1, "promoted", "a1")
    decide(2, "promoted", "b2")
    path = tmp_path / "models" / "registry.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:cut])
    assert champions(tmp_path, 9) == ["a1"]
    decide(3, "promoted", "c3")
    assert champions(tmp_path, 9) == ["a1", "c3"]
    assert len(path.read_bytes().splitlines()) == 2


@pytest.mark.parametrize("line", ["no json", '{"at": "2026-03-01T00:00:00Z"}', "[]"])
def test_a_ledger_somebody_broke_is_explained(line, tmp_path, decide):
    decide(1, "promoted", "a1")
    path = tmp_path / "models" / "registry.jsonl"
    path.write_text(f"{line}\n{path.read_text()}")
    with pytest.raises(InputError, match=r"registry.jsonl is damaged"):
        registry.ledger(tmp_path)
