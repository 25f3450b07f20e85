"""Train: what was known at the end of a day in, a bundle out.

Reads   snapshots/user_days, snapshots/event_tokens, lake/labels
Writes  models/<bundle>/, and the decision about it in models/registry.jsonl
Rerun   the same inputs are the same bundle: nothing is trained twice
"""

from datetime import date, datetime, timedelta
from typing import Any

from pipeline import lake, snapshots
from pipeline.catalogue import code_digest, features, model_code_digest
from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.files import digest, publish, scratch, sha256_of, write_json
from pipeline.models import bundle as bundles
from pipeline.models.windows import window_days
from pipeline.receipt import Receipt
from pipeline.settings import Settings
from pipeline.snapshots import Snapshot
from pipeline.train.promotion import promote
from pipeline.warehouse import connect

__all__ = ["promote", "run"]

LEAST_DAYS = 7


def run(settings: Settings, domain: Domain, until: date, *, as_of: datetime, progress: bool = False) -> Receipt:
    """Train a candidate bundle. It is not in use before it is promoted.

    Labels count if known by the end of `until`; events of days up to it, as they had arrived by `as_of`.
    """
    user_days, tokens = _snapshots(settings, until, as_of)
    made_from = {
        "until": str(until),
        "domain": {"name": domain.name, "digest": domain.digest},
        "features": code_digest(),
        "code": model_code_digest(),
        "settings": {name: getattr(settings, name) for name in ("train_days", "min_bad_labels", "seed", "threads")},
        "reviews": settings.list_size or domain.list_size,
        "user_days": {str(s.day): s.id for s in user_days},
        "event_tokens": digest({str(s.day): s.id for s in tokens}),
        "labels": digest(lake.visible(_labels_known(settings, until), as_of)),
    }
    bundle_id = f"{until}-{digest(made_from)}"
    if (bundles.folder(settings.home, bundle_id) / "bundle.json").is_file():
        return _receipt(bundles.read_manifest(settings.home, bundle_id), is_new=False)

    from pipeline.train import card
    from pipeline.train.fitting import fit_bundle

    with scratch(settings.home, "train") as aside, connect(settings) as con:
        place = aside / bundle_id
        place.mkdir()
        fitted = fit_bundle(settings, domain, con, place, user_days, tokens, until, as_of, progress)
        draft = bundles.Manifest(
            id=bundle_id,
            domain=domain.name,
            until=until,
            features=list(features()),
            columns=fitted.columns,
            spreads=fitted.spreads,
            made_from=made_from,
            autoencoder=fitted.autoencoder,
            stacker=fitted.stacker,
            files={},
        )
        card.write(place, draft, domain, settings.domain)
        written = sorted(path for path in place.rglob("*") if path.is_file())
        files = {str(path.relative_to(place)): sha256_of(path) for path in written}
        manifest = draft.model_copy(update={"files": files})
        write_json(place / "bundle.json", manifest.model_dump(mode="json"))
        publish(place, bundles.folder(settings.home, bundle_id))
    return _receipt(manifest, is_new=True)


def _labels_known(settings: Settings, until: date) -> list[lake.LakeFile]:
    files = lake.label_files(settings.home)
    return [file for file in files if file.first_known is None or file.first_known < lake.end_of(until)]


def _snapshots(settings: Settings, until: date, as_of: datetime) -> tuple[list[Snapshot], list[Snapshot]]:
    """The user-days to learn from, and the tokens their windows may hold, as they were known at `as_of`."""
    first = until - timedelta(days=settings.train_days - 1)
    found = {
        table: snapshots.between(settings.home, table, start, until, as_of)
        for table, start in {"user_days": first, "event_tokens": window_days(first)[0]}.items()
    }
    active = [snapshot for snapshot in found["user_days"] if snapshot.rows]
    if len(active) < LEAST_DAYS:
        raise InputError(
            f"training until {until} wants at least {LEAST_DAYS} days with user-days among the last "
            f"{settings.train_days}, found {len(active)}",
            fix=f"dawnlist features --from {first} --to {until}",
        )
    for snapshot in [*found["user_days"], *found["event_tokens"]]:
        fix = f"dawnlist features --from {snapshot.day} --to {snapshot.day}"
        snapshots.require(snapshot, settings.home, snapshot.table, snapshot.day, fix)
    return active, [snapshot for snapshot in found["event_tokens"] if snapshot.rows]


def _receipt(manifest: bundles.Manifest, is_new: bool) -> Receipt:
    details: dict[str, Any] = {
        "bundle": manifest.id,
        "is_new": is_new,
        "autoencoder": manifest.autoencoder,
        "stacker": manifest.stacker,
    }
    return Receipt(step="train", day=manifest.until, details=details)
