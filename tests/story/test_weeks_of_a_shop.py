"""Several weeks of a little shop, end to end: what a risk team sees, and what it can rely on."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import little_shop as shop
import numpy as np
import pytest
from story_so_far import LABELLED, LISTED, TRAINED

from pipeline.models import bundle as bundles
from pipeline.models import registry
from pipeline.models.calibration import Calibration, RiskCalibration
from pipeline.models.days import day_number
from pipeline.models.labels import known_bad_user_days
from pipeline.models.scoring import score_days
from pipeline.settings import Settings
from pipeline.storage.lake import end_of
from pipeline.warehouse import connect

FIRST_LIST, FIRST_NOW = shop.day(LISTED), shop.morning_after(LISTED)
LIST_FILES = ("risk_list.csv", "risk_list.parquet", "manifest.json")


def list_bytes(home, day):
    """All three files of a day's list, as the link shows them."""
    return {name: (home.list_of(day) / name).read_bytes() for name in LIST_FILES}


def accounts(home, day):
    return [row["user_id"] for row in home.rows(day)]


def test_without_labels_the_list_ranks_by_surprise_and_says_so(chapters):
    home = chapters.end_of("first list")
    manifest, rows = home.manifest(FIRST_LIST), home.rows(FIRST_LIST)
    assert manifest["ranked_by"] == "surprise"
    assert manifest["ranked_by_why"] == "0 matured bad user-days, 10 needed"
    assert {row["risk"] for row in rows} == {None}
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    result = home.run_ok("show", "--day", FIRST_LIST, now=FIRST_NOW)
    assert "ranked by surprise (0 matured bad user-days, 10 needed)" in result.out


def test_the_first_list_names_the_accounts_that_were_taken_over(chapters):
    listed = accounts(chapters.end_of("first list"), FIRST_LIST)
    taken_over = [account for account in shop.ODD if shop.is_bad(account, LISTED) and int(account[-1]) % 2]
    assert taken_over
    bad = {account for account in shop.ODD if shop.is_bad(account, LISTED)}
    assert set(taken_over) <= set(listed[: len(bad)]) <= bad


def test_every_row_says_why_in_sentences(chapters):
    for chapter, n in (("first list", LISTED), ("with labels", LABELLED)):
        for row in chapters.end_of(chapter).rows(shop.day(n)):
            reasons = [row[f"reason_{k}"] for k in (1, 2, 3) if row[f"reason_{k}"]]
            assert reasons
            assert len(set(reasons)) == len(reasons)
            assert all(" " in reason and "{" not in reason for reason in reasons)


def test_the_events_named_are_the_accounts_own_of_that_day(chapters):
    for chapter, n in (("first list", LISTED), ("with labels", LABELLED)):
        happened = {row["event_id"]: row for row in shop.events_of(n)}
        for row in chapters.end_of(chapter).rows(shop.day(n)):
            top_events = json.loads(row["top_events"])
            assert top_events
            for event in top_events:
                real = happened[event["event_id"]]
                assert real["user_id"] == row["user_id"]
                assert real["event_type"] == event["event_type"]
                assert real["event_at"].replace(tzinfo=UTC).isoformat() == event["at"]
                assert event.get("amount") == real["amount"]


def test_running_a_day_again_changes_no_byte(at_end_of):
    home = at_end_of("first list")
    before = home.bytes_of("lists", "snapshots", "lake", "models", "quarantine", "reports")
    again = home.run_ok("run", "--day", FIRST_LIST, "--json", now=FIRST_NOW)
    assert home.bytes_of("lists", "snapshots", "lake", "models", "quarantine", "reports") == before
    steps = {answer["step"]: answer for answer in again.json}
    assert steps["ingest"]["read"] == 0
    assert steps["features"]["details"]["days_built"] == 0
    assert not steps["publish"]["details"]["is_new"]


def test_a_quiet_day_gives_a_short_list(at_end_of):
    home, quiet = at_end_of("first list"), LISTED + 1
    assert not any(shop.is_bad(account, quiet) for account in shop.ODD)
    shop.deliver(home.path, quiet)
    home.run_ok("run", "--day", shop.day(quiet), now=shop.morning_after(quiet))
    listed = home.manifest(shop.day(quiet))["rows"]["listed"]
    assert listed <= 4, "of about 48 accounts, where 2.4 are as surprising on an ordinary day"
    assert home.manifest(shop.day(quiet))["cut"]["rule"] in ("false_alarms", "all")


