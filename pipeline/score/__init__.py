"""Score: how surprising, and how risky, each account active on a day is.

Reads   snapshots/user_days, snapshots/event_tokens, the bundle in use
Writes  snapshots/scores, snapshots/contributions, snapshots/embeddings
Rerun   the same inputs are the same snapshot: nothing is scored twice
"""

from datetime import date, datetime
from pathlib import Path

from pipeline import snapshots
from pipeline.catalogue import code_digest, model_code_digest
from pipeline.domain import Domain
from pipeline.files import digest, scratch, sha256_of
from pipeline.models import bundle as bundles
from pipeline.models.registry import bundle_for
from pipeline.models.tokens.windows import window_days
from pipeline.receipt import Receipt
from pipeline.score.neighbours import EMBEDDINGS
from pipeline.settings import Settings
from pipeline.snapshots import Snapshot
from pipeline.warehouse import connect, parquet_rows

TABLES = ("scores", "contributions", EMBEDDINGS)


def run(settings: Settings, domain: Domain, day: date, *, as_of: datetime) -> Receipt:
    """Score every user-day of `day` with the bundle in use for it. Raises InputError without one, or a stale one."""
    home = settings.home
    bundle_id = bundle_for(home, day, as_of)
    manifest = bundles.read_manifest(home, bundle_id)
    bundles.check_features(manifest)
    fix = f"dawnlist features --from {day} --to {day}"
    user_days = _present(home, "user_days", day, as_of, fix)
    tokens = [_present(home, "event_tokens", other, as_of, fix) for other in window_days(day)]
    candidates = max(200, 2 * (settings.list_size or domain.list_size))
    made_from = {
        "bundle": bundle_id,
        "bundle_files": digest(manifest.files),
        "user_days": user_days.id,
        "event_tokens": digest({str(s.day): s.id for s in tokens}),
        "features": code_digest(),
        "code": model_code_digest(),
        "candidates": candidates,
        "threads": settings.threads,
    }
    snapshot_id = digest(made_from)
    found = {table: snapshots.find(home, table, day, snapshot_id) for table in TABLES}
    if not all(found.values()):
        from pipeline.score.user_days import score_user_days

        for snapshot in (user_days, *tokens):
            snapshots.require(snapshot, home, snapshot.table, snapshot.day, fix)
        with scratch(home, "score") as aside, connect(settings) as con:
            bundle = bundles.load(home, bundle_id, settings.threads)
            token_paths = [s.path(home) for s in tokens if s.rows]
            written = score_user_days(con, settings, bundle, user_days.path(home), token_paths, day, candidates, aside)
            for table in (table for table in TABLES if found[table] is None):
                snapshot = _snapshot(table, day, snapshot_id, as_of, written[table], made_from)
                found[table] = snapshots.add(home, written[table], snapshot)
    for table in TABLES:
        snapshots.see(home, table, day, snapshot_id, as_of)
    rows = found["scores"].rows if found["scores"] else 0
    return Receipt(
        step="score",
        day=day,
        details={
            "bundle": bundle_id,
            "user_days": rows,
            "ranked_by": "risk" if manifest.stacker["is_used"] else "surprise",
            "why": manifest.stacker["why"],
        },
    )


def _present(home: Path, table: str, day: date, as_of: datetime, fix: str) -> Snapshot:
    """Not read yet, so not checked for damage."""
    newest = snapshots.newest(home, table, day, as_of)
    return newest or snapshots.require(None, home, table, day, fix)


def _snapshot(table: str, day: date, snapshot_id: str, as_of: datetime, path: Path, made_from: object) -> Snapshot:
    return Snapshot.model_validate(
        {
            "table": table,
            "day": day,
            "id": snapshot_id,
            "as_of": as_of,
            "rows": parquet_rows(path),
            "sha256": sha256_of(path),
            "made_from": made_from,
        }
    )
