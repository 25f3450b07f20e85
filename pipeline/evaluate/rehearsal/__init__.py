"""The rehearsal: weeks of a simulated shop with daily lists, weekly retraining, and reviewers who see only the lists.

Reads   nothing
Writes  shop/, history/, one home per way of working, rehearsal.json and rehearsal.svg
Rerun   finished ways of the same plan are kept; one that was interrupted begins again
"""

import csv
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from pipeline import daily
from pipeline.domain import Domain
from pipeline.errors import UsageError
from pipeline.evaluate.mornings import morning_after
from pipeline.evaluate.rehearsal.measures import Entry, ListedDay, WayResult, way_result
from pipeline.evaluate.rehearsal.picture import picture
from pipeline.evaluate.rehearsal.plan import WEEK, Plan, Way
from pipeline.evaluate.rehearsal.reviewers import Decision, review, verdict_file
from pipeline.evaluate.rehearsal.shops import Shop, reading_shop, same_shop
from pipeline.models.bundle import read_manifest
from pipeline.publish import read_list
from pipeline.publish.entries import choose
from pipeline.publish.sources import read_scores
from pipeline.settings import PROJECT
from pipeline.storage import snapshots
from pipeline.storage.files import make_folder, read_json, write_atomically, write_json

Tell = Callable[[str], None]


def run(out: Path, plan: Plan, tell: Tell = lambda text: None) -> dict[str, Any]:
    """Rehearse every way of working, and report after each. Raises UsageError where another plan was begun."""
    out.mkdir(parents=True, exist_ok=True)
    _same_plan(out / "plan.json", plan)
    tell("simulating the shop")
    shop = same_shop(out / "shop", plan)
    report: dict[str, Any] = {"plan": plan.to_dict(), "ways": {}}
    for way in plan.ways:
        kept = out / f"{way.slug}.json"
        if not kept.is_file():
            shutil.rmtree(out / way.slug, ignore_errors=True)  # of a rehearsal that was interrupted
            _build_history(out / "history", shop, plan, tell)
            shutil.copytree(out / "history" / "home", out / way.slug / "home", symlinks=True)
            write_json(kept, _rehearse(out / way.slug, shop, plan, way, tell).to_dict())
        report["ways"][way.name] = {"crews_read_lists": way.crews_read_lists, **read_json(kept)}
        write_json(out / "rehearsal.json", report)
        write_atomically(out / "rehearsal.svg", picture(report))
    return report


def _same_plan(path: Path, plan: Plan) -> None:
    if path.is_file() and read_json(path) != plan.to_dict():
        raise UsageError(f"{path.parent} holds the rehearsal of another plan", fix="name a new folder with --out")
    write_json(path, plan.to_dict())


def _build_history(folder: Path, shop: Shop, plan: Plan, tell: Tell) -> None:
    """A home on the eve of the first list: all ways of working begin with a copy of it.

    Its training is not promoted. A way whose pack is the same finds it, the others train again.
    """
    done = folder / "done.json"
    if done.is_file():
        return
    tell(f"{plan.warm_up} days of history, and the first training")
    make_folder(folder)
    pack = _pack(folder / "shop.yml", plan, plan.audit_share)
    request = _at({"home": folder / "home", "domain": str(pack)}, plan.past_days[-1])
    events, labels = zip(*(shop.open_day(day) for day in plan.past_days), strict=True)
    daily.ingest_events(request, events=events, labels=labels, history=True)
    daily.build_training_features(request)
    daily.train_challenger(request)
    write_json(done, {"days": plan.warm_up})


def _rehearse(folder: Path, same: Shop, plan: Plan, way: Way, tell: Tell) -> WayResult:
    """Live through the weeks with the shop of all ways, or with one of its own."""
    if not way.crews_read_lists:
        return way_result(list(_listed_days(folder, same, plan, way, tell)), same.truth, plan.capacity)
    with reading_shop(folder / "shop", plan, folder / "home" / "lists") as own:
        return way_result(list(_listed_days(folder, own, plan, way, tell)), own.truth, plan.capacity)


