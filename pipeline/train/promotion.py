"""Whether a challenger becomes the champion, and whether its lists are ranked by risk or by surprise.

Decided by paired intervals, accounts drawn again, of average precision and of accounts caught at the length lists have.
A stacker takes over from surprise if it ranks higher and is not proven worse, from another stacker if it is not proven
worse.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from pipeline.catalogue import features
from pipeline.context import Run
from pipeline.errors import InputError
from pipeline.metrics.lift import Lift
from pipeline.models import bundle as bundles
from pipeline.models import registry
from pipeline.receipt import Receipt
from pipeline.storage import snapshots

WORSE = 0.02  # nats per event: less than this is noise between two seeds


@dataclass(frozen=True)
class Decision:
    """About a challenger. `leaves_stacker_out`: it is ranked by surprise although it has a stacker."""

    is_promoted: bool
    why: str
    metrics: dict[str, Any] = field(default_factory=dict)
    leaves_stacker_out: bool = False


def promote(run: Run, bundle_id: str, *, at: datetime, force: bool = False) -> Receipt:
    """Decide about a challenger by what the run sees. The ledger's line takes effect `at`."""
    home = run.home
    challenger = bundles.read_manifest(home, bundle_id)
    standing = registry.champions(home, at)
    champion = standing[-1] if standing else None
    if champion and champion.bundle == bundle_id and not (force and champion.leaves_stacker_out):
        return _receipt(challenger, champion.model_copy(update={"why": "is the champion already", "metrics": {}}))
    decision = Decision(True, "by hand") if force else _decide(run, challenger, champion)
    entry = registry.Entry(
        at=at,
        action="promoted" if decision.is_promoted else "rejected",
        bundle=bundle_id,
        until=challenger.until,
        why=decision.why,
        metrics=decision.metrics,
        leaves_stacker_out=decision.leaves_stacker_out,
    )
    last = registry.ledger(home)[-1:]
    if [known.model_copy(update={"at": at}) for known in last] != [entry]:  # asked again, and decided the same
        registry.write(home, entry)
    return _receipt(challenger, entry)


def features_new_to_champion(run: Run) -> tuple[str, ...]:
    """Features of the mart that the champion does not know, if it ranks by risk; else none.

    The champion in force at `as_of`, of those that learned until a day before the run's. So a training that is run
    again after its bundle was promoted is the same training.
    """
    standing = [entry for entry in registry.champions(run.home, run.as_of) if entry.until < run.day]
    try:
        manifest = bundles.read_manifest(run.home, standing[-1].bundle) if standing else None
    except InputError:
        manifest = None  # gone or damaged: there is nothing to compare with
    if manifest is None or standing[-1].ranked_by(manifest.stacker)[0] != "risk":
        return ()
    return _new_to(manifest)


def _new_to(champion: bundles.Manifest) -> tuple[str, ...]:
    return tuple(name for name in features() if name not in champion.features)


def _receipt(challenger: bundles.Manifest, entry: registry.Entry) -> Receipt:
    details = {
        "bundle": entry.bundle,
        "action": entry.action,
        "why": entry.why,
        "ranked_by": entry.ranked_by(challenger.stacker)[0],
        "metrics": entry.metrics,
    }
    return Receipt(step="promote", day=challenger.until, details=details)


def _decide(run: Run, challenger: bundles.Manifest, champion: registry.Entry | None) -> Decision:
    """A bundle that has no champion to be compared with is promoted: a list by surprise is better than none."""
    if champion is None:
        return _over_surprise(challenger, lambda: Decision(True, "the first bundle"))
    try:
        manifest = bundles.read_manifest(run.home, champion.bundle)
        by_risk = champion.ranked_by(manifest.stacker)[0] == "risk"
        if by_risk and challenger.stacker["is_used"] and set(manifest.features) != set(features()):
            return _over_older_features(challenger, manifest)
        loaded = bundles.load(run.home, champion.bundle, run.settings.threads)
    except InputError as error:
        problem = error.problem
        return _over_surprise(
            challenger, lambda: Decision(True, f"the champion cannot score today's features: {problem}")
        )
    if not by_risk:
        return _over_surprise(challenger, lambda: _compare_autoencoders(run, challenger, loaded))
    if not challenger.stacker["is_used"]:
        return Decision(False, "the champion has a stacker, this bundle has too few labels")
    return _compare_stackers(run, challenger, loaded)