def test_verdicts_become_labels_and_retraining_uses_them(chapters):
    home = chapters.end_of("with labels")
    listed = accounts(home, FIRST_LIST)
    until, now = shop.day(LABELLED - 1), datetime.fromisoformat(shop.morning_after(LABELLED - 1))
    with connect(Settings(home=home.path)) as con:
        bad = known_bad_user_days(con, home.path, until, now).to_pylist()
    found = {row["user_id"] for row in bad if row["event_day"] == FIRST_LIST}
    assert found == {account for account in listed if shop.is_bad(account, LISTED)}
    [bundle] = [path for path in (home.path / "models").glob(f"{until}-*")]
    stacker = json.loads((bundle / "bundle.json").read_text())["stacker"]
    assert stacker["is_used"]
    assert stacker["bad_user_days"] >= 10
    first, last = map(datetime.fromisoformat, stacker["learned_from"])
    assert first.date() <= FIRST_LIST <= last.date() == until - timedelta(days=shop.LABEL_DELAY_DAYS)


def test_with_labels_the_list_has_risks_and_keeps_its_precision(chapters):
    home, day = chapters.end_of("with labels"), shop.day(LABELLED)
    manifest, rows = home.manifest(day), home.rows(day)
    assert manifest["ranked_by"] == "risk"
    risks = [row["risk"] for row in rows]
    assert rows
    assert all(0 <= risk <= 1 for risk in risks)
    assert risks == sorted(risks, reverse=True)
    cut = manifest["cut"]
    assert sum(risks) / len(risks) >= cut["min_precision"] - 1e-6
    assert cut["expected_precision"] == pytest.approx(sum(risks) / len(risks), abs=1e-5)
    bad = sum(shop.is_bad(row["user_id"], LABELLED) for row in rows)
    assert bad >= len(rows) / 2
    expected = cut["expected_bad"]
    assert 0 <= expected["low"] <= expected["mean"] < expected["high"] + 1 <= len(rows) + 1
    shown = home.run_ok("show", "--day", day, now=shop.morning_after(LABELLED)).out
    assert f"of these {len(rows)} accounts we expect" in " ".join(shown.split())


def test_all_that_came_later_changes_nothing_of_what_was_known_then(at_end_of):
    """Compared: CSV, Parquet and manifest of the first list. Later came two weeks of events, verdicts, chargebacks,
    another bundle and another list. The list is made again from the lake and the bundles alone."""
    home = at_end_of("with labels")
    before = list_bytes(home, FIRST_LIST)
    for made in ("snapshots", "lists", "reports", "dbt"):
        shutil.rmtree(home.path / made)
    (home.path / "warehouse.duckdb").unlink()
    then = ("--as-of", FIRST_NOW)
    now = shop.morning_after(LABELLED)
    home.run_ok("features", "--from", shop.day(TRAINED - 13), "--to", FIRST_LIST, *then, now=now)
    home.run_ok("run", "--day", FIRST_LIST, *then, now=now)
    assert list_bytes(home, FIRST_LIST) == before


def test_a_late_event_makes_a_new_revision_and_the_old_one_can_be_published_again(at_end_of):
    home = at_end_of("first list")
    before = list_bytes(home, FIRST_LIST)
    night = {"event_at": datetime.combine(FIRST_LIST, datetime.min.time()) + timedelta(hours=2), "amount": 9000.0}
    template = next(row for row in shop.events_of(LISTED) if row["event_type"] == "purchase")
    late = [{**template, **night, "user_id": "ann-99", "event_id": f"late-{n}"} for n in range(3)]
    shop.deliver(home.path, LISTED, late, name="late")
    two_days_later = shop.morning_after(LISTED + 2)

    home.run_ok("run", "--day", FIRST_LIST, now=two_days_later)
    assert "ann-99" in accounts(home, FIRST_LIST), "a list made today sees what has arrived by today"
    after = list_bytes(home, FIRST_LIST)
    assert after["risk_list.csv"] != before["risk_list.csv"]
    manifest = home.manifest(FIRST_LIST)
    assert len(manifest["batches"]) == 2

    result = home.run_ok("run", "--day", FIRST_LIST, "--as-of", FIRST_NOW, "--json", now=two_days_later)
    revision = result.json[-1]["details"]["revision"]
    folder = home.path / "lists" / "revisions" / f"day={FIRST_LIST}" / revision
    assert {name: (folder / name).read_bytes() for name in LIST_FILES} == before
    assert list_bytes(home, FIRST_LIST) == after, "what the day shows is the newest knowledge, not the last command"


