"""Feedback: analysts' verdicts in, labels out.

Reads   a CSV of verdicts, lists/
Writes  verdicts/, lake/labels/, quarantine/
Rerun   the same file again changes nothing
"""

from collections import Counter
from datetime import date
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.receipt import Receipt
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.feedback.verdict_file import VerdictFile
    from pipeline.feedback.verdicts import Accounts


def run(settings: Settings, domain: Domain, path: Path) -> Receipt:
    """Take in one file of verdicts. Rows that do not fit are refused, the others count.

    Raises InputError if the file is no verdict file at all, or if all of its rows were refused; they are in
    quarantine by then. Notes and names are stored, and never logged.
    """
    from pipeline import lake
    from pipeline.feedback import store
    from pipeline.feedback.records import read_file, read_records
    from pipeline.feedback.verdict_file import judge_file
    from pipeline.feedback.verdicts import judge

    home, now = settings.home, settings.clock()
    content = read_file(path, settings.max_file_bytes)
    batches = lake.batches(home, "labels")
    lake.refuse_a_clock_gone_back(home, batches, now)
    judge_row = partial(judge, listed=Listed(home), now=now, timezone=domain.timezone)
    file = judge_file(path.name, read_records(content, path.name), judge_row, store.known_verdicts(home, batches))
    batch_id = _batch_id(content, file)
    is_new = all(batch.batch_id != batch_id for batch in batches)
    labels = store.save(home, file, batch_id, now) if is_new else 0
    if file.refused and len(file.refused) == file.read:
        counts = (f"{reason}: {rows:,}" for reason, rows in file.reasons.items())
        raise InputError(
            f"{path.name}: no row was accepted, {file.read:,} refused",
            *counts,
            *file.told(),
            fix="correct the rows and take the file in again",
        )
    return Receipt(
        step="feedback",
        read=file.read,
        accepted=len(file.accepted),
        refused=len(file.refused),
        duplicates=file.duplicates,
        details={
            "file": path.name,
            "files_seen_before": 0 if is_new else 1,
            "verdicts": dict(sorted(Counter(verdict.verdict for verdict in file.accepted).items())),
            "labels": labels,
            "reasons": file.reasons,
        },
        warnings=file.told(),
    )


def _batch_id(content: bytes, file: "VerdictFile") -> str:
    """The same content with the same rows refused is the same batch.

    A row refused today may fit tomorrow, once its list is published: then the file brings something new.
    Not the content's hash alone: the same file may have been ingested as labels, by mistake or not.
    """
    from pipeline.files import digest

    known_by = sha256(content).hexdigest()
    return (digest(["verdicts", known_by, [row.line for row in file.refused]]) + known_by)[:16]


class Listed:
    """Which accounts were on any list issued for a day: analysts may still work on one that was replaced since."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.found: dict[date, Accounts | None] = {}

    def __call__(self, day: date) -> "Accounts | None":
        if day not in self.found:
            self.found[day] = self._read(day)
        return self.found[day]

    def _read(self, day: date) -> "Accounts | None":
        from pipeline.feedback.store import read_parquet
        from pipeline.feedback.verdicts import Accounts

        paths = sorted((self.home / "lists" / "revisions" / f"day={day}").glob("*/risk_list.parquet"))
        if not paths:
            return None
        return Accounts(user for path in paths for user in read_parquet(path, ["user_id"])["user_id"].to_pylist())
