"""Publish: rank the day's accounts, cut the list where the promise says, say why, and issue it.

Reads   snapshots/scores, snapshots/contributions, snapshots/user_days, models/<bundle>/bundle.json, reports/
Writes  lists/issues/day=D/<issue>/, the link lists/day=D, and PostgreSQL where that is configured
Rerun   the same inputs are the same issue: nothing is written again
"""

from collections.abc import Collection
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.domain import Domain
from pipeline.doors import DOORS, Door, judge, read_report, refuse_if_critical, write_report
from pipeline.errors import InputError
from pipeline.files import scratch, sha256_of, write_json
from pipeline.models import bundle as bundles
from pipeline.models.reasons import sentences as sentences_of_models
from pipeline.models.registry import bundle_for
from pipeline.publish import issues
from pipeline.publish.entries import Sentences, assemble, choose
from pipeline.publish.issues import read_list
from pipeline.publish.manifest import inputs, issue_id
from pipeline.publish.outputs import render, to_csv, write_parquet
from pipeline.publish.ranking import RankedBy
from pipeline.publish.sources import active_among, choose_snapshots, contributions_of, features_of, read_scores
from pipeline.receipt import Receipt
from pipeline.settings import Settings
from pipeline.snapshots import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["latest_good", "read_list", "render", "run"]


def run(
    settings: Settings,
    domain: Domain,
    day: date,
    *,
    as_of: datetime,
    accept: Collection[str] = (),
    sentences: Sentences | None = None,
) -> Receipt:
    """Issue the list of `day`. Raises DoorRefusedError, and issues nothing, if it cannot be handed to people.

    `accept` as for the other doors; `sentences` words the reasons, by default with `pipeline.models.reasons`.
    """
    home = settings.home
    for door in DOORS[:2]:
        if (report := read_report(home, day, door, as_of)) is not None:
            refuse_if_critical(report)
    bundle = bundle_for(home, day, as_of)
    facts = bundles.read_manifest(home, bundle)
    used = choose_snapshots(home, day, as_of, bundle, settings.list_size or domain.list_size)
    made_from = inputs(settings, domain, day, as_of, bundle, used)
    issue = issue_id(made_from)
    folder = issues.issue_folder(home, day, issue)
    is_new = not issues.is_whole(folder)
    if is_new or _is_refused(home, day, "risk_list", as_of):  # another issue of the day may have been refused
        _issue(settings, domain, day, as_of, used, facts, made_from, issue, accept, sentences or sentences_of_models)
    is_shown = issues.show(home, day, issue, as_of)
    manifest = issues.read_manifest(folder)
    details: dict[str, Any] = {
        "issue": issue,
        "is_new": is_new,
        "is_shown": is_shown,
        "ranked_by": manifest["ranked_by"],
        "ranked_by_why": manifest["ranked_by_why"],
        **manifest["rows"],
        "files": str(issues.link_path(home, day).relative_to(home)),
    }
    if settings.postgres_dsn is not None and is_shown:
        from pipeline.publish.postgres import upsert

        table, _ = read_list(home, day)
        details["postgres_rows"] = upsert(settings.postgres_dsn, domain.name, day, issue, table)
    return Receipt(step="publish", day=day, details=details, warnings=manifest["warnings"])


def latest_good(home: Path, day: date) -> tuple["pa.Table", dict[str, Any]]:
    """The list to work from on `day`: its own, or else the last one before it, marked stale.

    The files stay as issued; only what is returned says `is_stale`. Also stale is a day's own list if the
    day was judged again since and refused.
    """
    known = [other for other in issues.days(home) if other <= day]
    if not known:
        raise InputError(f"no list up to {day} in {home}", fix=f"dawnlist run --day {day}")
    refusals = {other: [door for door in DOORS if _is_refused(home, other, door)] for other in {*known, day}}
    good = [other for other in known if other == day or not refusals[other]]
    shown = good[-1] if good else known[-1]
    table, manifest = read_list(home, shown)
    if shown == day and not refusals[day]:
        return table, manifest
    why = f"{day} was refused at the door {refusals[day][0]!r}" if refusals[day] else f"{day} has no list yet"
    what = "this is what it had before" if shown == day else f"this is the list of {shown}"
    manifest |= {"is_stale": True, "stale_why": f"{why}; {what}"}
    return _marked_stale(table), manifest


