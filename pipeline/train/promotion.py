"""Whether a candidate takes over: only if it is the first bundle, or does better on later matured days."""

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from pipeline import snapshots
from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.models import bundle as bundles
from pipeline.models import registry
from pipeline.receipt import Receipt
from pipeline.settings import Settings

REVIEW_SHARE = 0.02  # of user-days, when two bundles are compared by what they would put on top
WORSE = 0.02  # nats per event: less than this is noise between two seeds


def promote(
    settings: Settings, domain: Domain, bundle_id: str, *, as_of: datetime, at: datetime, force: bool = False
) -> Receipt:
    """Decide about a candidate by what was known at `as_of`; the ledger's line takes effect `at`."""
    candidate = bundles.read_manifest(settings.home, bundle_id)
    standing = registry.in_use(settings.home, at)
    if standing and standing[-1].bundle == bundle_id:
        return _receipt(candidate.until, "promoted", bundle_id, "is in use already", {})
    current = standing[-1].bundle if standing else None
    metrics: dict[str, Any] = {}
    if force:
        action, why = "promoted", "by hand"
    elif current is None:
        action, why = "promoted", "the first bundle"
    else:
        action, why, metrics = _compare(settings, domain, candidate, current, as_of)
    entry = registry.Entry(
        at=at,
        action="promoted" if action == "promoted" else "rejected",
        bundle=bundle_id,
        until=candidate.until,
        why=why,
        metrics=metrics,
    )
    last = registry.ledger(settings.home)[-1:]
    if [known.model_copy(update={"at": at}) for known in last] != [entry]:  # asked again, and decided the same
        registry.write(settings.home, entry)
    return _receipt(candidate.until, action, bundle_id, why, metrics)


def _receipt(until: date, action: str, bundle_id: str, why: str, metrics: dict[str, Any]) -> Receipt:
    details = {"bundle": bundle_id, "action": action, "why": why, "metrics": metrics}
    return Receipt(step="promote", day=until, details=details)


def _compare(
    settings: Settings, domain: Domain, candidate: bundles.Manifest, current_id: str, as_of: datetime
) -> tuple[str, str, dict[str, Any]]:
    """Judge both on the candidate's judging days: later than all it learned from in the version that is judged."""
    try:
        current = bundles.load(settings.home, current_id, settings.threads)
    except InputError as error:
        return "promoted", f"the bundle in use cannot score today's features: {error.problem}", {}
    if candidate.stacker["is_used"] and current.stacker is None:
        return _compare_with_surprise(candidate)
    if not candidate.stacker["is_used"] and current.stacker is not None:
        return "rejected", "the bundle in use has a stacker, this one has too few labels", {}
    if current.stacker is not None:
        return _compare_stackers(settings, domain, candidate, current, as_of)
    return _compare_autoencoders(settings, candidate, current, as_of)


def _compare_with_surprise(candidate: bundles.Manifest) -> tuple[str, str, dict[str, Any]]:
    """The first stacker ranks better than the candidate's own surprise, which needs no labels; or that goes on."""
    found = candidate.stacker["over_surprise"]
    more = found["average_precision"]["value"]
    if more is None:
        return "rejected", "the first stacker, and no matured bad user-day after those it learned from", found
    is_better = more > 0
    words = "better" if is_better else "not better"
    why = f"the first stacker: average precision {more:+.3f} over surprise alone: {words}"
    return ("promoted" if is_better else "rejected"), why, found


def _compare_stackers(
    settings: Settings, domain: Domain, candidate: bundles.Manifest, current: bundles.Bundle, as_of: datetime
) -> tuple[str, str, dict[str, Any]]:
    from pipeline.evaluate.metrics import measure
    from pipeline.models import stacker
    from pipeline.models.scoring import score_days

    first, last = (date.fromisoformat(day) for day in candidate.stacker["judged_on"])
    learned = date.fromisoformat(current.manifest.stacker["learned_from"][1])
    if first <= learned:
        first = learned + timedelta(days=1)  # days the bundle in use has learned from flatter it
    if first > last:
        return "rejected", f"no matured day after {learned}, up to which the bundle in use has learned", {}
    challenger = bundles.load(settings.home, candidate.id, settings.threads, "arms_before_judging")
    early = stacker.load(bundles.folder(settings.home, candidate.id) / "stacker_before_judging.ubj", settings.threads)
    reviews = settings.list_size or domain.list_size
    found = {}
    for name, bundle, booster in (("candidate", challenger, early), ("in_use", current, current.stacker)):
        seen = score_days(settings, bundle, first, last, candidate.until, as_of, booster)
        found[name] = measure(seen.risk, seen.is_bad, seen.day, seen.user, reviews)
    if not found["in_use"]["bad"]:
        return "rejected", f"no matured bad user-day between {first} and {last} to compare by", found
    mine, theirs = (found[name]["average_precision"] for name in ("candidate", "in_use"))
    better = "better" if mine > theirs else "not better"
    why = f"average precision {mine:.3f} against {theirs:.3f} on {first}..{last}: {better}"
    return ("promoted" if mine > theirs else "rejected"), why, found


def _compare_autoencoders(
    settings: Settings, candidate: bundles.Manifest, current: bundles.Bundle, as_of: datetime
) -> tuple[str, str, dict[str, Any]]:
    from pipeline.models.scoring import comparable_nats

    first, last = (date.fromisoformat(day) for day in candidate.autoencoder["judged_on"])
    if first <= current.manifest.until:
        first = current.manifest.until + timedelta(days=1)
    days = [day for day in snapshots.days(settings.home, "event_tokens") if first <= day <= last]
    if not days:
        return "rejected", f"no day after {current.manifest.until}, up to which the bundle in use has learned", {}
    challenger = bundles.load(settings.home, candidate.id, settings.threads)
    mine, theirs = (comparable_nats(settings, bundle, first, last, as_of) for bundle in (challenger, current))
    metrics = {"candidate_nats": round(mine, 4), "in_use_nats": round(theirs, 4)}
    is_better = np.isfinite(mine) and mine < theirs + WORSE
    words = "no worse" if is_better else "worse"
    why = f"{mine:.3f} nats per later event against {theirs:.3f} on {first}..{last}: {words}"
    return ("promoted" if is_better else "rejected"), why, metrics
