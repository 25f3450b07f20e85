"""Write accepted verdicts, their labels, and refused rows. Only the owner may read all but the labels.

verdicts/<batch_id>.parquet                 every accepted verdict, notes and names included
lake/labels/<batch_id>.parquet              confirmed and dismissed ones, as labels
quarantine/verdicts-<batch_id>.parquet      refused rows as they came
lake/batches/labels-<batch_id>.json         the manifest: written last, so it is the commit
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.feedback.verdict_file import RefusedRow, VerdictFile
from pipeline.feedback.verdicts import Verdict
from pipeline.feedback.words import IS_BAD
from pipeline.schemas import LABELS, QUARANTINE, VERDICT
from pipeline.storage.files import publish, read_parquet, scratch
from pipeline.storage.lake import Batch, LakeFile, commit, verdict_path

PRIVATE = 0o600
_TEXT, _TIME = pa.string(), pa.timestamp("us")
VERDICTS = pa.schema(
    [
        ("day", pa.date32()),
        *((name, _TEXT) for name in ("user_id", "verdict", "typology", "note", "analyst")),
        ("decided_at", _TIME),
        ("scope", _TEXT),
        ("event_id", _TEXT),
        ("since", _TIME),
        ("arrived_at", _TIME),
        ("batch_id", _TEXT),
    ]
)


def save(home: Path, file: VerdictFile, batch_id: str, now: datetime) -> int:
    """Write a checked file's rows, then commit them. Returns the number of labels."""
    labels = label_rows(file.accepted, batch_id, now)
    with scratch(home, "feedback") as aside:
        aside.chmod(0o700)
        write_quarantine(aside, home, file.refused, file.name, batch_id)
        write_verdicts(aside, home, file.accepted, batch_id, now)
        files = write_labels(aside, home, labels, batch_id, now)
        commit(
            home,
            Batch(
                batch_id=batch_id,
                content=batch_id,
                kind="labels",
                source=file.name,
                ingested_at=now,
                is_history=False,
                read=file.read,
                accepted=len(file.accepted),
                refused=len(file.refused),
                duplicates=file.duplicates,
                reasons=file.reasons,
                files=files,
            ),
        )
    return len(labels)


def naive(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None)


def accepted_verdicts(home: Path, batches: Iterable[Batch]) -> set[Verdict]:
    """Verdicts accepted from earlier files. Files without a committed batch are leftovers."""
    verdicts: set[Verdict] = set()
    names = VERDICTS.names[:-2]
    for batch in batches:
        path = verdict_path(home, batch.batch_id)
        if path.is_file():
            for row in read_parquet(path, names).to_pylist():
                times = {name: row[name] and row[name].replace(tzinfo=UTC) for name in ("decided_at", "since")}
                verdicts.add(Verdict(**{**row, **times}))
    return verdicts


def quarantine_path(home: Path, batch_id: str) -> Path:
    return home / "quarantine" / f"verdicts-{batch_id}.parquet"


def label_rows(verdicts: Sequence[Verdict], batch_id: str, now: datetime) -> list[dict[str, object]]:
    """Confirmed and dismissed verdicts as labels of what they are about. An unsure verdict gives no label.

    A label is known from `decided_at`. Of two labels of a user-day the later decision counts; of two decisions at the
    same moment, the bad one.
    """
    return [
        {
            "user_id": verdict.user_id,
            "event_id": verdict.event_id,
            "happened_at": naive(verdict.happened_at),
            "ends_at": verdict.ends_at and naive(verdict.ends_at),
            "known_at": naive(verdict.decided_at),
            "is_bad": IS_BAD[verdict.verdict],
            "typology": verdict.typology,
            "source": VERDICT,
            "arrived_at": naive(now),
            "batch_id": batch_id,
        }
        for verdict in verdicts
        if IS_BAD[verdict.verdict] is not None
    ]


def write_verdicts(aside: Path, home: Path, verdicts: Sequence[Verdict], batch_id: str, now: datetime) -> None:
    rows = [
        {
            **vars(verdict),
            "decided_at": naive(verdict.decided_at),
            "since": verdict.since and naive(verdict.since),
            "arrived_at": naive(now),
            "batch_id": batch_id,
        }
        for verdict in verdicts
    ]
    _write(pa.Table.from_pylist(rows, schema=VERDICTS), aside / "verdicts.parquet", verdict_path(home, batch_id))


def write_quarantine(aside: Path, home: Path, refused: Sequence[RefusedRow], file: str, batch_id: str) -> None:
    rows = {
        "file": [file] * len(refused),
        "line": [row.line for row in refused],
        "reason": [row.reason for row in refused],
        "detail": [row.detail for row in refused],
        "raw": [row.raw for row in refused],
        "batch_id": [batch_id] * len(refused),
    }
    table = pa.Table.from_pydict(rows, schema=QUARANTINE)
    _write(table, aside / "quarantine.parquet", quarantine_path(home, batch_id))


def write_labels(
    aside: Path, home: Path, rows: list[dict[str, object]], batch_id: str, now: datetime
) -> list[LakeFile]:
    if not rows:
        return []
    path = Path("lake") / "labels" / f"{batch_id}.parquet"
    table = pa.Table.from_pylist(rows, schema=LABELS)
    _write(table, aside / "labels.parquet", home / path, mode=None)
    first_known: datetime = min(table["known_at"].to_pylist())
    return [
        LakeFile.of(
            home / path,
            str(path),
            rows=len(rows),
            first_arrived=now,
            last_arrived=now,
            first_known=first_known.replace(tzinfo=UTC),
        )
    ]


def _write(table: pa.Table, aside: Path, target: Path, mode: int | None = PRIVATE) -> None:
    """Write rows to a Parquet file. Without rows there is no file: one of a killed run is removed."""
    if not table.num_rows:
        target.unlink(missing_ok=True)
        return
    if mode is not None:
        aside.touch(mode=mode)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pq.write_table(table, aside, compression="zstd")
    publish(aside, target)
