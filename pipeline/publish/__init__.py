"""Publish: rank the accounts, cut the list by its expected precision, give reasons, and publish it.

A list is about one day, or about a period of days that ends with it: the pack's `list_every`. Then an account stands
for its worst day. Other days of a period have no list.

Reads   snapshots/scores, snapshots/contributions, snapshots/user_days, models/<bundle>/bundle.json, reports/
Writes  lists/revisions/day=D/<revision>/, the link lists/day=D, and PostgreSQL where that is configured
Rerun   the same inputs are the same revision: nothing is written again
"""

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import checkpoints
from pipeline.checkpoints import CHECKPOINTS, fail_if_critical, has_failed, read_report, write_report
from pipeline.context import Run
from pipeline.errors import InputError
from pipeline.models import bundle as bundles
from pipeline.models.reasons import sentences
from pipeline.models.registry import Entry, champion_for
from pipeline.period import Period
from pipeline.publish import revisions
from pipeline.publish.entries import Explanations, assemble, choose
from pipeline.publish.manifest import inputs, outcome
from pipeline.publish.outputs import in_words, render, render_ranking, to_csv, write_parquet
from pipeline.publish.ranking import rank, worst_days
from pipeline.publish.revisions import read_list
from pipeline.publish.sources import (
    Used,
    active_among,
    choose_snapshots,
    contributions_of,
    features_of,
    listed_in,
    read_scores,
)
from pipeline.receipt import Receipt
from pipeline.storage import snapshots
from pipeline.storage.files import sha256_of, write_json
from pipeline.storage.memo import MadeFrom, made_once

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["latest_good", "ranking_behind", "read_list", "render", "render_ranking", "run"]


def run(run: Run) -> Receipt:
    """Publish the list that ends with the run's day, if one does.

    Raises CheckpointFailedError, and publishes nothing, if a checkpoint fails, or failed on a day of the list.
    """
    home, day = run.home, run.day
    if not run.is_list_day:
        until = f"until {run.period.last} is over; the pack makes one every {run.domain.list_every} days"
        return Receipt(step="publish", day=day, details={"no_list": until})
    for other in run.period.days:
        for checkpoint in CHECKPOINTS[:2]:
            if (report := read_report(home, other, checkpoint, run.as_of)) is not None:
                fail_if_critical(report)
    champion = champion_for(home, run.period.first, run.as_of)
    used = {other: choose_snapshots(home, other, run.as_of, champion, run.list_size) for other in run.period.days}
    made_from = inputs(run, champion.bundle, used)

    def build(missing: Mapping[date, str], folder: Path) -> Iterator[tuple[date, Path]]:
        yield day, _build(run, champion, used, made_from, folder / missing[day])

    made = made_once(home, "publish", {day: made_from}, revisions.Shelf(home, run.as_of), build)[day]
    revision, manifest = made.result["revision"], made.result
    is_shown = revisions.shown(home, day) == revision
    details: dict[str, Any] = {
        "revision": revision,
        "is_new": made.is_new,
        "is_shown": is_shown,
        "ranked_by": manifest["ranked_by"],
        "ranked_by_why": manifest["ranked_by_why"],
        **manifest["rows"],
        **in_words(manifest),
        "files": str(revisions.link_path(home, day).relative_to(home)),
    }
    if run.settings.postgres_dsn is not None and is_shown:
        from pipeline.publish.postgres import upsert

        table, _ = read_list(home, day)
        details["postgres_rows"] = upsert(run.settings.postgres_dsn, run.domain.name, run.period, revision, table)
    return Receipt(step="publish", day=day, details=details, warnings=manifest["warnings"])


def latest_good(home: Path, day: date, every: int = 1) -> tuple["pa.Table", dict[str, Any]]:
    """The list to work from on `day`: that of the newest period that is over, or the last good one before it, stale.

    `every`: days between two lists, where none is there yet.

    A list is stale too if a later validation of one of its days failed. The files stay as published: only what is
    returned says `is_stale`.
    """
    listed = [other for other in reversed(revisions.days(home)) if other <= day]
    if not listed:
        raise InputError(f"no list up to {day} in {home}", fix=f"dawnlist run --day {Period.ended_by(day, every).last}")
    periods = ((other, revisions.period_of(read_list(home, other)[1])) for other in listed)
    shown, period = next(
        (each for each in periods if each[0] == _due(each[1], day).last or not _failures(home, each[1])),
        (listed[0], None),
    )
    table, manifest = read_list(home, shown)
    due = _due(period or revisions.period_of(manifest), day)
    failures = _failures(home, due)
    if shown == due.last and not failures:
        return table, manifest
    why = f"{failures[0][0]} failed at the checkpoint {failures[0][1]!r}" if failures else f"{due} has no list yet"
    what = "this is what it had before" if shown == due.last else f"this is the list of {shown}"
    manifest |= {"is_stale": True, "stale_why": f"{why}; {what}"}
    return _marked_stale(table), manifest


def _due(period: Period, day: date) -> Period:
    """The newest period as long as this one that is over at the end of `day`."""
    return Period.ended_by(day, len(period.days))


