"""Train: what was known at the end of a day in, a bundle out.

Reads   snapshots/user_days, snapshots/event_tokens, lake/labels
Writes  models/<bundle>/, and the decision about it in models/registry.jsonl
Rerun   the same inputs are the same bundle: nothing is trained twice
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.catalogue import code_digest, features, model_code_digest
from pipeline.context import Run
from pipeline.errors import InputError
from pipeline.models import bundle as bundles
from pipeline.models.tokens.windows import window_days
from pipeline.receipt import Receipt
from pipeline.storage import lake, snapshots
from pipeline.storage.files import digest, publish, sha256_of, write_json
from pipeline.storage.memo import MadeFrom, made_once
from pipeline.train.promotion import features_new_to_champion, promote
from pipeline.train.reported import Reported, reported_by
from pipeline.warehouse import connect

if TYPE_CHECKING:
    from pipeline.train.loading import Material

__all__ = ["promote", "run"]

LEAST_DAYS = 7
SETTINGS = ("train_days", "min_bad_labels", "epochs", "seed", "threads")  # that a bundle depends on


def run(run: Run, *, progress: bool = False) -> Receipt:
    """Train a challenger. It is not the champion before it is promoted.

    Labels count if known by the end of the run's day; events of days up to it, as they had arrived by `as_of`.
    """
    settings, domain, until = run.settings, run.domain, run.day
    reported = reported_by(run)
    new_features = features_new_to_champion(run)
    material = _material(run, reported, new_features)
    made_from = {
        "until": str(until),
        "domain": {"name": domain.name, "digest": domain.digest},
        "features": code_digest(),
        "code": model_code_digest(),
        "settings": {name: getattr(settings, name) for name in SETTINGS},
        "reviews": run.list_size,
        "user_days": {str(s.day): s.id for s in material.user_days},
        "event_tokens": digest({str(s.day): s.id for s in material.tokens}),
        "labels": digest(lake.visible(_known_labels(run), run.as_of)),
        "reported": asdict(reported.pooled),
        "reported_in_parts": digest(reported.to_dict()),
        "new_features": list(new_features),
    }

    def build(missing: Mapping[date, str], folder: Path) -> Iterator[tuple[date, Path]]:
        from pipeline.train import card
        from pipeline.train.fitting import fit_bundle

        bundle_id = _bundle_id(until, missing[until])
        place = folder / bundle_id
        place.mkdir()
        with connect(settings) as con:
            fitted = fit_bundle(run, con, material, place, progress)
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
        write_json(place / "bundle.json", draft.model_copy(update={"files": files}).model_dump(mode="json"))
        yield until, place

    bundle = made_once(run.home, "train", {until: made_from}, BundleShelf(run.home), build)[until]
    return _receipt(bundle.result, bundle.is_new)


def _bundle_id(until: date, made_id: str) -> str:
    return f"{until}-{made_id}"


@dataclass(frozen=True)
class BundleShelf:
    """Bundles, by the last day they learned from. Nothing is noted: promotion is a step of its own."""

    home: Path

    def find(self, until: date, made_id: str) -> bundles.Manifest | None:
        bundle_id = _bundle_id(until, made_id)
        is_there = (bundles.folder(self.home, bundle_id) / "bundle.json").is_file()
        return bundles.read_manifest(self.home, bundle_id) if is_there else None

    def add(self, until: date, made_id: str, made_from: MadeFrom, aside: Path) -> None:
        publish(aside, bundles.folder(self.home, _bundle_id(until, made_id)))

    def note(self, until: date, made_id: str) -> None:
        """Nothing to remember."""


def _known_labels(run: Run) -> list[lake.LakeFile]:
    files = lake.label_files(run.home)
    return [file for file in files if file.first_known is None or file.first_known < lake.end_of(run.day)]


def _material(run: Run, reported: Reported, new_features: tuple[str, ...]) -> "Material":
    """The user-days to learn from, and the tokens their windows may hold, as they were known at `as_of`."""
    from pipeline.train.loading import Material

    home, until, first = run.home, run.day, run.first_training_day
    found = {
        table: snapshots.between(home, table, start, until, run.as_of)
        for table, start in {"user_days": first, "event_tokens": window_days(first)[0]}.items()
    }
    active = [snapshot for snapshot in found["user_days"] if snapshot.rows]
    if len(active) < LEAST_DAYS:
        raise InputError(
            f"training until {until} wants at least {LEAST_DAYS} days with user-days among the last "
            f"{run.settings.train_days}, found {len(active)}",
            fix=f"dawnlist features --from {first} --to {until}",
        )
    for snapshot in [*found["user_days"], *found["event_tokens"]]:
        fix = f"dawnlist features --from {snapshot.day} --to {snapshot.day}"
        snapshots.require(snapshot, home, snapshot.table, snapshot.day, fix)
    return Material(active, [snapshot for snapshot in found["event_tokens"] if snapshot.rows], reported, new_features)


def _receipt(manifest: bundles.Manifest, is_new: bool) -> Receipt:
    details: dict[str, Any] = {
        "bundle": manifest.id,
        "is_new": is_new,
        "autoencoder": manifest.autoencoder,
        "stacker": manifest.stacker,
    }
    if not manifest.stacker["is_used"]:
        details["no_stacker"] = _why_no_stacker(manifest.stacker)
    return Receipt(step="train", day=manifest.until, details=details)


def _why_no_stacker(stacker: Mapping[str, Any]) -> str:
    """Why there is none, and where the other known bad user-days went. The counts add up to all of them."""
    known = stacker["known_bad_user_days"]
    lost = {
        "too young": known["too_young"],
        "before the first training day": known["before_the_first_day"],
        "without activity that day": known["without_activity"],
    }
    rest = [f"{count} {what}" for what, count in lost.items() if count]
    counts = f"{sum(known.values())} known" + (f", of them {', '.join(rest)}" if rest else "")
    return f"{stacker['why']}; {counts}; dawnlist suggest says which settings fit"
