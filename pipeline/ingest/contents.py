"""What delivered files contain, by hash: a file that was read once is not read again to know that it was."""

import json
import time
from pathlib import Path

from pipeline.files import sha256_of, write_json

SETTLED_NS = 2_000_000_000  # a file changed this shortly before it was read may change again without its times telling


class Contents:
    """The hashes of files as they lay when they were last read. A lost or damaged record costs time, nothing else."""

    def __init__(self, home: Path) -> None:
        self.record = home / "contents.json"
        try:
            recorded = json.loads(self.record.read_bytes())
        except (OSError, ValueError):
            recorded = {}
        self.known: dict[str, str] = recorded if isinstance(recorded, dict) else {}
        self.current: dict[str, str] = {}

    def id_of(self, path: Path) -> str:
        """The first 16 hex digits of the content's SHA-256."""
        status = path.stat()
        place = ":".join(
            str(part) for part in (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        )
        if place in self.known:
            return self.current.setdefault(place, self.known[place])
        content = sha256_of(path)[:16]
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED_NS and path.stat() == status:
            self.current[place] = content
        return content

    def save(self) -> None:
        if self.current.items() - self.known.items():
            write_json(self.record, self.known | self.current)
