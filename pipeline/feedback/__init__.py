"""Feedback: turn analysts' verdicts into labels.

Reads   a CSV of verdicts, lists/, lake/events
Writes  verdicts/, lake/labels/, quarantine/
Rerun   the same file again changes nothing
"""

from collections import Counter
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


def run(settings: Settings, domain: Domain, path: Path) -> Receipt:
    """Take in one file of verdicts. Wrong rows are refused, the others count.

    Raises InputError if the file is no verdict file, or if all of its rows were refused. Refused rows are then in
    quarantine. Notes and names are stored, never logged.
    """
    from pipeline.feedback import store
    from pipeline.feedback.accounts import AccountsOfDays
    from pipeline.feedback.records import read_file, read_records
    from pipeline.feedback.verdict_file import check_records
    from pipeline.feedback.verdicts import to_verdict
    from pipeline.storage import lake

    home, now = settings.home, settings.clock()
    content = read_file(path, settings.max_file_bytes)
    batches = lake.batches(home, "labels")
    lake.refuse_a_clock_gone_back(home, batches, now)
    check = partial(to_verdict, accounts_of=AccountsOfDays(home), now=now, timezone=domain.timezone)
    records = read_records(content, path.name)
    file = check_records(path.name, records, check, store.accepted_verdicts(home, batches))
    batch_id = _batch_id(content, file)
    is_new = all(batch.batch_id != batch_id for batch in batches)
    labels = store.save(home, file, batch_id, now) if is_new else 0
    if file.refused and len(file.refused) == file.read:
        counts = (f"{reason}: {rows:,}" for reason, rows in file.reasons.items())
        raise InputError(
            f"{path.name}: no row was accepted, {file.read:,} refused",
            *counts,
            *file.first_refused(),
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
        warnings=file.first_refused(),
    )


def _batch_id(content: bytes, file: "VerdictFile") -> str:
    """Equal content with the same rows refused is the same batch.

    A row that is refused today may be accepted tomorrow, once its list is published. The content's hash alone would
    also clash with the same file ingested as labels.
    """
    from pipeline.storage.files import digest

    sha = sha256(content).hexdigest()
    return (digest(["verdicts", sha, [row.line for row in file.refused]]) + sha)[:16]
