"""Small deliveries of a web shop, in every format, and what became of them."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import ingest
from pipeline.domain import Domain
from pipeline.settings import Settings
from pipeline.sql import parquet
from pipeline.storage import lake

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
KEY = "a key that only tests know"
SHOP = Domain.load("shop")
FORMATS = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet")


def utc(*parts: int) -> datetime:
    """A time as the lake stores it: UTC, without saying so."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[misc, arg-type]


def event(event_id: str | None = "e1", **cells: Any) -> dict[str, Any]:
    ordinary = {"user_id": "ann", "event_at": "2026-11-20T10:00:00Z", "event_type": "purchase", "amount": "12.50"}
    return {"event_id": event_id, **ordinary, **cells}


def label(**cells: Any) -> dict[str, Any]:
    times = {"happened_at": "2026-11-20T10:00:00Z", "known_at": "2026-11-21T09:00:00Z"}
    return {"user_id": "ann", **times, "is_bad": "true", **cells}


def columns_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def as_csv(rows: Sequence[dict[str, Any]], **dialect: Any) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns_of(rows), **{"lineterminator": "\n", **dialect})
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_jsonl(rows: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in columns_of(rows)}), sink)
    return sink.getvalue().to_pybytes()


def encode(rows: Sequence[dict[str, Any]], kind: str) -> bytes:
    plain = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}[kind.removesuffix(".gz")](rows)
    return gzip.compress(plain, mtime=0) if kind.endswith(".gz") else plain


class Shop:
    """A home, the files it is given, and what it holds afterwards."""

    def __init__(self, folder: Path, domain: Domain = SHOP, **settings: Any) -> None:
        self.folder, self.domain = folder, domain
        self.settings = Settings(**{"home": folder / "home", "now": NOW, "key": KEY, "threads": 1, **settings})
        self.home = self.settings.home

    def file(self, content: bytes | Sequence[dict[str, Any]], name: str = "events.csv") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = name.partition(".")[2]
        path.write_bytes(content if isinstance(content, bytes) else encode(content, kind))
        return path

    def ingest(self, *files: Path, **options: Any) -> Any:
        return ingest.run(self.settings, self.domain, events=files, **options)

    def deliver(self, content: bytes | Sequence[dict[str, Any]], name: str = "events.csv", **options: Any) -> Any:
        return self.ingest(self.file(content, name), **options)

    def deliver_labels(self, content: bytes | Sequence[dict[str, Any]], name: str = "labels.csv") -> Any:
        return ingest.run(self.settings, self.domain, labels=[self.file(content, name)])

    def events(self) -> list[dict[str, Any]]:
        return self._rows([file.path for file in lake.event_files(self.home)], "event_at, event_id")

    def labels(self) -> list[dict[str, Any]]:
        return self._rows([file.path for file in lake.label_files(self.home)], "happened_at, user_id, event_id")

    def _rows(self, paths: list[str], order: str) -> list[dict[str, Any]]:
        if not paths:
            return []
        con = duckdb.connect()
        relation = con.sql(f"from {parquet([self.home / path for path in paths])} order by {order}")
        return relation.to_arrow_table().to_pylist()

    def refused(self) -> list[dict[str, Any]]:
        tables = [pq.read_table(path).to_pylist() for path in sorted((self.home / "quarantine").glob("*.parquet"))]
        return [row for table in tables for row in table]

    def reasons(self) -> list[tuple[int, str, str | None]]:
        return [(row["line"], row["reason"], row["detail"]) for row in self.refused()]

    def content(self) -> dict[str, bytes]:
        """Every file of the lake and the quarantine, byte for byte."""
        folders = [self.home / "lake", self.home / "quarantine"]
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.home)): path.read_bytes() for path in sorted(files)}