def _failures(home: Path, period: Period) -> list[tuple[date, str]]:
    """The checkpoints that failed on days of the period."""
    return [(day, name) for day in period.days for name in CHECKPOINTS if has_failed(home, day, name)]


def ranking_behind(home: Path, table: "pa.Table", manifest: Mapping[str, Any]) -> "pa.Table":
    """All accounts that a list was made from, in ranked order, with whether they are on it and why.

    Raises InputError if the scores that the manifest names are gone or damaged.
    """
    import pyarrow as pa

    fix = f"dawnlist run --day {manifest['day']} --as-of {manifest['as_of']}"
    scores = {}
    for text, named in {**manifest.get("earlier_snapshots", {}), manifest["day"]: manifest["snapshots"]}.items():
        day, wanted = date.fromisoformat(text), named["scores"]
        found = snapshots.find(home, "scores", day, wanted["id"])
        if found is not None and found.sha256 != wanted["sha256"]:
            found = None
        scores[day] = read_scores(snapshots.require(found, home, "scores", day, fix).path(home))
    ranked = rank(worst_days(scores))
    users = ranked["user_id"].to_pylist()
    picked_by = dict(zip(table["user_id"].to_pylist(), table["picked_by"].to_pylist(), strict=True))
    return pa.table(
        {
            "rank": pa.array(range(1, len(users) + 1), pa.int32()),
            "user_id": ranked["user_id"],
            "day": ranked["day"],
            "risk": ranked["risk"],
            "surprise_percentile": ranked["surprise_percentile"],
            "is_listed": pa.array([user in picked_by for user in users], pa.bool_()),
            "picked_by": pa.array([picked_by.get(user) for user in users], pa.string()),
        }
    )


def _marked_stale(table: "pa.Table") -> "pa.Table":
    import pyarrow as pa

    place = table.column_names.index("is_stale")
    return table.set_column(place, "is_stale", pa.array([True] * len(table), pa.bool_()))


def _build(
    run: Run,
    champion: Entry,
    used: Used,
    made_from: MadeFrom,
    folder: Path,
) -> Path:
    """Make the list in `folder`, named by its revision, and validate it at the last checkpoint. Returns the folder."""
    from expectations import risk_list as suites

    home, domain, bundle, revision = run.home, run.domain, champion.bundle, folder.name
    by, why = champion.ranked_by(bundles.read_manifest(home, bundle).stacker)
    scores = worst_days({day: read_scores(snapshots["scores"].path(home)) for day, snapshots in used.items()})
    choice = choose(scores, by, domain, run.list_size, seed=revision)
    user_days = listed_in(home, used, "user_days", choice.rows)
    explanations = Explanations(
        features_of(run.settings, user_days),
        contributions_of(run.settings, listed_in(home, used, "contributions", choice.rows)),
        domain.currency,
        sentences,
    )
    table = assemble(choice.rows, explanations, bundle)
    active = active_among(run.settings, user_days)
    suite = suites.entries(suites.Wanted(run.period.days, run.list_size, choice.slots, bundle, by, active))
    levels = choice.rows["risk" if by == "risk" else "surprise_percentile"].to_pylist()
    tables = [("list", _frame(table, levels), suite)]
    report = checkpoints.validate(run, "risk_list", tables, seen={"listed": len(table)})
    fail_if_critical(write_report(home, report, run.as_of), run.accept)
    folder.mkdir()
    (folder / "risk_list.csv").write_bytes(to_csv(table).encode())
    write_parquet(table, folder / "risk_list.parquet")
    manifest = {
        **made_from,
        "revision": revision,
        "as_of": run.as_of.isoformat(),
        "ranked_by": by,
        "ranked_by_why": why,
        **outcome(choice, by, domain, run.list_size),
        "rows": {"scored": len(scores), "listed": len(table), "picked": choice.picked, "audit": choice.audited},
        "warnings": [*made_from["warnings"], *report.warnings],
        "is_stale": False,
        "outputs": {name: sha256_of(folder / name) for name in revisions.FILES},
    }
    write_json(folder / "manifest.json", manifest)
    return folder


def _frame(table: "pa.Table", levels: list[float | None]) -> Any:
    """The list as the third checkpoint validates it.

    `out_of_order` is 1 below an account with a lower level, and on a picked row below an audit row. `audit_number`
    counts the audit rows; it is 0 for picked ones.
    """
    frame = table.to_pandas()
    frame.insert(0, "user_id", frame.pop("user_id"))
    frame["day"] = frame["day"].astype(str)
    is_audit = frame["picked_by"] == "audit"
    places = [(audit, -(level or 0)) for audit, level in zip(is_audit, levels, strict=True)]
    out_of_order = [float(lower < upper) for upper, lower in pairwise(places)]
    frame["out_of_order"] = [0.0, *out_of_order][: len(frame)]
    frame["audit_number"] = is_audit.cumsum().where(is_audit, 0)
    for column in ("risk", "surprise_percentile", "propensity", "out_of_order", "audit_number", "rank"):
        frame[column] = frame[column].astype("float64")
    return frame
