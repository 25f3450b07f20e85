"""The folder from which Airflow takes verdict files. Anything may lie there."""

import os
import stat
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError, UsageError

UNFINISHED = (".tmp", ".part")


class Inbox(NamedTuple):
    """`files` can be taken in. Each of `odd` describes another entry."""

    files: list[Path]
    odd: list[str]


def list_inbox(inbox: Path) -> Inbox:
    """The inbox's entries by name, without dotfiles and unfinished uploads (.tmp, .part)."""
    try:
        entries = sorted(inbox.iterdir()) if inbox.exists() else []
    except OSError as error:
        raise InputError(f"cannot read {inbox}: {error.strerror}", fix="check the folder and its permissions") from None
    delivered = [path for path in entries if not path.name.startswith(".") and not path.name.endswith(UNFINISHED)]
    why = {path: _oddity(inbox, path) for path in delivered}
    files = [path for path, odd in why.items() if odd is None]
    return Inbox(files, [f"{_shown(path.name)} {odd}" for path, odd in why.items() if odd])


def require_only_files(inbox: Path) -> None:
    """Raises InputError naming each entry that cannot be taken in."""
    if odd := list_inbox(inbox).odd:
        raise InputError(
            "not everything in the inbox could be taken", *odd, fix=f"correct it, or remove it from {inbox}"
        )


def named_file(inbox: Path, name: str) -> Path:
    """The file called `name`. Raises UsageError outside the inbox: a run's form gives no access to other files."""
    path = inbox / name
    if not _is_inside(inbox, path):
        raise UsageError("a verdict file must lie in the inbox", f"inbox: {inbox}", fix="copy the file there")
    if odd := _oddity(inbox, path):
        raise InputError(f"{_shown(name)} {odd}", f"inbox: {inbox}", fix="copy a CSV file there")
    if not path.exists():
        raise InputError(f"no file {name!a} in the inbox", f"inbox: {inbox}", fix="copy the file there")
    return path


def _oddity(inbox: Path, path: Path) -> str | None:
    """Why this cannot be taken in; None if it can. A missing file is left to its reader."""
    if not path.name.isprintable():
        return "has a name that cannot be written down"
    if not _is_inside(inbox, path):
        return "is a link out of the inbox"
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if mode is not None and not stat.S_ISREG(mode):
        return "is not a regular file"
    if path.suffix.lower() != ".csv":
        return "is not called .csv"
    if mode is not None and not os.access(path, os.R_OK):
        return "cannot be read: give its permissions to this user"
    return None


def _is_inside(inbox: Path, path: Path) -> bool:
    try:
        return path.resolve().is_relative_to(inbox.resolve())
    except (OSError, RuntimeError, ValueError):  # a link that leads to itself, a name with a NUL
        return False


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)
