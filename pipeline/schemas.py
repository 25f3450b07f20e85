"""Columns of the files in lake/ and quarantine/. Ingest and feedback write them; dbt and people read them."""

from collections.abc import Iterator

import pyarrow as pa

from pipeline.domain import DERIVED_EVENT_COLUMNS, EVENT_COLUMNS, LABEL_COLUMNS, SourceType

QUARANTINE = pa.schema(
    [
        pa.field("file", pa.string()),
        pa.field("line", pa.int64()),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("raw", pa.string()),
        pa.field("batch_id", pa.string()),
    ]
)

_TYPES: dict[SourceType, pa.DataType] = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us"),
    "number": pa.decimal128(18, 4),
    "boolean": pa.bool_(),
}
_ADDED = [("arrived_at", pa.timestamp("us")), ("batch_id", pa.string())]


def _event_fields() -> Iterator[tuple[str, pa.DataType]]:
    for name, kind in EVENT_COLUMNS.items():
        yield name, _TYPES[kind]
        if derived := DERIVED_EVENT_COLUMNS.get(name):
            yield derived, pa.string()


EVENTS = pa.schema([*_event_fields(), *_ADDED])
VERDICT = "verdict"  # the source of labels that verdicts made
LABELS = pa.schema([*((name, _TYPES[kind]) for name, kind in LABEL_COLUMNS.items()), *_ADDED])
