"""Text files as blocks of whole lines, decompressed, with a limit on what one file may blow up to."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from pipeline.errors import InputError
from pipeline.ingest.refusals import MAX_LINE

BLOCK = 16 * 2**20
BOM = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"

# A gzip file above this size that shrank more than that is a bomb, not a day of events.
BOMB_BYTES = 2**30
BOMB_RATIO = 500


class Blocks:
    """Iterates over (line number, bytes): whole lines, each block but the last ending in a newline.

    A line longer than a block may be cut to little more than MAX_LINE: it will be refused anyway.
    """

    def __init__(self, path: Path, max_bytes: int, block: int = BLOCK) -> None:
        self.path, self.max_bytes, self.block = path, max_bytes, block
        self.size = path.stat().st_size
        self.is_packed = starts_with(path, GZIP)
        self.file = path.open("rb")
        self.stream = cast(IO[bytes], gzip.GzipFile(fileobj=self.file) if self.is_packed else self.file)
        self.line, self.total, self.rest, self.is_at_end = 1, 0, b"", False
        self._fill()
        if self.rest[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise InputError(f"{path.name} is UTF-16, wanted UTF-8", fix="export it as UTF-8")
        self.rest = self.rest.removeprefix(BOM)

    def close(self) -> None:
        self.stream.close()
        self.file.close()

    @property
    def done(self) -> float:
        return min(self.file.tell() / self.size, 1.0) if self.size else 1.0

    def peek(self) -> bytes:
        """The file's beginning: at least a line, or everything."""
        while b"\n" not in self.rest and not self.is_at_end and len(self.rest) <= MAX_LINE:
            self._fill()
        return self.rest

    def first_line(self) -> bytes:
        """Takes the first line that is not blank; empty if there is none."""
        while self.peek():
            line, _, self.rest = self.rest.partition(b"\n")
            self.line += 1
            if line.strip():
                return line
        return b""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        while self.rest or not self.is_at_end:
            while not self.is_at_end and (len(self.rest) < self.block or (cut := self.rest.rfind(b"\n")) < 0):
                if len(self.rest) > MAX_LINE and b"\n" not in self.rest:
                    self._cut_line()
                else:
                    self._fill()
            if self.is_at_end:
                block, self.rest = self.rest, b""
            else:
                block, self.rest = self.rest[: cut + 1], self.rest[cut + 1 :]
            if block:
                yield self.line, block
                self.line += block.count(b"\n")

    def _cut_line(self) -> None:
        """Shorten the line that `rest` begins with, read on to its end, and no further than needed."""
        head, self.rest = self.rest[: MAX_LINE + 1], b""
        while b"\n" not in self.rest and not self.is_at_end:
            self.rest = b""
            self._fill()
        _, newline, tail = self.rest.partition(b"\n")
        self.rest = head + newline + tail

    def _fill(self) -> None:
        try:
            more = self.stream.read(self.block)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(
                f"{self.path.name} cannot be read to its end",
                str(error),
                f"after {self.total:,} bytes",
                fix="deliver the file again, whole",
            ) from None
        self.is_at_end = not more
        self.rest += more
        self.total += len(more)
        if self.total > self.max_bytes:
            raise InputError(
                f"{self.path.name} is larger than the limit of {self.max_bytes:,} bytes",
                fix="split the file, or raise RISK_MAX_FILE_BYTES",
            )
        if self.is_packed and self.total > BOMB_BYTES and self.total > BOMB_RATIO * self.size:
            raise InputError(
                f"{self.path.name} unpacks to more than {BOMB_RATIO} times its size",
                fix="deliver it unpacked, or split",
            )


def starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic
