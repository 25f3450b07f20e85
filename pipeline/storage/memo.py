"""Memoised steps: a result is named by a digest of its inputs, and found instead of built if it exists.

made from -> digest -> find -> build aside -> check -> rename -> note: so are features, bundles, scores and lists made.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pipeline.storage.files import digest, scratch

K = TypeVar("K")
T = TypeVar("T")
K_in = TypeVar("K_in", contravariant=True)
T_out = TypeVar("T_out", covariant=True)

MadeFrom = dict[str, Any]  # JSON: everything that decides a result's bytes
Build = Callable[[Mapping[K, str], Path], Iterator[tuple[K, Path]]]


class Shelf(Protocol[K_in, T_out]):
    """Where the results of one kind are kept. `made_id` is the digest of what a result was made from."""

    def find(self, key: K_in, made_id: str) -> T_out | None:
        """The result if it is there and whole."""

    def add(self, key: K_in, made_id: str, made_from: MadeFrom, aside: Path) -> None:
        """Check what was built at `aside` and rename it into place."""

    def note(self, key: K_in, made_id: str) -> None:
        """Remember that this run found or made it."""


@dataclass(frozen=True)
class Made(Generic[T]):
    result: T
    is_new: bool


def made_once(
    home: Path, step: str, wanted: Mapping[K, MadeFrom], shelf: Shelf[K, T], build: Build[K]
) -> dict[K, Made[T]]:
    """The results of `wanted`, by key. Missing results are built in one go.

    `build` receives their digests and an empty folder, and yields each result's key and path.
    """
    ids = {key: digest(made_from) for key, made_from in wanted.items()}
    missing = {key: made_id for key, made_id in ids.items() if shelf.find(key, made_id) is None}
    if missing:
        with scratch(home, step) as folder:
            for key, aside in build(missing, folder):
                shelf.add(key, ids[key], wanted[key], aside)
    made: dict[K, Made[T]] = {}
    for key, made_id in ids.items():
        result = shelf.find(key, made_id)
        if result is None:
            raise AssertionError(f"{step} built no result for {key}")
        shelf.note(key, made_id)
        made[key] = Made(result, is_new=key in missing)
    return made