def _is_refused(home: Path, day: date, door: Door, as_of: datetime | None = None) -> bool:
    report = read_report(home, day, door, as_of)
    return report is not None and report.is_refused


def _marked_stale(table: "pa.Table") -> "pa.Table":
    import pyarrow as pa

    place = table.column_names.index("is_stale")
    return table.set_column(place, "is_stale", pa.array([True] * len(table), pa.bool_()))


def _issue(
    settings: Settings,
    domain: Domain,
    day: date,
    as_of: datetime,
    used: dict[str, Snapshot],
    facts: bundles.Manifest,
    made_from: dict[str, Any],
    issue: str,
    accept: Collection[str],
    sentences: Sentences,
) -> None:
    """Make the list aside, let the door judge it, and move it into place."""
    from expectations import risk_list as suites

    home, list_size, bundle = settings.home, settings.list_size or domain.list_size, made_from["bundle"]["id"]
    by: RankedBy = "risk" if facts.stacker["is_used"] else "surprise"
    scores = read_scores(used["scores"].path(home))
    chosen, cut = choose(scores, by, domain, list_size)
    users = chosen["user_id"].to_pylist()
    table = assemble(
        day,
        chosen,
        features_of(settings, used["user_days"].path(home), users),
        contributions_of(settings, used["contributions"].path(home), users),
        bundle,
        domain.currency,
        sentences,
    )
    suite = suites.entries(
        day, list_size, bundle, by == "risk", active_among(settings, used["user_days"].path(home), users)
    )
    tables = [("list", _judged(table, chosen["risk" if by == "risk" else "surprise_percentile"].to_pylist()), suite)]
    report = judge("risk_list", day, domain.name, tables, accept=accept, seen={"listed": len(table)})
    refuse_if_critical(write_report(home, report, as_of), accept)
    with scratch(home, "publish") as aside:
        folder = aside / issue
        folder.mkdir()
        (folder / "risk_list.csv").write_bytes(to_csv(table).encode())
        write_parquet(table, folder / "risk_list.parquet")
        manifest = {
            **made_from,
            "issue": issue,
            "as_of": as_of.isoformat(),
            "ranked_by": by,
            "ranked_by_why": facts.stacker["why"],
            "promise": {
                "list_size": list_size,
                "wrong_share_promised": domain.wrong_share if by == "risk" else None,
                "wrong_share_expected": None if cut.wrong_share is None else round(cut.wrong_share, 6),
                "quiet_percentile": domain.quiet_percentile if by == "surprise" else None,
                "cut_by": cut.rule,
            },
            "rows": {"scored": len(scores), "listed": len(table)},
            "warnings": [*made_from["warnings"], *report.warnings],
            "is_stale": False,
            "outputs": {name: sha256_of(folder / name) for name in issues.FILES},
        }
        write_json(folder / "manifest.json", manifest)
        issues.add(home, day, issue, folder)


def _judged(table: "pa.Table", levels: list[float | None]) -> Any:
    """The list as the third door sees it, with a mark where an account stands below one with a lower level."""
    frame = table.to_pandas()
    frame.insert(0, "user_id", frame.pop("user_id"))
    frame["day"] = frame["day"].astype(str)
    marks = [float((lower or 0) > (upper or 0)) for upper, lower in pairwise(levels)]
    frame["out_of_order"] = [0.0, *marks][: len(frame)]
    for column in ("risk", "surprise_percentile", "out_of_order", "rank"):
        frame[column] = frame[column].astype("float64")
    return frame
