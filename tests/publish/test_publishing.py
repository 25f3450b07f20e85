"""From scores to a published list: its rows, its manifest, its place on disk."""

import csv
import json
from datetime import UTC, datetime, timedelta

import pytest
from listed import files, users
from small_day import AS_OF, DAY, EVENT, RISKS, SHOP, add_bundle, add_scores, words

from pipeline import publish
from pipeline.checkpoints import Finding, Report, read_report, write_report
from pipeline.errors import CheckpointFailedError, InputError
from pipeline.models import reasons, registry
from pipeline.publish import read_list
from pipeline.publish.expected import SOURCE
from pipeline.settings import Settings
from pipeline.storage.files import sha256_of

LATER = AS_OF + timedelta(days=2)


def test_the_golden_list(home, publish_day):
    publish_day()
    text = (home / "lists" / f"day={DAY}" / "risk_list.csv").read_bytes().decode()
    event = '"' + json.dumps([EVENT]).replace('"', '""') + '"'
    expected = "money added 1.5,pace added 0.5,1 odd events"
    assert text.split("\r\n") == [
        "day,rank,user_id,picked_by,propensity,risk,surprise_percentile,score_stacker,score_surprise,"
        "ring_id,ring_size,reason_1,reason_2,reason_3,top_events,bundle,is_stale",
        f"2026-11-19,1,ann,risk,1.0,0.95,0.999,0.95,5.0,,,{expected},{event},2026-11-01-abc,false",
        f"2026-11-19,2,bob,risk,1.0,0.6,0.959,0.6,4.875,,,{expected},{event},2026-11-01-abc,false",
        f"2026-11-19,3,cat,risk,1.0,0.6,0.919,0.6,4.75,,,{expected},{event},2026-11-01-abc,false",
        f"2026-11-19,4,dan,risk,1.0,0.3,0.879,0.3,4.625,,,{expected},{event},2026-11-01-abc,false",
        "",
    ]


