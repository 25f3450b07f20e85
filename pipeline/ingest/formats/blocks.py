"""Read a text file as decompressed blocks of lines, with a limit on its decompressed size."""

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from pipeline.errors import InputError
from pipeline.ingest.refusals import MAX_ROW

BLOCK = 8 * 2**20
MAX_LINES = 100_000  # of a block, so that the rows of short lines fit into memory
BOM = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"
BLANK_LINES = re.compile(rb"(?:[ \t\r\v\f]*+\n)*+")

# A gzip file above this size that shrank more than that is a bomb, not a day of events.
BOMB_BYTES = 2**30
BOMB_RATIO = 500


class Blocks:
    """Iterates over (line number, bytes). A block ends in a newline, except in a very long line."""

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
        """The file's beginning: at least a line, all of the file, or more than a row's limit."""
        while b"\n" not in self.rest and not self.is_at_end and len(self.rest) <= MAX_ROW:
            self._fill()
        return self.rest

    def first_line(self) -> bytes:
        """Consume the first line that is not blank; empty if there is none. Of a very long line, only the beginning."""
        while text := self.peek():
            blank = BLANK_LINES.match(text)
            start = blank.end() if blank else 0
            self.line += text.count(b"\n", 0, start)
            self.rest = text[start:]
            if b"\n" in self.rest or len(self.rest) > MAX_ROW or self.is_at_end:
                line, newline, self.rest = self.rest.partition(b"\n")
                self.line += len(newline)
                return line if line.strip() else b""
        return b""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        while self.rest or not self.is_at_end:
            while len(self.rest) < self.block and not self.is_at_end:
                self._fill()
            cut = len(self.rest) if self.is_at_end else self.rest.rfind(b"\n") + 1 or len(self.rest)
            block, self.rest = self.rest[:cut], self.rest[cut:]
            for part in parts(block):
                yield self.line, part
                self.line += part.count(b"\n")

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


def parts(block: bytes) -> Iterator[bytes]:
    """Split the block into parts of at most MAX_LINES lines."""
    if block.count(b"\n") <= MAX_LINES:
        if block:
            yield block
        return
    middle = block.rfind(b"\n", 0, len(block) // 2) + 1 or block.find(b"\n") + 1
    yield from parts(block[:middle])
    yield from parts(block[middle:])


def starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic
