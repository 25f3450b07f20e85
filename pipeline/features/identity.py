"""What a day's features are made from. Equal inputs give equal snapshots, so this decides what must be rebuilt."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

from pipeline import lake
from pipeline.catalogue import code_digest
from pipeline.domain import Domain
from pipeline.files import digest


def _common(domain: Domain) -> dict[str, Any]:
    facts = {
        "roles": sorted(set(domain.event_types.values())),
        "timezone": domain.timezone,
        "label_delay_days": domain.label_delay_days,
        "has_labels": domain.labels is not None,
    }
    return {"code": code_digest(), "domain": facts}


def user_days_made_from(home: Path, domain: Domain, day: date, as_of: datetime) -> dict[str, Any]:
    """All events up to the day (first sightings reach back to the first), and labels known by its end."""
    labels = [f for f in lake.label_files(home) if f.first_known is None or f.first_known < lake.end_of(day)]
    return {
        **_common(domain),
        "table": "user_days",
        "day": str(day),
        "events": digest(lake.visible(lake.event_files(home, None, day), as_of)),
        "labels": digest(lake.visible(labels, as_of)),
    }


def tokens_made_from(home: Path, domain: Domain, day: date, as_of: datetime) -> dict[str, Any]:
    """All events up to the day: whether something is new depends on everything before."""
    return {
        **_common(domain),
        "table": "event_tokens",
        "day": str(day),
        "events": digest(lake.visible(lake.event_files(home, None, day), as_of)),
    }
