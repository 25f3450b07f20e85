"""What a day's features are made from. Equal inputs give equal snapshots, so a change here means a rebuild."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from pipeline.catalogue import code_digest
from pipeline.context import Run
from pipeline.storage import lake
from pipeline.storage.files import digest
from pipeline.storage.lake import LakeFile


class Inputs(NamedTuple):
    """The lake's files."""

    events: Sequence[LakeFile]
    labels: Sequence[LakeFile]

    def first_day(self, as_of: datetime) -> date | None:
        """The first day with an event that had arrived by `as_of`: history begins there, and novelty's warm-up."""
        arrived = (file.event_day for file in self.events if file.event_day and file.first_arrived <= as_of)
        return min(arrived, default=None)


def made_from(run: Run, table: str, day: date, inputs: Inputs) -> dict[str, Any]:
    """All events up to the day: whether something is new depends on everything before, and on when history begins.

    User-days also depend on the labels known by the end of the day.
    """
    domain, events, labels = run.domain, inputs.events, inputs.labels
    result: dict[str, Any] = {
        "table": table,
        "day": str(day),
        "code": code_digest(),
        "domain": {
            "roles": sorted(set(domain.event_types.values())),
            "timezone": domain.timezone,
            "label_delay_days": domain.label_delay_days,
            "has_labels": domain.labels is not None,
        },
        "events": digest(lake.visible([f for f in events if f.event_day and f.event_day <= day], run.as_of)),
    }
    if table == "user_days":
        known = [f for f in labels if f.first_known is None or f.first_known < lake.end_of(day)]
        result["labels"] = digest(lake.visible(known, run.as_of))
    return result
