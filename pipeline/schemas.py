"""What the files of lake/ and quarantine/ hold: written by ingest and feedback, read by dbt and by people."""

import pyarrow as pa

from pipeline.domain import EVENT_COLUMNS, LABEL_COLUMNS

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

_TEXT, _TIME, _NUMBER = pa.string(), pa.timestamp("us"), pa.decimal128(18, 4)
EVENTS = pa.schema(
    [
        ("event_id", _TEXT),
        ("user_id", _TEXT),
        ("event_at", _TIME),
        ("event_type", _TEXT),
        ("role", _TEXT),
        *((name, _TEXT) for name in ("session_id", "item_id", "category", "channel")),
        ("amount", _NUMBER),
        ("quantity", _NUMBER),
        *((name, _TEXT) for name in ("device_id", "ip", "network_id", "payment_id", "address_id", "counterparty_id")),
        ("arrived_at", _TIME),
        ("batch_id", _TEXT),
    ]
)
LABELS = pa.schema(
    [
        ("user_id", _TEXT),
        ("event_id", _TEXT),
        ("happened_at", _TIME),
        ("known_at", _TIME),
        ("is_bad", pa.bool_()),
        ("typology", _TEXT),
        ("source", _TEXT),
        ("arrived_at", _TIME),
        ("batch_id", _TEXT),
    ]
)
assert set(EVENT_COLUMNS) < set(EVENTS.names)
assert set(LABEL_COLUMNS) < set(LABELS.names)
