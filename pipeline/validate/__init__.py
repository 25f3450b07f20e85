"""Validate: is this day believable? The checkpoints of events and user-days; publish runs the third."""

from datetime import date, timedelta
from statistics import median
from typing import Literal

from expectations.usual import Usual, swing_of_users
from pipeline import checkpoints
from pipeline.checkpoints import Report, fail_if_critical, write_report
from pipeline.context import Run
from pipeline.receipt import Receipt
from pipeline.storage import lake, snapshots


def run(run: Run, checkpoint: Literal["events", "user_days"] | None = None) -> Receipt:
    """Validate the run's day at one checkpoint, or at both. Raises CheckpointFailedError if it fails.

    Findings that the run accepts (table.column, as the failure names them) do not fail the checkpoint.
    """
    reports: list[Report] = []
    for name, validated in {"events": events_checkpoint, "user_days": user_days_checkpoint}.items():
        if checkpoint not in (None, name):
            continue
        report = write_report(run.home, validated(run), run.as_of)
        reports.append(report)
        fail_if_critical(report, run.accept)
    return Receipt(
        step="validate",
        day=run.day,
        details={r.checkpoint: {"expectations": len(r.findings), "seen": r.seen} for r in reports},
        warnings=[warning for r in reports for warning in r.warnings],
    )


def events_checkpoint(run: Run) -> Report:
    """Validate the day's events against comparable days of the last 28."""
    from expectations import events as suites
    from pipeline.validate import compare
    from pipeline.validate.profile import day_files, profile
    from pipeline.warehouse import connect

    home, day, as_of = run.home, run.day, run.as_of
    batches = lake.batches(home, "events")
    first = day - timedelta(days=compare.LOOK_BACK_DAYS)
    files = [f for b in batches for f in b.files if f.event_day is not None and f.first_arrived <= as_of]
    rows: dict[date, int] = {}
    for file in files:
        if file.event_day is not None and first <= file.event_day < day:
            rows[file.event_day] = rows.get(file.event_day, 0) + file.rows
    first_day = min((f.event_day for f in files if f.event_day is not None), default=None)
    compared = compare.comparable_days(day, rows)
    with connect(run.settings) as con:
        today, *references = [
            profile(con, day_files(home, other, batches, as_of), run.domain, as_of)
            for other in [day, *compared[: compare.PROFILED_DAYS]]
        ]
    usual = compare.usual_measures(references, [rows[other] for other in compared])
    is_open = compare.is_trading_day(day, rows, first_day)
    if today.event_count == 0:
        usual = {}  # one finding is enough: there are no events
    tables = [
        ("day", compare.day_table(today, references, len(compared)), suites.day(usual, is_open)),
        ("event_types", compare.event_type_table(today, references), suites.event_types()),
        ("hours", compare.hour_table(today), suites.hours()),
        ("columns", compare.column_table(today, references), suites.columns()),
    ]
    if today.event_count == 0:
        tables = tables[:1]
    seen = {"event_count": today.event_count, "user_count": today.user_count}
    if "event_count" in usual:
        seen["usual_event_count"] = round(usual["event_count"].median)
    return checkpoints.validate(run, "events", tables, seen=seen, compared_with=sorted(compared))


def user_days_checkpoint(run: Run) -> Report:
    """Validate the day's features against the lake and against comparable days of the last 28."""
    import pandas as pd

    from expectations import user_days as suites
    from pipeline.validate import compare
    from pipeline.validate.profile import day_files
    from pipeline.validate.user_days import feature_table, footer_stats, key_table, totals
    from pipeline.warehouse import connect

    home, day, as_of, table = run.home, run.day, run.as_of, "user_days"
    fix = f"dawnlist features --from {day} --to {day}"
    snapshot = snapshots.require(snapshots.newest(home, table, day, as_of), home, table, day, fix)
    past = [day - timedelta(days=back) for back in range(1, compare.LOOK_BACK_DAYS + 1)]
    earlier = {other: found for other in past if (found := snapshots.newest(home, table, other, as_of))}
    compared = compare.comparable_days(day, {other: found.rows for other, found in earlier.items()})
    usual = _usual_users([earlier[other].rows for other in compared]) if snapshot.rows else None
    files = day_files(home, day, lake.batches(home, "events"), snapshot.as_of)
    paths = [earlier[other].path(home) for other in compared[: compare.PROFILED_DAYS]]
    references = [footer_stats(path) for path in paths if path.is_file()]
    with connect(run.settings) as con:
        row = totals(con, snapshot.path(home), files.paths, snapshot.as_of, len(compared))
        tables = [
            ("keys", key_table(con, snapshot.path(home)), suites.keys(day)),
            ("day", pd.DataFrame([row]), suites.day({"user_count": usual} if usual else {})),
            ("features", feature_table(con, snapshot.path(home), references), suites.features()),
        ]
    seen = {"user_count": row["user_count"], "snapshot": snapshot.id}
    if usual:
        seen["usual_user_count"] = round(usual.median)
    return checkpoints.validate(run, "user_days", tables, seen=seen, compared_with=sorted(compared))


def _usual_users(rows: list[int]) -> Usual | None:
    return Usual.of(rows, swing_of_users(median(rows) if rows else None))