def test_training_until_a_day_knows_no_younger_label(at_end_of):
    """The first bundle is trained again, now that chargebacks of its days have come in that were not known then."""
    home = at_end_of("three weeks")
    before = home.bytes_of("models")
    shutil.rmtree(home.path / "models")
    charged_back = [row for n in range(TRAINED + 1) for row in shop.labels_of(n)]
    younger = [row for row in charged_back if row["known_at"].date() > shop.day(TRAINED)]
    assert younger
    path = shop.write(home.path / "landing" / "younger.csv", younger, shop.LABEL_COLUMNS)
    now = shop.morning_after(LABELLED)
    home.run_ok("ingest", "--history", "--labels", path, now=now)
    home.run_ok("train", "--until", shop.day(TRAINED), now=now, RISK_TRAIN_DAYS="14")
    after = home.bytes_of("models")
    ledger = "models/registry.jsonl"
    assert json.loads(after.pop(ledger))["bundle"] == json.loads(before.pop(ledger))["bundle"]
    assert after == before


def test_a_closed_day_has_an_empty_list(at_end_of):
    home, sunday = at_end_of("with labels"), LABELLED + 5
    assert shop.day(sunday).weekday() == 6
    for n in range(LABELLED + 1, sunday):
        shop.write(home.path / "landing" / "week" / f"{n}.csv", shop.events_of(n))
    now = shop.morning_after(sunday)
    home.run_ok("ingest", "--history", "--events", home.path / "landing" / "week", now=now)
    result = home.run_ok("run", "--day", shop.day(sunday), now=now)
    assert home.rows(shop.day(sunday)) == []
    assert "else the shop is closed" in result.out
    assert "nothing stood out" in home.run_ok("show", "--day", shop.day(sunday), now=now).out


def test_a_missing_feed_fails_the_checkpoint_and_the_last_good_list_stays(at_end_of):
    home, today = at_end_of("first list"), LISTED + 1
    before = list_bytes(home, FIRST_LIST)
    now = shop.morning_after(today)
    result = home.run("run", "--day", shop.day(today), now=now)
    assert result.code == 4
    assert "day.event_count: 0, expected at least 1" in result.err
    assert "to fix: see reports/" in result.err
    assert "Traceback" not in result.err
    assert list_bytes(home, FIRST_LIST) == before
    assert not home.list_of(shop.day(today)).exists()

    stale = home.run_ok("show", "--day", shop.day(today), now=now)
    assert "STALE" in stale.out
    assert f"this is the list of {FIRST_LIST}" in stale.out
    shown = home.run_ok("show", "--day", shop.day(today), "--json", now=now).json
    assert shown["manifest"]["is_stale"]
    assert {row["is_stale"] for row in shown["rows"]} == {True}

    shop.deliver(home.path, today)
    home.run_ok("run", "--day", shop.day(today), now=f"{shop.day(today + 1)}T07:00:00+00:00")
    assert "STALE" not in home.run_ok("show", "--day", shop.day(today), now=now).out


def test_a_person_may_let_a_failed_day_pass(at_end_of):
    home, today = at_end_of("first list"), LISTED + 1
    now = shop.morning_after(today)
    result = home.run_ok("run", "--day", shop.day(today), "--accept", "day.event_count", now=now)
    assert "accepted by hand" in result.out
    assert home.manifest(shop.day(today))["rows"] == {"scored": 0, "listed": 0, "picked": 0, "audit": 0}