def _listed_days(folder: Path, shop: Shop, plan: Plan, way: Way, tell: Tell) -> Iterator[ListedDay]:
    """Live through the weeks, morning by morning, in a home of its own."""
    pack = _pack(folder / "shop.yml", plan, way.audit_share)
    given: dict[str, Any] = {"home": folder / "home", "domain": str(pack)}
    domain = Domain.load(str(pack))
    waiting: list[Decision] = []
    reported = {account for day in plan.past_days for account in _reported(shop.folder / "labels" / f"{day}.csv")}
    for place, day in enumerate(plan.listed_days):
        request, estimate = _at(given, day), None
        if place % WEEK == 0:
            tell(f"{way.name}: week {place // WEEK + 1} of {plan.weeks}, training")
            estimate = _retrain(_at(given, day - timedelta(days=1)))
            mature = day - timedelta(days=domain.label_delay_days)
            estimate |= {"true": shop.truth.reported_share(reported, mature)}
        events, reports = shop.open_day(day)
        daily.ingest_events(request, events=[events], labels=[reports])
        reported |= _reported(reports)
        due = [decision for decision in waiting if decision.decided_at <= morning_after(day)]
        waiting = [decision for decision in waiting if decision.decided_at > morning_after(day)]
        if due:
            path = folder / "verdicts" / f"{day}.csv"
            write_atomically(path, verdict_file(due))
            daily.take_feedback(request, path)
        listed = replace(_list(request, domain), known=frozenset(reported), reported=estimate)
        if way.has_verdicts:
            waiting += review(plan, shop.truth, day, [entry.account for entry in listed.entries])
        tell(f"{way.name}: {day}: {len(listed.picked)} picked, {len(listed.audited)} drawn")
        yield listed


def _reported(path: Path) -> set[str]:
    """Accounts that the shop's own reports call bad."""
    with path.open(newline="") as file:
        return {row["user_id"] for row in csv.DictReader(file) if row["is_bad"] == "true"}


def _pack(path: Path, plan: Plan, audit_share: float) -> Path:
    """The shop's pack, with the plan's capacity and what its team knows of its own errors."""
    pack = yaml.safe_load((PROJECT / "domains" / "shop.yml").read_text())
    labels = pack["labels"] | {"review_error": plan.error}
    changes = {"list_size": plan.capacity, "audit_share": audit_share, "labels": labels}
    write_atomically(path, yaml.safe_dump(pack | changes))
    return path


def _at(given: dict[str, Any], day: date) -> dict[str, Any]:
    """A request on the morning after the day."""
    return given | {"day": day, "as_of": morning_after(day), "now": morning_after(day)}


def _retrain(request: dict[str, Any]) -> dict[str, Any]:
    """Returns what the training estimated of how much is reported."""
    daily.build_training_features(request)
    trained = daily.train_challenger(request)
    daily.promote_if_better(request, trained["details"]["bundle"])
    estimate: dict[str, Any] = read_manifest(request["home"], trained["details"]["bundle"]).made_from["reported"]
    return estimate


def _list(request: dict[str, Any], domain: Domain) -> ListedDay:
    for step in (daily.build_features, daily.score_users, daily.publish_list):
        step(request)
    return published(request["home"], request["day"], request["as_of"], domain)


def published(home: Path, day: date, as_of: datetime, domain: Domain) -> ListedDay:
    """The day's list, and the accounts that it was chosen from."""
    table, manifest = read_list(home, day)
    entries = tuple(
        Entry(row["user_id"], row["picked_by"], row["risk"], row["propensity"]) for row in table.to_pylist()
    )
    newest = snapshots.newest(home, "scores", day, as_of)
    assert newest is not None
    scores = read_scores(newest.path(home))
    displaced = _without_audits(scores, manifest, domain) - {
        entry.account for entry in entries if entry.picked_by != "audit"
    }
    return ListedDay(day, entries, frozenset(scores["user_id"].to_pylist()), displaced=displaced)


def _without_audits(scores: pa.Table, manifest: Mapping[str, Any], domain: Domain) -> frozenset[str]:
    """The accounts that the list has if it has no audit rows."""
    pack = domain.model_copy(update={"audit_share": 0.0})
    chosen = choose(scores, manifest["ranked_by"], pack, manifest["cut"]["list_size"], seed="")
    return frozenset(chosen.rows["user_id"].to_pylist())


__all__ = ["Plan", "published", "run"]
