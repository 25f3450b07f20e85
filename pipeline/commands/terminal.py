"""What a command prints for people: receipts, progress and errors."""

import errno
import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console

from pipeline.daily import Answer
from pipeline.errors import PipelineError, UsageError
from pipeline.safe_text import one_line

errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOMEM, errno.EMFILE)
IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY)
MEND = "make room on the disk or correct its permissions, then run the same command again: nothing is lost"
CLEAR = "move it away: a folder lies where a file belongs, or a file where a folder; then run the same command again"
SHORTEN = "use a shorter name or a shorter RISK_HOME"


def shows_progress(as_json: bool) -> bool:
    return not as_json and sys.stderr.isatty()


def status(words: str, as_json: bool) -> Any:
    return errors.status(words) if shows_progress(as_json) else errors.capture()


def print_answers(answers: Iterable[Answer], as_json: bool) -> None:
    """Print receipts one by one; as JSON, as one list."""
    if as_json:
        print(json.dumps(list(answers), indent=2, default=str))
        return
    for answer in answers:
        print_answer(answer, False)


def print_answer(answer: Answer, as_json: bool) -> None:
    """Print a receipt: for people one line, with refusals and warnings under it."""
    if as_json:
        print(json.dumps(answer, indent=2, default=str))
        return
    counts = [f"{name} {answer[name]:,}" for name in ("read", "accepted", "refused", "duplicates") if name in answer]
    details = [
        f"{name.replace('_', ' ')} {value:,}" if isinstance(value, int) else f"{name.replace('_', ' ')} {value}"
        for name, value in answer.get("details", {}).items()
        if isinstance(value, int | str | float) and not isinstance(value, bool) and value != ""
    ]
    out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    line = f"{answer['step']} {answer.get('day', '')}".strip() + ": " + ", ".join([*counts, *details] or ["done"])
    out.print(one_line(line))
    for reason, rows in (answer.get("details", {}).get("reasons") or {}).items():
        out.print(f"  refused: {reason} {rows:,}")
    for warning in answer.get("warnings", []):
        out.print(f"  warning: {one_line(warning)}")


def report(error: PipelineError) -> None:
    """Print an error. Names in it come from outside, so terminal codes are removed."""
    errors.print("\n".join(map(one_line, f"error: {error}".split("\n"))), markup=False)


def of_this_machine(error: Exception) -> PipelineError | None:
    """The error for a full disk, a missing permission, an entry in the way or too little memory; None if our bug."""
    words = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0] if str(error) else ""
    is_engine = type(error).__module__.partition(".")[0] in ("duckdb", "_duckdb")
    if isinstance(error, MemoryError) or (is_engine and type(error).__name__ == "OutOfMemoryException"):
        return UsageError("there is not enough memory", words or "", fix="raise RISK_MEMORY_LIMIT, or free some memory")
    if isinstance(error, OSError):
        if fix := _fix_of(error):
            where = error.filename2 or error.filename  # of a rename the target
            found = f"{where}: {words}" if where else f"{words}"
            return UsageError("cannot read or write what we need", found, fix=fix)
    elif is_engine and type(error).__name__ == "IOException":
        return UsageError("cannot read or write what we need", f"{words}", fix=MEND)
    return None


def _fix_of(error: OSError) -> str | None:
    if error.errno in IN_THE_WAY:
        return CLEAR
    if error.errno == errno.ENAMETOOLONG:
        return SHORTEN
    return MEND if error.errno in MACHINE else None