def _over_surprise(challenger: bundles.Manifest, without_stacker: Callable[[], Decision]) -> Decision:
    """A stacker that ranks higher than its bundle's own surprise, and is not proven worse, takes over, where none has.

    Else the bundle is decided about as if it had no stacker.
    """
    if not challenger.stacker["is_used"]:
        return without_stacker()
    lift = Lift.from_dict(challenger.stacker["over_surprise"])
    why, metrics = f"the stacker over surprise alone: {lift}", {"over_surprise": lift.to_dict()}
    if lift.average_precision.value > 0 and not lift.is_worse:
        return Decision(True, f"{why}: ranks higher", metrics)
    other = without_stacker()
    why = f"{why}: no higher, so ranked by surprise; {other.why}"
    return Decision(other.is_promoted, why, metrics | other.metrics, leaves_stacker_out=True)


def _over_older_features(challenger: bundles.Manifest, champion: bundles.Manifest) -> Decision:
    """Training has compared: the champion's features that are left, fitted anew on the same days, against all.

    The challenger is promoted however that ends. If all are worse, its stacker reads the older ones alone.
    """
    why = f"{champion.id} cannot score today's features"
    found = challenger.stacker["new_features"]
    if not _new_to(champion):
        return Decision(True, f"{why}, of which none is new")
    if not found or challenger.made_from["new_features"] != list(_new_to(champion)):
        return Decision(True, f"{why}, and training did not compare the new ones")
    verdict = "not worse" if found["is_on"] else "worse, so the stacker leaves them out"
    against = f"with {', '.join(found['names'])} against a stacker fitted on the same days without"
    return Decision(True, f"{why}; {against}: {Lift.from_dict(found)}: {verdict}", {"new_features": found})


def _compare_stackers(run: Run, challenger: bundles.Manifest, champion: bundles.Bundle) -> Decision:
    """Compare both on the challenger's holdout, which its early version has not learned from."""
    from pipeline.metrics.lift import compare, list_length
    from pipeline.metrics.list_metrics import list_metrics
    from pipeline.metrics.scored_labels import ScoredLabels
    from pipeline.models import stacker
    from pipeline.models.scoring import score_days

    settings = run.settings
    first, last = (date.fromisoformat(day) for day in challenger.stacker["holdout"])
    learned = date.fromisoformat(champion.manifest.stacker["learned_from"][1])
    first = max(first, learned + timedelta(days=1))  # the champion would look better on days it learned from
    if first > last:
        return Decision(False, f"no matured day after {learned}, the last day the champion learned from")
    early = stacker.load(bundles.folder(run.home, challenger.id) / "early_stacker.ubj", settings.threads)
    loaded = bundles.load(run.home, challenger.id, settings.threads, "early_base_models")
    scored = {
        name: score_days(settings, bundle, first, last, challenger.until, run.as_of, booster)
        for name, bundle, booster in (("challenger", loaded, early), ("champion", champion, champion.stacker))
    }
    theirs = scored["champion"]
    is_judged = ~theirs.is_known
    reported = {name: of.reported for name, of in scored.items()}
    labels = ScoredLabels.of(theirs.user, theirs.day, theirs.is_bad, reported).take(is_judged)
    metrics: dict[str, Any] = {
        name: list_metrics(labels, score, run.reviews_a_day) for name, score in labels.scores.items()
    }
    if not labels.is_bad.any():
        return Decision(False, f"no matured bad user-day between {first} and {last} to compare by", metrics)
    lengths = [
        list_length(labels, of.risk[is_judged], run.domain.min_precision, run.reviews_a_day) for of in scored.values()
    ]
    length = max(lengths) or run.reviews_a_day
    lift = compare(labels, "challenger", "champion", length, settings.seed)
    words = "worse" if lift.is_worse else "not worse"
    return Decision(not lift.is_worse, f"{lift}, on {first}..{last}: {words}", metrics | {"lift": lift.to_dict()})


def _compare_autoencoders(run: Run, challenger: bundles.Manifest, champion: bundles.Bundle) -> Decision:
    from pipeline.models.scoring import comparable_nats

    settings = run.settings
    first, last = (date.fromisoformat(day) for day in challenger.autoencoder["validated_on"])
    first = max(first, champion.manifest.until + timedelta(days=1))
    days = [day for day in snapshots.days(run.home, "event_tokens") if first <= day <= last]
    if not days:
        return Decision(False, f"no day after {champion.manifest.until}, the last day the champion learned from")
    loaded = bundles.load(run.home, challenger.id, settings.threads)
    mine, theirs = (comparable_nats(settings, bundle, first, last, run.as_of) for bundle in (loaded, champion))
    metrics = {"challenger_nats": round(mine, 4), "champion_nats": round(theirs, 4)}
    is_better = bool(np.isfinite(mine) and mine < theirs + WORSE)
    words = "no worse" if is_better else "worse"
    return Decision(
        is_better, f"{mine:.3f} nats per later event against {theirs:.3f} on {first}..{last}: {words}", metrics
    )
