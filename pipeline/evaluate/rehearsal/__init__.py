"""The rehearsal: weeks of a simulated shop with daily lists, weekly retraining, and reviewers who see only the lists.

Reads   nothing
Writes  shop/, one home per way of working, rehearsal.json and rehearsal.svg
Rerun   finished ways of the same plan are kept; one that was interrupted begins again
"""

import csv
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from pipeline import daily, simulate
from pipeline.domain import Domain
from pipeline.errors import UsageError
from pipeline.evaluate.mornings import morning_after
from pipeline.evaluate.rehearsal.measures import Entry, ListedDay, WeekResult, week_results
from pipeline.evaluate.rehearsal.picture import picture
from pipeline.evaluate.rehearsal.plan import WEEK, Plan, Way
from pipeline.evaluate.rehearsal.reviewers import Decision, review, verdict_file
from pipeline.evaluate.rehearsal.truth import ShopTruth
from pipeline.models.bundle import read_manifest
from pipeline.publish import read_list
from pipeline.settings import PROJECT
from pipeline.storage import snapshots
from pipeline.storage.files import read_json, write_atomically, write_json

Tell = Callable[[str], None]


def run(out: Path, plan: Plan, tell: Tell = lambda text: None) -> dict[str, Any]:
    """Rehearse every way of working, and report after each. Raises UsageError where another plan was begun."""
    out.mkdir(parents=True, exist_ok=True)
    _same_plan(out / "plan.json", plan)
    shop = out / "shop"
    if not (shop / "truth" / "simulation.json").is_file():
        tell("simulating the shop")
        simulate.run(
            shop,
            days=plan.days,
            users=plan.users,
            seed=plan.seed,
            first_day=plan.first_day,
            bad_share=plan.bad_share,
        )
    truth = ShopTruth.read(shop)
    report: dict[str, Any] = {"plan": plan.to_dict(), "ways": {}}
    for way in plan.ways:
        kept = out / f"{_slug(way)}.json"
        if not kept.is_file():
            shutil.rmtree(out / _slug(way), ignore_errors=True)  # of a rehearsal that was interrupted
            days = list(_rehearse(out / _slug(way), shop, plan, way, truth, tell))
            write_json(kept, [result.to_dict() for result in week_results(days, truth, plan.capacity)])
        report["ways"][way.name] = read_json(kept)
        write_json(out / "rehearsal.json", report)
        write_atomically(out / "rehearsal.svg", picture(report))
    return report


def _same_plan(path: Path, plan: Plan) -> None:
    if path.is_file() and read_json(path) != plan.to_dict():
        raise UsageError(f"{path.parent} holds the rehearsal of another plan", fix="name a new folder with --out")
    write_json(path, plan.to_dict())


def _slug(way: Way) -> str:
    return way.name.replace(",", "").replace(" ", "_")


def _rehearse(folder: Path, shop: Path, plan: Plan, way: Way, truth: ShopTruth, tell: Tell) -> Iterator[ListedDay]:
    """Live through the weeks, morning by morning, in a home of its own."""
    folder.mkdir(exist_ok=True)
    pack = _pack(folder / "shop.yml", plan, way)
    given: dict[str, Any] = {"home": folder / "home", "domain": str(pack)}
    report_days = Domain.load(str(pack)).label_delay_days
    before = plan.listed_days[0] - timedelta(days=1)
    past = [plan.first_day + timedelta(days=n) for n in range(plan.warm_up)]
    events = [shop / "events" / f"{day}.parquet" for day in past]
    labels = [shop / "labels" / f"{day}.csv" for day in past]
    tell(f"{way.name}: {plan.warm_up} days of history")
    daily.ingest_events(_at(given, before), events=events, labels=labels, history=True)
    waiting: list[Decision] = []
    reported = {account for path in labels for account in _reported(path)}
    for place, day in enumerate(plan.listed_days):
        request, estimate = _at(given, day), None
        if place % WEEK == 0:
            tell(f"{way.name}: week {place // WEEK + 1} of {plan.weeks}, training")
            estimate = _retrain(_at(given, day - timedelta(days=1)))
            estimate |= {"true": truth.reported_share(reported, day - timedelta(days=report_days))}
        reports = shop / "labels" / f"{day}.csv"
        daily.ingest_events(request, events=[shop / "events" / f"{day}.parquet"], labels=[reports])
        reported |= _reported(reports)
        due = [decision for decision in waiting if decision.decided_at <= morning_after(day)]
        waiting = [decision for decision in waiting if decision.decided_at > morning_after(day)]
        if due:
            path = folder / "verdicts" / f"{day}.csv"
            write_atomically(path, verdict_file(due))
            daily.take_feedback(request, path)
        listed = replace(_list(request, given["home"], day, frozenset(reported)), reported=estimate)
        if way.has_verdicts:
            waiting += review(plan, truth, day, [entry.account for entry in listed.entries])
        tell(f"{way.name}: {day}: {len(listed.picked)} picked, {len(listed.audited)} drawn")
        yield listed


def _reported(path: Path) -> set[str]:
    """Accounts that the shop's own reports call bad."""
    with path.open(newline="") as file:
        return {row["user_id"] for row in csv.DictReader(file) if row["is_bad"] == "true"}


def _pack(path: Path, plan: Plan, way: Way) -> Path:
    """The shop's pack, with the plan's capacity."""
    pack = yaml.safe_load((PROJECT / "domains" / "shop.yml").read_text())
    write_atomically(path, yaml.safe_dump(pack | {"list_size": plan.capacity, "audit_share": way.audit_share}))
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


def _list(request: dict[str, Any], home: Path, day: date, known: frozenset[str]) -> ListedDay:
    for step in (daily.build_features, daily.score_users, daily.publish_list):
        step(request)
    table, _ = read_list(home, day)
    entries = tuple(
        Entry(row["user_id"], row["picked_by"], row["risk"], row["propensity"]) for row in table.to_pylist()
    )
    scored = snapshots.newest(home, "scores", day, morning_after(day))
    assert scored is not None
    active = pq.read_table(scored.path(home), columns=["user_id"])["user_id"].to_pylist()
    return ListedDay(day, entries, frozenset(active), known)


__all__ = ["Plan", "WeekResult", "run"]
