"""Quote names, texts and paths for DuckDB's SQL. Nothing in them is read as SQL or as a pattern."""

from collections.abc import Iterable
from pathlib import Path


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def parquet(paths: Iterable[Path | str], options: str = "") -> str:
    """SQL of these Parquet files as one relation. There must be at least one.

    Only columns of the files count: by default DuckDB adds one for each `name=value` in a path.
    """
    files = ", ".join(literal(_exact(str(path))) for path in paths)
    return f"read_parquet([{files}], hive_partitioning = false{options and f', {options}'})"


def _exact(path: str) -> str:
    """A pattern that only this path matches."""
    return "".join(f"[{letter}]" if letter in "[*?" else letter for letter in path)
