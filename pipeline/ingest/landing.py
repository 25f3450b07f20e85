"""List the delivered files, and check that each may be read."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import InputError

UNFINISHED = (".tmp", ".part")
FOLDERS = ("events", "labels")


def files_in(paths: Sequence[Path]) -> list[Path]:
    """All files of `paths` and of the folders below, by name, without dotfiles and unfinished uploads (.tmp, .part).

    Folders that are links or cannot be read are listed too: `check` says what is wrong with them.
    """
    # os.path.isdir raises nothing, whatever the permissions
    return [file for path in paths for file in (sorted(_below(path)) if os.path.isdir(path) else [path])]  # noqa: PTH112


def _below(folder: Path) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        yield folder
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path))
        elif not entry.name.endswith(UNFINISHED):
            yield Path(entry.path)


def astray(landing: Path) -> list[str]:
    """A warning that names what lies in landing/ beside its two folders: nobody would read it."""
    try:
        names = sorted(entry.name for entry in os.scandir(landing))
    except OSError:
        return []
    odd = [name for name in names if name not in FOLDERS and not name.startswith(".") and not name.endswith(UNFINISHED)]
    if not odd:
        return []
    shown = [name if name.isprintable() else ascii(name) for name in odd[:5]]
    more = f" and {len(odd) - 5:,} more" if len(odd) > 5 else ""
    return [f"landing/ holds {', '.join(shown)}{more}: only landing/events and landing/labels are read"]


def is_there(path: Path) -> bool:
    """Whether the path exists, even as a broken link or an unreadable entry."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        pass
    return True


def check(path: Path, roots: Sequence[Path]) -> None:
    """Raises InputError unless `path` is a regular file inside the folder where it was found."""
    root = next((root for root in roots if root != path and path.is_relative_to(root)), path.parent)
    name = str(path.relative_to(root))
    name = name if name.isprintable() else ascii(name)
    if not path.name.isprintable():  # a stray byte or a control character: neither fits a manifest
        raise InputError(f"the name {name} cannot be written down", fix="rename the file")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise InputError(f"{name} is a link to nothing", fix="copy the file instead") from None
        raise InputError(f"no file {path}", fix="check the path") from None
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}", fix="check the path and its permissions") from None
    if stat.S_ISDIR(mode):
        if path.is_symlink():
            raise InputError(f"{name} is a link to a folder", fix="copy the folder instead, or name it directly")
        raise InputError(f"the folder {name} cannot be read", fix="give its permissions to this user")
    if not stat.S_ISREG(mode):
        raise InputError(f"{name} is not a regular file", fix="deliver a file")
    if path not in roots and not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{name} is a link out of {root}", fix="copy the file instead, or name it directly")
    if not os.access(path, os.R_OK):
        raise InputError(f"{name} cannot be read", fix="give the file's permissions to this user")