def test_csv_and_parquet_say_the_same(home, publish_day):
    publish_day()
    table, _ = read_list(home, DAY)
    with (home / "lists" / f"day={DAY}" / "risk_list.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["user_id"] for row in rows] == table["user_id"].to_pylist()
    assert [float(row["risk"]) for row in rows] == table["risk"].to_pylist()


def test_the_manifest_names_everything_the_list_depends_on(home, publish_day):
    publish_day()
    _, manifest = read_list(home, DAY)
    assert manifest["day"] == "2026-11-19" and manifest["as_of"] == AS_OF.isoformat()
    assert manifest["domain"] == {"name": "shop", "digest": SHOP.digest}
    assert manifest["bundle"]["id"] == "2026-11-01-abc"
    assert set(manifest["snapshots"]) == {"scores", "contributions", "user_days"}
    assert {"duckdb", "dbt", "torch", "xgboost", "pyarrow", "great_expectations", "dawnlist"} == set(
        manifest["packages"]
    )
    assert manifest["rows"] == {"scored": 8, "listed": 4, "picked": 4, "audit": 0}
    assert (manifest["ranked_by"], manifest["ranked_by_why"]) == ("risk", "60 matured bad labels")
    cut = manifest["cut"]
    assert (cut["min_precision"], cut["rule"]) == (0.5, "list_size")
    assert cut["expected_precision"] == pytest.approx((0.95 + 0.6 + 0.6 + 0.3) / 4)
    assert cut["expected_bad"] == {"low": 1, "mean": 2.45, "high": 4, "coverage": 0.9, "from": SOURCE}
    assert cut["next"] is None  # the budget ended the list
    folder = home / "lists" / f"day={DAY}"
    assert {name: sha256_of(folder / name) for name in manifest["outputs"]} == manifest["outputs"]


def test_other_sentences_are_another_revision(home, publish_day, monkeypatch):
    first = publish_day().details["revision"]
    monkeypatch.setattr("pipeline.publish.manifest.wording_digest", lambda: "other")
    assert publish_day().details["revision"] != first


def test_no_list_says_minus_zero(home, publish_day):
    add_scores(home, {"ann": 0.95, "bob": 0.6, "cat": -1e-9}, as_of=LATER)
    publish_day(as_of=LATER)
    assert users(home) == ["ann", "bob", "cat"]
    assert "-0.0" not in (home / "lists" / f"day={DAY}" / "risk_list.csv").read_text()


def test_no_secret_reaches_the_manifest(home, publish_day):
    publish_day(using=Settings(home=home, key="topsecretkey", now=AS_OF))
    assert "topsecretkey" not in (home / "lists" / f"day={DAY}" / "manifest.json").read_text()


def test_without_labels_it_ranks_by_surprise_and_says_why(tmp_path, publish_in):
    add_bundle(tmp_path, is_used=False)
    add_scores(tmp_path, dict.fromkeys(RISKS))
    publish_in(tmp_path)
    table, manifest = read_list(tmp_path, DAY)
    assert table["user_id"].to_pylist() == ["ann", "bob", "cat"]  # the others are no rarer than on an ordinary day
    assert table["risk"].null_count == 3
    assert (manifest["ranked_by"], manifest["ranked_by_why"]) == ("surprise", "12 matured bad labels, 50 needed")
    assert manifest["cut"]["min_precision"] is None
    cut = manifest["cut"]
    assert (cut["rule"], cut["expected_bad"]) == ("false_alarms", None)
    assert cut["next"] == {"rank": 4, "surprise_percentile": 0.879, "false_alarms": 0.97, "would_list": 4}


def test_a_bundle_whose_stacker_is_left_out_ranks_by_surprise_and_by_scores_made_so(home, publish_day):
    publish_day()
    assert read_list(home, DAY)[1]["ranked_by"] == "risk"
    [entry] = registry.ledger(home)
    left_out = {"at": AS_OF + timedelta(hours=1), "leaves_stacker_out": True, "why": "not proven better"}
    registry.write(home, entry.model_copy(update=left_out))
    with pytest.raises(InputError, match="dawnlist score --day 2026-11-19"):
        publish_day(as_of=LATER)
    add_scores(home, dict.fromkeys(RISKS), as_of=LATER, leaves_stacker_out=True)
    publish_day(as_of=LATER)
    table, manifest = read_list(home, DAY)
    assert table["risk"].null_count == len(table) and set(table["picked_by"].to_pylist()) == {"surprise"}
    assert (manifest["ranked_by"], manifest["ranked_by_why"]) == ("surprise", "not proven better")


def test_a_quiet_day_is_an_empty_list_with_a_manifest(tmp_path, publish_in):
    add_bundle(tmp_path)
    add_scores(tmp_path, dict.fromkeys(RISKS, 0.1))
    receipt = publish_in(tmp_path)
    table, manifest = read_list(tmp_path, DAY)
    assert len(table) == 0 and table.column_names[0] == "day"
    cut = manifest["cut"]
    assert (cut["rule"], cut["expected_bad"]["high"]) == ("min_precision", 0)
    assert cut["next"] == {"rank": 1, "risk": 0.1, "min_precision": 0.1, "would_list": 4}
    assert receipt.details["next"] == "rank 1 with risk 10.0%; min_precision 0.1 would fill all 4 slots"


def test_what_a_short_list_says_of_the_rest_names_no_account(tmp_path, publish_in):
    add_bundle(tmp_path)
    add_scores(tmp_path, {"ann": 0.9, "nobody-may-see": 0.05})
    publish_in(tmp_path)
    assert users(tmp_path) == ["ann"]
    manifest = read_list(tmp_path, DAY)[1]
    assert manifest["cut"]["next"]["risk"] == 0.05
    assert "nobody-may-see" not in json.dumps([manifest[key] for key in ("cut", "audit", "rows", "warnings")])


def test_a_closed_day_is_an_empty_list_too(tmp_path, publish_in):
    add_bundle(tmp_path)
    add_scores(tmp_path, {})
    publish_in(tmp_path)
    assert len(read_list(tmp_path, DAY)[0]) == 0


def test_the_budget_of_the_settings_goes_before_that_of_the_pack(home, publish_day):
    publish_day(using=Settings(home=home, list_size=2))
    assert users(home) == ["ann", "bob"]


def test_the_same_inputs_are_the_same_revision_and_nothing_is_written_again(home, publish_day):
    first = publish_day()
    before = files(home)
    again = publish_day(as_of=AS_OF + timedelta(hours=5))
    assert (first.details["is_new"], again.details["is_new"]) == (True, False)
    after = files(home)
    assert {name: body for name, body in after.items() if "current" not in name} == {
        name: body for name, body in before.items() if "current" not in name
    }


def test_a_new_revision_never_changes_an_old_one(home, publish_day):
    publish_day()
    before = files(home)
    add_scores(home, RISKS | {"hal": 0.99}, as_of=LATER, salt="late events")
    publish_day(as_of=LATER)
    after = files(home)
    assert users(home)[0] == "hal"
    kept = {name for name in before if "/revisions/" in name and "current" not in name}
    assert len(kept) == 3 and all(after[name] == before[name] for name in kept)


def test_a_past_list_is_published_again_byte_for_byte_and_the_newer_one_stays_shown(home, publish_day):
    first = publish_day()
    before = files(home)
    add_scores(home, RISKS | {"hal": 0.99}, as_of=LATER, salt="late events")
    publish_day(as_of=LATER)
    again = publish_day(as_of=AS_OF)
    assert again.details["revision"] == first.details["revision"]
    assert again.details["is_shown"] is False
    assert users(home)[0] == "hal"
    folder = f"lists/revisions/day={DAY}/{first.details['revision']}/"
    after = files(home)
    assert all(after[name] == body for name, body in before.items() if name.startswith(folder))


def test_after_a_rollback_the_older_bundles_list_is_shown_again(home, publish_day):
    publish_day()
    add_bundle(home, "2026-11-10-def", at=AS_OF + timedelta(days=1))
    add_scores(home, RISKS | {"hal": 0.99}, bundle="2026-11-10-def", as_of=LATER)
    publish_day(as_of=LATER)
    assert users(home)[0] == "hal"
    registry.roll_back(home, LATER + timedelta(hours=1))
    with pytest.raises(InputError, match="dawnlist score --day 2026-11-19"):
        publish_day(as_of=LATER + timedelta(days=1))
    add_scores(home, as_of=LATER + timedelta(days=1))  # scoring again finds what the older bundle gave
    publish_day(as_of=LATER + timedelta(days=1))
    assert users(home)[0] == "ann"


def test_the_shown_list_is_a_relative_link(home, publish_day):
    found = publish_day()
    link = home / "lists" / f"day={DAY}"
    assert str(link.readlink()) == f"revisions/day={DAY}/{found.details['revision']}"


def test_hostile_names_reach_programs_unchanged_and_spreadsheets_disarmed(tmp_path, publish_in):
    name = '=HYPERLINK("http://evil","click")\n[bold]x'
    add_bundle(tmp_path)
    add_scores(tmp_path, {name: 0.9, "-2+3": 0.8})
    publish_in(tmp_path)
    assert users(tmp_path) == [name, "-2+3"]
    with (tmp_path / "lists" / f"day={DAY}" / "risk_list.csv").open(newline="") as file:
        shown = [row["user_id"] for row in csv.DictReader(file)]
    assert shown == ['\'=HYPERLINK("http://evil","click") [bold]x', "'-2+3"]


BROKEN = {
    "an account that was not active": ({"users": sorted(RISKS)[1:]}, "list.user_id"),
    "a risk that is no probability": ({"risks": RISKS | {"ann": 1.5}}, "list.risk"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_list_that_cannot_be_handed_to_people_is_refused(tmp_path, publish_in, name):
    changes, finding = BROKEN[name]
    add_bundle(tmp_path)
    add_scores(tmp_path, **changes)
    with pytest.raises(CheckpointFailedError) as failure:
        publish_in(tmp_path)
    assert finding in str(failure.value)
    assert not (tmp_path / "lists" / f"day={DAY}").exists()
    report = read_report(tmp_path, DAY, "risk_list")
    assert report is not None and report.has_failed


def test_a_row_without_a_reason_is_refused(publish_day, monkeypatch):
    monkeypatch.setattr(publish, "sentences", lambda *_: [])
    with pytest.raises(CheckpointFailedError, match="reason_1"):
        publish_day()


def test_warnings_of_the_checkpoints_travel_on_the_manifest(home, publish_day):
    finding = Finding(name="day.missing_hours", rule="at most 0", outcome="warning", seen="1", why="An outage.")
    write_report(home, Report(checkpoint="events", day=DAY, domain="shop", has_failed=False, findings=[finding]), AS_OF)
    receipt = publish_day()
    expected = ["events: day.missing_hours: 1, expected at most 0. An outage."]
    assert receipt.warnings == read_list(home, DAY)[1]["warnings"] == expected


def test_a_missing_list_says_what_to_do(home):
    with pytest.raises(InputError, match="dawnlist run --day 2026-11-19"):
        read_list(home, DAY)


def test_a_damaged_list_is_noticed_and_mended_by_publishing_again(home, publish_day):
    publish_day()
    path = (home / "lists" / f"day={DAY}").resolve() / "risk_list.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(InputError, match="damaged"):
        read_list(home, DAY)
    publish_day()
    assert path.read_bytes() == whole


def test_scores_that_were_never_made_are_asked_for(home, publish_day):
    with pytest.raises(InputError, match="dawnlist"):
        publish_day(day=DAY + timedelta(days=1))


def test_the_real_wording_fits_the_list(home, publish_day, monkeypatch):
    monkeypatch.setattr(publish, "sentences", reasons.sentences)
    publish_day()
    first = read_list(home, DAY)[0]["reason_1"].to_pylist()
    assert all(reason and len(reason) > 8 for reason in first)
    assert json.loads(read_list(home, DAY)[0]["top_events"][0].as_py())[0]["event_id"] == "e1"


def test_as_of_only_matters_by_what_it_makes_visible(home, publish_day):
    assert (
        publish_day().details["revision"] == publish_day(as_of=datetime(2026, 12, 24, tzinfo=UTC)).details["revision"]
    )
    assert words({"event_count": 1.0}, [], [], "EUR")
