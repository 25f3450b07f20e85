"""What a day's features are made from. Equal inputs give equal snapshots, so this decides what must be rebuilt."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from pipeline import lake
from pipeline.catalogue import code_digest
from pipeline.domain import Domain
from pipeline.files import digest
from pipeline.lake import LakeFile


def made_from(
    table: str, domain: Domain, day: date, as_of: datetime, events: Sequence[LakeFile], labels: Sequence[LakeFile]
) -> dict[str, Any]:
    """All events up to the day, because whether something is new depends on everything before; and, for user-days,
    the labels that were known by the end of it."""
    inputs: dict[str, Any] = {
        "table": table,
        "day": str(day),
        "code": code_digest(),
        "domain": {
            "roles": sorted(set(domain.event_types.values())),
            "timezone": domain.timezone,
            "label_delay_days": domain.label_delay_days,
            "has_labels": domain.labels is not None,
        },
        "events": digest(lake.visible([f for f in events if f.event_day and f.event_day <= day], as_of)),
    }
    if table == "user_days":
        known = [f for f in labels if f.first_known is None or f.first_known < lake.end_of(day)]
        inputs["labels"] = digest(lake.visible(known, as_of))
    return inputs
