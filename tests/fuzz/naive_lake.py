"""What the lake and the quarantine must hold after a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from naive_cells import event_of, hidden, places, time_faults, typed, typed_cells
from naive_rows import EVENT, LABEL, REQUIRED_OF_LABELS, Faults, Judged, Pack, Row, Rows


@dataclass
class Outcome:
    """What one file must come to. `refused`: the rows, and all that is wrong with each."""

    read: int = 0
    accepted: list[Judged] = field(default_factory=list)
    refused: list[tuple[Row, Faults]] = field(default_factory=list)
    duplicates: int = 0


class Lake:
    """The events and labels of a home so far."""

    def __init__(self, pack: Pack, now: datetime) -> None:
        self.pack, self.now = pack, now
        self.events: dict[Any, Judged] = {}
        self.labels: dict[Any, Judged] = {}

    def take_events(self, file: Rows, read: Callable[..., Any] = typed) -> Outcome:
        """Judge a file of events. Raises UnreadableError if it must be refused as a whole."""
        where = self._places(file, EVENT, ("user_id", "event_at", "event_type"))
        outcome, alike = Outcome(read=len(file[2])), dict[Any, int]()
        for row in file[2]:
            event = event_of(row, where, self.pack, self.now, read)
            if isinstance(event, frozenset):
                outcome.refused.append((row, event))
                continue
            if event["event_id"] is None:
                content = tuple(sorted((name, value) for name, value in event.items() if value is not None))
                alike[content] = alike.get(content, 0) + 1
                identity = ("derived", content, alike[content])
            else:
                identity = ("given", event["event_id"], event["event_at"].date())
            self._keep(outcome, self.events, identity, event)
        return outcome

    def take_labels(self, file: Rows, read: Callable[..., Any] = typed) -> Outcome:
        """Judge a file of labels; events come first."""
        is_named = any(column.lower() == "event_id" for column in file[0])
        where = self._places(file, LABEL, ("known_at", "is_bad") if is_named else REQUIRED_OF_LABELS)
        outcome = Outcome(read=len(file[2]))
        for row in file[2]:
            label = self._label_of(row, where, read)
            if isinstance(label, frozenset):
                outcome.refused.append((row, label))
                continue
            identity = tuple(label[name] for name in ("user_id", "event_id", "happened_at", "known_at", "is_bad"))
            self._keep(outcome, self.labels, identity, label)
        return outcome

    def _places(self, file: Rows, contract: Mapping[str, str], required: Sequence[str]) -> dict[str, str]:
        columns, is_sparse, _ = file
        renamed = self.pack.renamed
        return places(
            columns, is_sparse, [renamed.get(name, name) for name in contract], [renamed.get(n, n) for n in required]
        )

    def _keep(self, outcome: Outcome, known: dict[Any, Judged], identity: Any, row: Judged) -> None:
        if identity in known:
            outcome.duplicates += 1
        else:
            known[identity] = row
            outcome.accepted.append(row)

    def _label_of(self, row: Row, where: Mapping[str, str], read: Callable[..., Any]) -> Any:
        cells, faults = typed_cells(row, where, self.pack, LABEL, read)
        if "user_id" in self.pack.sensitive:
            cells["user_id"] = hidden(self.pack, "user_id", cells["user_id"])
        if not faults and cells["event_id"] is not None and None in (cells["user_id"], cells["happened_at"]):
            meant = [
                (event["event_at"], event["user_id"])
                for event in self.events.values()
                if event["event_id"] == cells["event_id"]
                and cells["user_id"] in (None, event["user_id"])
                and cells["happened_at"] in (None, event["event_at"])
            ]
            if meant:
                cells["happened_at"], cells["user_id"] = min(meant)
        for name in REQUIRED_OF_LABELS:
            if cells[name] is None:
                faults |= {("missing", name), ("unknown_event", name)}
        faults |= time_faults(cells, "happened_at", self.now + timedelta(minutes=5))
        faults |= time_faults(cells, "known_at", self.now + timedelta(days=366))
        if not faults and cells["known_at"] < cells["happened_at"]:
            faults = {("known_before_happened", "known_at")}
        if not faults and (end := cells["ends_at"]) is not None:
            is_wrong = {
                "event_with_end": cells["event_id"] is not None,
                "ends_before_it_begins": end <= cells["happened_at"],
                "ends_after_known": end > cells["known_at"],
            }
            faults = {(reason, "ends_at") for reason, holds in is_wrong.items() if holds}
        return frozenset(faults) if faults else cells