def test_days_are_scored_with_what_labels_show_and_who_was_known_before(chapters):
    home, until = chapters.end_of("with labels"), shop.day(LABELLED - 1)
    now, settings = datetime.fromisoformat(shop.morning_after(LABELLED)), Settings(home=home.path)
    bundle = bundles.load(home.path, registry.champions(home.path, now)[-1].bundle, 2)
    as_it_is, half = (
        Calibration(kind="platt", score_odds=(-16.2, 16.2), risk_odds=(-16.2 - less, 16.2 - less))
        for less in (0.0, np.log(2))
    )
    bundle = replace(bundle, calibration=RiskCalibration(new=as_it_is, known=as_it_is), label_calibration=half)
    scored = score_days(settings, bundle, shop.day(LISTED), until, until, now)
    odds = scored.risk / (1 - scored.risk)
    assert scored.reported == pytest.approx(odds / 2 / (1 + odds / 2), abs=2e-6)
    with connect(settings) as con:
        bad = known_bad_user_days(con, home.path, until, now).to_pylist()
    first_known = {}
    for row in sorted(bad, key=lambda row: row["known_at"], reverse=True):
        first_known[row["user_id"]] = day_number(row["known_at"].date())
    expected = [
        day > first_known.get(user, day) for user, day in zip(scored.user_id.to_pylist(), scored.day, strict=True)
    ]
    assert any(expected) and not all(expected)
    assert scored.is_known.tolist() == expected


def test_after_a_change_of_features_the_champion_is_retrained_on_the_same_days_and_compared(at_end_of):
    home, now = at_end_of("with labels"), shop.morning_after(LABELLED)
    champion = registry.champions(home.path, datetime.fromisoformat(now))[-1].bundle
    path = bundles.folder(home.path, champion) / "bundle.json"
    manifest = json.loads(path.read_text())
    new = ["event_count", "night_ratio"]
    path.write_text(json.dumps(manifest | {"features": [name for name in manifest["features"] if name not in new]}))
    result = home.run_ok("train", "--until", shop.day(LABELLED), "--json", now=now).json
    trained, decided = (answer["details"] for answer in result[-2:])
    assert trained["stacker"]["new_features"]["names"] == new
    assert decided["action"] == "promoted" and decided["ranked_by"] == "risk"
    assert f"{champion} cannot score today's features; with event_count, night_ratio against" in decided["why"]
    again = home.run_ok("train", "--until", shop.day(LABELLED), "--json", now=now).json
    assert not again[-2]["details"]["is_new"], "its own promotion does not change what it was compared with"
    assert "did not know `event_count`, `night_ratio`" in home.run_ok("models", "card", now=now).out


def test_bundles_are_promoted_by_hand_and_rolled_back(at_end_of):
    home, now = at_end_of("with labels"), shop.morning_after(LABELLED)
    listed = home.run_ok("models", "list", "--json", now=now).json
    assert [entry["action"] for entry in listed] == ["promoted", "rejected", "promoted"]
    assert listed[1]["why"].startswith("the stacker over surprise alone: ")
    assert "no higher, so ranked by surprise" in listed[1]["why"]
    assert [entry["leaves_stacker_out"] for entry in listed] == [False, True, False]
    first, second = listed[0]["bundle"], listed[1]["bundle"]
    assert home.run_ok("models", "promote", first, now=now).out.startswith("promote")
    assert home.run_ok("models", "list", "--json", now=now).json[-1]["why"] == "by hand"
    result = home.run_ok("run", "--day", shop.day(LABELLED), "--json", now=now).json
    assert result[-1]["details"]["ranked_by"] == "surprise"
    rolled = home.run_ok("models", "rollback", "--json", now=now).json
    assert rolled["details"] == {"left": first, "champion": second}
    result = home.run_ok("run", "--day", shop.day(LABELLED), "--json", now=now).json
    assert result[-1]["details"]["ranked_by"] == "risk"
    again = home.run("models", "rollback", now=now)
    assert again.code == 2
    assert "no earlier promoted bundle" in again.err


def test_known_times_are_what_they_say(chapters):
    """The pretended clock is what files arrive by, and what lists are made as of."""
    home = chapters.end_of("first list")
    manifest = home.manifest(FIRST_LIST)
    assert datetime.fromisoformat(manifest["as_of"]) == datetime.fromisoformat(FIRST_NOW)
    assert datetime.fromisoformat(FIRST_NOW) >= end_of(FIRST_LIST)
    [batch] = [
        json.loads(path.read_text())
        for path in (home.path / "lake" / "batches").glob("events-*.json")
        if not json.loads(path.read_text())["is_history"]
    ]
    assert datetime.fromisoformat(batch["ingested_at"]) == datetime.fromisoformat(FIRST_NOW).astimezone(UTC)
