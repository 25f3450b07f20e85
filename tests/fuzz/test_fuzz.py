"""Files by grammar and by mutation: whatever is delivered, nothing is forged, nothing lost and nothing unnamed."""

import json
import os
import resource
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
import reader
import yaml
from command import KEY, Home, Said
from files import EVENT_CELLS, REQUIRED_OF_EVENTS, delivery
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.ingest.blocks import BLOCK, Blocks
from pipeline.settings import PROJECT

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)
NAIVE_NOW = NOW.replace(tzinfo=None)
SHOP = yaml.safe_load((PROJECT / "domains" / "shop.yml").read_text())
MB = 2**20
MOST_MEMORY = 1024 * MB

# The same shop in three ways: as it is; in Berlin, with users hidden and addresses not; through a mapping.
RENAMED = {"event_id": "order_no", "user_id": "customer", "event_at": "placed", "event_type": "kind", "amount": "total"}
PACKS: dict[str, tuple[dict[str, Any], reader.Pack]] = {
    "shop": (SHOP, reader.Pack(SHOP["event_types"], key=KEY.encode())),
    "berlin": (
        {**SHOP, "timezone": "Europe/Berlin", "sensitive": ["user_id", "session_id"]},
        reader.Pack(SHOP["event_types"], "Europe/Berlin", ("user_id", "session_id"), key=KEY.encode()),
    ),
}


def examples(few: int, many: int) -> settings:
    """`many` in `make fuzz`; `few` in an ordinary test run, where what fails is not made smaller: that takes minutes."""
    if settings.get_current_profile_name() == "fuzz":
        return settings(max_examples=many)
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    return settings(max_examples=few, deadline=None, phases=phases, suppress_health_check=list(HealthCheck))


@contextmanager
def a_home(pack: str) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder, "pack.yml")
        path.write_text(yaml.safe_dump(PACKS[pack][0]))
        yield Home(Path(folder, "home"), path, {"RISK_THREADS": "1", "RISK_NOW": NOW.isoformat()})


def tell(said: Said) -> None:
    assert said.code in (0, 2, 3), f"exit code {said.code}: {said.err}"
    assert "Traceback" not in said.out + said.err, said.err


def manifests(home: Home) -> dict[str, dict[str, Any]]:
    """Batches by the name of their file."""
    found = [json.loads(path.read_text()) for path in (home.path / "lake" / "batches").glob("*.json")]
    return {batch["source"]: batch for batch in found}


def lake_rows(home: Home, batch: dict[str, Any]) -> Counter[Any]:
    rows = [row for file in batch["files"] for row in pq.ParquetFile(home.path / file["path"]).read().to_pylist()]
    for row in rows:
        assert row.pop("batch_id") == batch["batch_id"]
        assert row.pop("arrived_at") == NAIVE_NOW
    return Counter(map(comparable, rows))


def comparable(row: dict[str, Any]) -> Any:
    def plain(value: Any) -> Any:
        return int(value * 10_000) if isinstance(value, Decimal) else value

    return tuple(sorted((name, plain(value)) for name, value in row.items() if value is not None))


def without_derived_ids(rows: Counter[Any], given: set[str]) -> Counter[Any]:
    """An id that nobody gave is 32 hex digits, and no two are the same."""
    plain, derived = Counter[Any](), []
    for row, times in rows.items():
        cells = dict(row)
        if cells["event_id"] not in given:
            derived += [cells.pop("event_id")] * times
        plain[comparable(cells)] += times
    assert len(set(derived)) == len(derived)
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in derived)
    return plain


def quarantined(home: Home, batch: dict[str, Any]) -> list[tuple[int, str, tuple[str, str | None]]]:
    path = home.path / "quarantine" / f"{batch['kind']}-{batch['batch_id']}.parquet"
    rows = pq.ParquetFile(path).read().to_pylist() if path.exists() else []
    return [(row["line"], row["raw"], (row["reason"], row["detail"])) for row in rows]


def content_of(home: Home) -> dict[str, bytes]:
    return home.bytes_of("lake", "quarantine")


def hold(home: Home, pack: str, files: Sequence[tuple[str, bytes]], block: int = BLOCK) -> None:
    """Deliver `files` and hold what became of each against the naive reader; then deliver them again."""
    paths = []
    for name, content in files:
        path = home.path.parent / name
        path.write_bytes(content)
        paths.append(path)
    command = ["ingest", *(word for path in paths for word in ("--events", path)), "--json"]
    with patch("pipeline.ingest.landing.Blocks", partial(Blocks, block=block)):
        said = home.says(*command)
        tell(said)
        before = content_of(home)
        again = home.says(*command)
    tell(again)
    assert content_of(home) == before, "a second run changed something"
    batches, lake, seen = manifests(home), reader.Lake(PACKS[pack][1], NAIVE_NOW), set()
    assert said.code in (0, 3), said.err
    expected_code = 0
    for name, content in files:
        if content in seen:
            continue
        try:
            outcome = lake.take_events(reader.rows_of(name, content))
        except reader.UnreadableError as error:
            assert name not in batches, f"{name} was loaded, in spite of: {error}"
            assert name in said.err and name in again.err, said.err
            expected_code = 3
            continue
        seen.add(content)
        assert name in batches, f"{name} was not loaded: {said.err}"
        batch = batches[name]
        assert batch["batch_id"] == sha256(content).hexdigest()[:16]
        judge(home, batch, outcome)
        if outcome.read and outcome.read == len(outcome.refused):
            expected_code = 3
    assert said.code == expected_code, said.err


def judge(home: Home, batch: dict[str, Any], outcome: reader.Outcome) -> None:
    counts = batch["read"], batch["accepted"], batch["refused"], batch["duplicates"]
    refused = quarantined(home, batch)
    assert [row[:2] for row in refused] == [(row.line, row.raw) for row, _ in outcome.refused]
    for (line, _, reason), (_, faults) in zip(refused, outcome.refused, strict=True):
        assert reason in faults, f"line {line}"
    assert counts == (outcome.read, len(outcome.accepted), len(outcome.refused), outcome.duplicates)
    assert batch["read"] == batch["accepted"] + batch["refused"] + batch["duplicates"]
    given_ids = {row["event_id"] for row in outcome.accepted if row["event_id"] is not None}
    found = without_derived_ids(lake_rows(home, batch), given_ids)
    assert found == Counter(map(comparable, outcome.accepted))


blocks = st.sampled_from((BLOCK, BLOCK, 1000, 64, 17))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "csv.gz", "jsonl.gz"])
def test_files_of_events(kind, inputs):
    @examples(few=int(os.environ.get('FEW', 6)), many=400)
    @given(delivery(kind, EVENT_CELLS, REQUIRED_OF_EVENTS), st.sampled_from(list(PACKS)), blocks)
    def holds(files: list[tuple[str, bytes]], pack: str, block: int) -> None:
        inputs[kind] += len(files)
        is_plain_csv = kind == "csv" and not any(b"{" in content for _, content in files)
        with a_home(pack) as home:
            hold(home, pack, files, block if is_plain_csv else BLOCK)

    holds()
