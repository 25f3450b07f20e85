"""Feedback: analysts' verdicts in, labels out.

Reads   a CSV of verdicts, lists/
Writes  verdicts/, lake/labels/, quarantine/
Rerun   the same file again changes nothing
"""

from collections import Counter
from datetime import date
from pathlib import Path

from pipeline.domain import Domain
from pipeline.receipt import Receipt
from pipeline.settings import Settings


def run(settings: Settings, domain: Domain, path: Path) -> Receipt:
    """Take in one file of verdicts. Rows that do not fit are refused, the others count.

    Raises InputError if the file is no verdict file at all. Notes and names are stored, and never logged.
    """
    from pipeline import lake
    from pipeline.feedback import store
    from pipeline.feedback.records import read_records
    from pipeline.feedback.verdicts import Refused, Verdict, judge
    from pipeline.files import digest, scratch, sha256_of

    home, now = settings.home, settings.clock()
    records = read_records(path, settings.max_file_bytes)
    # Not the content's hash alone: the same file may have been ingested as labels, by mistake or not.
    batch_id = (digest(["verdicts", sha256_of(path)]) + sha256_of(path))[:16]
    batches = lake.batches(home, "labels")
    if any(batch.batch_id == batch_id for batch in batches):
        return Receipt(step="feedback", read=0, accepted=0, details={"file": path.name, "files_seen_before": 1})

    lake.refuse_a_clock_gone_back(home, batches, now)
    listed = Listed(home)
    known = store.known_verdicts(home, batches)
    accepted: list[Verdict] = []
    refused: list[store.RefusedRow] = []
    duplicates = 0
    for record in records:
        if record.refusal:
            reason, _, column = record.refusal.partition(" ")
            refused.append(store.RefusedRow(record.line, reason, column or None, record.raw))
            continue
        try:
            verdict = judge(record.cells, listed, now, domain.timezone)
        except Refused as error:
            refused.append(store.RefusedRow(record.line, error.reason, error.column, record.raw))
            continue
        if verdict in known:
            duplicates += 1
        else:
            known.add(verdict)
            accepted.append(verdict)

    reasons = Counter(f"{row.reason} {row.column}" if row.column else row.reason for row in refused)
    labels = store.label_rows(accepted, batch_id, now)
    with scratch(home, "feedback") as aside:
        aside.chmod(0o700)
        store.write_quarantine(aside, home, refused, path.name, batch_id)
        store.write_verdicts(aside, home, accepted, batch_id, now)
        files = store.write_labels(aside, home, labels, batch_id, now)
        lake.commit(
            home,
            lake.Batch(
                batch_id=batch_id,
                content=batch_id,
                kind="labels",
                source=path.name,
                ingested_at=now,
                is_history=False,
                read=len(records),
                accepted=len(accepted),
                refused=len(refused),
                duplicates=duplicates,
                reasons=dict(sorted(reasons.items())),
                files=files,
            ),
        )
    counts = Counter(verdict.verdict for verdict in accepted)
    return Receipt(
        step="feedback",
        read=len(records),
        accepted=len(accepted),
        refused=len(refused),
        duplicates=duplicates,
        details={
            "file": path.name,
            "verdicts": dict(sorted(counts.items())),
            "labels": len(labels),
            "reasons": dict(sorted(reasons.items())),
        },
    )


class Listed:
    """Which accounts were on any list issued for a day: analysts may still work on one that was replaced since."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.found: dict[date, frozenset[str] | None] = {}

    def __call__(self, day: date) -> frozenset[str] | None:
        if day not in self.found:
            self.found[day] = self._read(day)
        return self.found[day]

    def _read(self, day: date) -> frozenset[str] | None:
        import pyarrow.parquet as pq

        paths = sorted((self.home / "lists" / "revisions" / f"day={day}").glob("*/risk_list.parquet"))
        if not paths:
            return None
        tables = [pq.ParquetFile(path).read(columns=["user_id"]) for path in paths]
        return frozenset(user for table in tables for user in table["user_id"].to_pylist())
