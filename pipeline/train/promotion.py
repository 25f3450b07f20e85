"""Whether a challenger becomes the champion: if it is the first bundle, or does better on later matured days."""

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from pipeline.context import Run
from pipeline.errors import InputError
from pipeline.models import bundle as bundles
from pipeline.models import registry
from pipeline.receipt import Receipt
from pipeline.storage import snapshots

WORSE = 0.02  # nats per event: less than this is noise between two seeds


def promote(run: Run, bundle_id: str, *, at: datetime, force: bool = False) -> Receipt:
    """Decide about a challenger by what the run sees. The ledger's line takes effect `at`."""
    settings = run.settings
    challenger = bundles.read_manifest(settings.home, bundle_id)
    standing = registry.champions(settings.home, at)
    if standing and standing[-1].bundle == bundle_id:
        return _receipt(challenger.until, "promoted", bundle_id, "is the champion already", {})
    champion = standing[-1].bundle if standing else None
    metrics: dict[str, Any] = {}
    if force:
        action, why = "promoted", "by hand"
    elif champion is None:
        action, why = "promoted", "the first bundle"
    else:
        action, why, metrics = _compare(run, challenger, champion)
    entry = registry.Entry(
        at=at,
        action="promoted" if action == "promoted" else "rejected",
        bundle=bundle_id,
        until=challenger.until,
        why=why,
        metrics=metrics,
    )
    last = registry.ledger(settings.home)[-1:]
    if [known.model_copy(update={"at": at}) for known in last] != [entry]:  # asked again, and decided the same
        registry.write(settings.home, entry)
    return _receipt(challenger.until, action, bundle_id, why, metrics)


def _receipt(until: date, action: str, bundle_id: str, why: str, metrics: dict[str, Any]) -> Receipt:
    details = {"bundle": bundle_id, "action": action, "why": why, "metrics": metrics}
    return Receipt(step="promote", day=until, details=details)


def _compare(run: Run, challenger: bundles.Manifest, champion_id: str) -> tuple[str, str, dict[str, Any]]:
    """Compare both on the challenger's holdout, which its early version has not learned from."""
    settings = run.settings
    try:
        champion = bundles.load(settings.home, champion_id, settings.threads)
    except InputError as error:
        return "promoted", f"the champion cannot score today's features: {error.problem}", {}
    if challenger.stacker["is_used"] and champion.stacker is None:
        return _compare_with_surprise(challenger)
    if not challenger.stacker["is_used"] and champion.stacker is not None:
        return "rejected", "the champion has a stacker, this bundle has too few labels", {}
    if champion.stacker is not None:
        return _compare_stackers(run, challenger, champion)
    return _compare_autoencoders(run, challenger, champion)


def _compare_with_surprise(challenger: bundles.Manifest) -> tuple[str, str, dict[str, Any]]:
    """The first stacker must rank better than the challenger's own surprise, which needs no labels."""
    lift = challenger.stacker["over_surprise"]
    more = lift["average_precision"]["value"]
    if more is None:
        return "rejected", "the first stacker, and no matured bad user-day after those it learned from", lift
    is_better = more > 0
    words = "better" if is_better else "not better"
    why = f"the first stacker: average precision {more:+.3f} over surprise alone: {words}"
    return ("promoted" if is_better else "rejected"), why, lift


def _compare_stackers(
    run: Run, challenger: bundles.Manifest, champion: bundles.Bundle
) -> tuple[str, str, dict[str, Any]]:
    from pipeline.metrics.list_metrics import list_metrics
    from pipeline.metrics.scored_labels import ScoredLabels
    from pipeline.models import stacker
    from pipeline.models.scoring import score_days

    settings = run.settings
    first, last = (date.fromisoformat(day) for day in challenger.stacker["holdout"])
    learned = date.fromisoformat(champion.manifest.stacker["learned_from"][1])
    if first <= learned:
        first = learned + timedelta(days=1)  # the champion would look better on days it learned from
    if first > last:
        return "rejected", f"no matured day after {learned}, the last day the champion learned from", {}
    loaded = bundles.load(settings.home, challenger.id, settings.threads, "early_base_models")
    early = stacker.load(bundles.folder(settings.home, challenger.id) / "early_stacker.ubj", settings.threads)
    metrics = {}
    for name, bundle, booster in (("challenger", loaded, early), ("champion", champion, champion.stacker)):
        scored = score_days(settings, bundle, first, last, challenger.until, run.as_of, booster)
        labels = ScoredLabels.of(scored.user, scored.day, scored.is_bad)
        metrics[name] = list_metrics(labels, scored.risk, run.reviews_a_day)
    if not metrics["champion"]["bad"]:
        return "rejected", f"no matured bad user-day between {first} and {last} to compare by", metrics
    mine, theirs = (metrics[name]["average_precision"] for name in ("challenger", "champion"))
    better = "better" if mine > theirs else "not better"
    why = f"average precision {mine:.3f} against {theirs:.3f} on {first}..{last}: {better}"
    return ("promoted" if mine > theirs else "rejected"), why, metrics


def _compare_autoencoders(
    run: Run, challenger: bundles.Manifest, champion: bundles.Bundle
) -> tuple[str, str, dict[str, Any]]:
    from pipeline.models.scoring import comparable_nats

    settings = run.settings
    first, last = (date.fromisoformat(day) for day in challenger.autoencoder["validated_on"])
    if first <= champion.manifest.until:
        first = champion.manifest.until + timedelta(days=1)
    days = [day for day in snapshots.days(settings.home, "event_tokens") if first <= day <= last]
    if not days:
        return "rejected", f"no day after {champion.manifest.until}, the last day the champion learned from", {}
    loaded = bundles.load(settings.home, challenger.id, settings.threads)
    mine, theirs = (comparable_nats(settings, bundle, first, last, run.as_of) for bundle in (loaded, champion))
    metrics = {"challenger_nats": round(mine, 4), "champion_nats": round(theirs, 4)}
    is_better = np.isfinite(mine) and mine < theirs + WORSE
    words = "no worse" if is_better else "worse"
    why = f"{mine:.3f} nats per later event against {theirs:.3f} on {first}..{last}: {words}"
    return ("promoted" if is_better else "rejected"), why, metrics
