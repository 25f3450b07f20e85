"""Score: how surprising, and how risky, each account active on a day is.

All days of a list are scored by one bundle, which learned from none of them. A run that makes a list scores all of its
days again, with what has arrived by now.

Reads   snapshots/user_days, snapshots/event_tokens, the champion, which accounts were known to be bad
Writes  snapshots/scores, snapshots/contributions, snapshots/embeddings
Rerun   the same inputs are the same snapshot: nothing is scored twice
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from pipeline.catalogue import code_digest, model_code_digest
from pipeline.context import Run
from pipeline.models import bundle as bundles
from pipeline.models.labels import known_bad_accounts
from pipeline.models.registry import Entry, champion_for
from pipeline.models.tokens.windows import window_days
from pipeline.receipt import Receipt
from pipeline.score.neighbours import EMBEDDINGS
from pipeline.storage import snapshots
from pipeline.storage.files import digest
from pipeline.storage.memo import made_once
from pipeline.storage.snapshots import Snapshot
from pipeline.warehouse import connect

TABLES = ("scores", "contributions", EMBEDDINGS)


def run(run: Run) -> Receipt:
    """Score every user-day of the run's days with their champion.

    Raises InputError without a bundle, or with one that was trained on other features.
    """
    champion = champion_for(run.home, run.period.first, run.as_of)
    manifest = bundles.read_manifest(run.home, champion.bundle)
    bundles.check_features(manifest)
    ranked_by, why = champion.ranked_by(manifest.stacker)
    return Receipt(
        step="score",
        day=run.day,
        details={
            "bundle": manifest.id,
            "user_days": sum(_score_day(replace(run, day=day), champion, manifest).rows for day in run.scored_days),
            "ranked_by": ranked_by,
            "why": why,
        },
    )


def _score_day(run: Run, champion: Entry, manifest: bundles.Manifest) -> Snapshot:
    """The scores of the run's day by this bundle."""
    home, day, bundle_id = run.home, run.day, manifest.id
    fix = f"dawnlist features --from {day} --to {day}"
    user_days = _present(run, "user_days", day, fix)
    tokens = [_present(run, "event_tokens", other, fix) for other in window_days(day)]
    candidates = max(200, 2 * run.list_size)
    known = _known_accounts(run, champion, manifest)
    made_from = {
        "bundle": bundle_id,
        "bundle_files": digest(manifest.files),
        "leaves_stacker_out": champion.leaves_stacker_out,
        "user_days": user_days.id,
        "event_tokens": digest({str(s.day): s.id for s in tokens}),
        "features": code_digest(),
        "code": model_code_digest(),
        "known_accounts": digest(known),
        "candidates": candidates,
        "threads": run.settings.threads,
    }

    def build(missing: Mapping[tuple[str, date], str], aside: Path) -> Iterator[tuple[tuple[str, date], Path]]:
        from pipeline.score.user_days import score_user_days

        for snapshot in (user_days, *tokens):
            snapshots.require(snapshot, home, snapshot.table, snapshot.day, fix)
        with connect(run.settings) as con:
            bundle = bundles.load(home, bundle_id, run.settings.threads)
            if champion.leaves_stacker_out:
                bundle = replace(bundle, stacker=None, calibration=None, label_calibration=None)
            token_paths = [s.path(home) for s in tokens if s.rows]
            written = score_user_days(
                con, run.settings, bundle, user_days.path(home), token_paths, known, day, candidates, aside
            )
        for table, _ in missing:
            yield (table, day), written[table]

    wanted = {(table, day): made_from for table in TABLES}
    return made_once(home, "score", wanted, snapshots.Shelf(home, run.as_of), build)["scores", day].result


def _known_accounts(run: Run, champion: Entry, manifest: bundles.Manifest) -> list[str]:
    """Those known to be bad before the run's day. None where no risk is given: nothing else asks."""
    if champion.leaves_stacker_out or not manifest.columns:
        return []
    with connect(run.settings) as con:
        accounts: list[str] = known_bad_accounts(con, run.home, run.day, run.as_of).to_pylist()
    return accounts


def _present(run: Run, table: str, day: date, fix: str) -> Snapshot:
    """Not read yet, so not checked for damage."""
    newest = snapshots.newest(run.home, table, day, run.as_of)
    return newest or snapshots.require(None, run.home, table, day, fix)
