"""Files by grammar and by mutation: whatever is delivered, nothing is forged, nothing lost and nothing unnamed."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import support
import yaml
from command import KEY, Home, Result
from files import EVENT_CELLS, LABEL_CELLS, REQUIRED_OF_EVENTS, REQUIRED_OF_LABELS, File, delivery
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from naive_cells import typed
from naive_lake import Lake, Outcome
from naive_parquet import parquet_rows, typed_parquet
from naive_rows import EVENT, Pack, UnreadableError, rows_of
from naive_verdicts import VERDICT, Verdicts, label_of
from pack_files import pack_files
from verdict_files import DONE, LISTED, verdict_files

from pipeline.ingest.formats.blocks import BLOCK, Blocks
from pipeline.settings import PROJECT

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)
NAIVE_NOW = NOW.replace(tzinfo=None)
SHOP = yaml.safe_load((PROJECT / "domains" / "shop.yml").read_text())
RENAMED = {"event_id": "order_no", "user_id": "customer", "event_at": "placed", "event_type": "kind", "amount": "total"}
MAPPING = {
    "source": {name: EVENT[contract] for contract, name in RENAMED.items()},
    "columns": {**RENAMED, "event_type": "lower(kind)"},
}

# The same shop in three ways: as it is; in Berlin, with users hidden and addresses not; through a mapping.
PACKS: dict[str, tuple[dict[str, Any], Pack]] = {
    "shop": (SHOP, Pack(SHOP["event_types"], key=KEY.encode())),
    "berlin": (
        {**SHOP, "timezone": "Europe/Berlin", "sensitive": ["user_id", "session_id"]},
        Pack(SHOP["event_types"], "Europe/Berlin", ("user_id", "session_id"), key=KEY.encode()),
    ),
    "mapped": (
        {**SHOP, "events": MAPPING},
        Pack(SHOP["event_types"], renamed=RENAMED, made={"event_type": str.lower}, key=KEY.encode()),
    ),
}
UNMAPPED = ["shop", "berlin"]


def examples(few: int, many: int) -> settings:
    """`many` in `make fuzz`; `few` in an ordinary test run, where failures are not made smaller: that takes minutes."""
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


def tell(said: Result) -> None:
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


def without_derived_ids(rows: Counter[Any], given: set[str | None]) -> Counter[Any]:
    """An id that nobody gave is 32 hex digits, and no two are the same."""
    plain, derived = Counter[Any](), []
    for row, times in rows.items():
        cells = dict(row)
        if cells.get("event_id") not in given:
            derived += [cells.pop("event_id")] * times
        plain[comparable(cells)] += times
    assert len(set(derived)) == len(derived)
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in derived)
    return plain


def quarantined(home: Home, batch: dict[str, Any], kind: str) -> list[tuple[int, str, tuple[str, str | None]]]:
    path = home.path / "quarantine" / f"{kind}-{batch['batch_id']}.parquet"
    rows = pq.ParquetFile(path).read().to_pylist() if path.exists() else []
    return [(row["line"], row["raw"], (row["reason"], row["detail"])) for row in rows]


def content_of(home: Home) -> dict[str, bytes]:
    return home.bytes_of("lake", "quarantine")


def hold(home: Home, pack: str, events: Sequence[File], labels: Sequence[File] = (), block: int = BLOCK) -> None:
    """Deliver files and hold what became of each against the naive reader; then deliver them again."""
    words: list[object] = []
    for option, files in (("--events", events), ("--labels", labels)):
        for file in files:
            path = home.path.parent / file.name
            path.write_bytes(file.content)
            words += [option, path]
    with patch("pipeline.ingest.formats.reader.Blocks", partial(Blocks, block=block)):
        said = home.run("ingest", *words, "--json")
        tell(said)
        before = home.bytes_of("lake", "quarantine")
        again = home.run("ingest", *words, "--json")
    tell(again)
    assert home.bytes_of("lake", "quarantine") == before, "a second run changed something"
    lake = Lake(PACKS[pack][1], NAIVE_NOW)
    failed = [*held(home, said, lake.take_events, events), *held(home, said, lake.take_labels, labels)]
    assert said.code == (3 if failed else 0), said.err
    assert all(name in said.err for name in failed), said.err
    unreadable = [name for name in failed if name not in manifests(home)]
    assert again.code == (3 if unreadable else 0), again.err
    if not unreadable:
        assert again.json["read"] == 0 and again.json["details"]["files_seen_before"] == len(events) + len(labels)


def held(home: Home, said: Result, take: Callable[..., Outcome], files: Sequence[File]) -> Iterator[str]:
    """Gives the files that must have been refused: as a whole, or all of their rows."""
    batches, seen = manifests(home), set[bytes]()
    for name, content, is_whole in files:
        if content in seen:
            continue
        is_parquet = content.startswith(b"PAR1")
        if is_parquet and not is_whole and name not in batches:
            yield name  # what is broken in it may be what pyarrow passes over
            continue
        try:
            file = parquet_rows(content) if is_parquet else rows_of(name, content)
            outcome = take(file, typed_parquet if is_parquet else typed)
        except UnreadableError as error:
            assert name not in batches, f"{name} was loaded, in spite of: {error}"
            yield name
            continue
        seen.add(content)
        assert name in batches, f"{name} was not loaded: {said.err}"
        assert batches[name]["batch_id"] == sha256(content).hexdigest()[:16]
        judge(home, batches[name], outcome, is_parquet)
        if outcome.read and outcome.read == len(outcome.refused):
            yield name


def judge(home: Home, batch: dict[str, Any], outcome: Outcome, is_parquet: bool) -> None:
    counts = batch["read"], batch["accepted"], batch["refused"], batch["duplicates"]
    refused = quarantined(home, batch, batch["kind"])
    if is_parquet:
        assert [line for line, _, _ in refused] == [row.line for row, _ in outcome.refused]
        for (_, raw, _), (row, _) in zip(refused, outcome.refused, strict=True):
            assert_as_it_came(json.loads(raw), row.cells)
    else:
        assert [row[:2] for row in refused] == [(row.line, row.raw) for row, _ in outcome.refused]
    for (line, _, reason), (_, faults) in zip(refused, outcome.refused, strict=True):
        assert reason in faults, f"line {line}"
    assert counts == (outcome.read, len(outcome.accepted), len(outcome.refused), outcome.duplicates)
    assert batch["read"] == batch["accepted"] + batch["refused"] + batch["duplicates"]
    given_ids = {row["event_id"] for row in outcome.accepted} - ({None} if batch["kind"] == "events" else set())
    found = without_derived_ids(lake_rows(home, batch), given_ids)
    assert found == Counter(map(comparable, outcome.accepted))


def assert_as_it_came(raw: dict[str, Any], cells: Mapping[str, Any]) -> None:
    assert list(raw) == list(cells)
    for name, cell in cells.items():
        if cell is None or isinstance(cell, str | int | list | dict):
            assert raw[name] == cell, name
        elif isinstance(cell, datetime | Decimal):
            assert str(cell) == raw[name] or isinstance(cell, datetime), name


def pack_and_events(kind: str, pack: str) -> SearchStrategy[tuple[str, list[File]]]:
    """A pack's name, and files with the columns it reads."""
    renamed = PACKS[pack][1].renamed
    cells = {renamed.get(name, name): strategy for name, strategy in EVENT_CELLS.items()}
    files = delivery(kind, cells, [renamed.get(name, name) for name in REQUIRED_OF_EVENTS])
    return st.tuples(st.just(pack), files)


blocks = st.sampled_from((BLOCK, BLOCK, 1000, 64, 17))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "csv.gz", "jsonl.gz", "parquet"])
def test_files_of_events(kind, inputs):
    @examples(few=6, many=300)
    @given(st.sampled_from(list(PACKS)).flatmap(partial(pack_and_events, kind)), blocks)
    def holds(delivered: tuple[str, list[File]], block: int) -> None:
        pack, files = delivered
        inputs[kind] += len(files)
        # the keys of JSON lines are looked for in the first block
        is_plain_csv = kind == "csv" and not any(b"{" in file.content for file in files)
        with a_home(pack) as home:
            hold(home, pack, files, block=block if is_plain_csv else BLOCK)

    holds()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_files_of_labels(kind, inputs):
    events = delivery("csv", EVENT_CELLS, ("event_id", *REQUIRED_OF_EVENTS), most=1, name="events")

    @examples(few=4, many=150)
    @given(events, delivery(kind, LABEL_CELLS, REQUIRED_OF_LABELS, name="labels"), st.sampled_from(UNMAPPED))
    def holds(events: list[File], labels: list[File], pack: str) -> None:
        inputs[f"labels.{kind}"] += len(labels)
        inputs["csv"] += len(events)
        with a_home(pack) as home:
            hold(home, pack, events, labels)

    holds()


@contextmanager
def a_home_with_lists() -> Iterator[Home]:
    with a_home("berlin") as home:
        for day, accounts in LISTED.items():
            folder = home.path / "lists" / "revisions" / f"day={day}" / "0123456789abcdef"
            folder.mkdir(parents=True)
            days = [date.fromisoformat(day)] * len(accounts)
            pq.write_table(pa.table({"user_id": accounts, "day": days}), folder / "risk_list.parquet")
        for day, accounts in DONE.items():
            at = support.moment(date.fromisoformat(day))
            support.write_events(
                home.path, [support.event(user, at, name) for user, names in accounts.items() for name in names]
            )
        yield home


@examples(few=6, many=400)
@given(files=verdict_files())
def check_verdicts(files: list[File], inputs: Counter[str]) -> None:
    inputs["verdicts"] += len(files)
    verdicts, seen = Verdicts(LISTED, DONE, NAIVE_NOW, "Europe/Berlin"), set[bytes]()
    with a_home_with_lists() as home:
        for file in files:
            path = home.path.parent / file.name
            path.write_bytes(file.content)
            before = set(manifests(home))
            said = home.run("feedback", path, "--json")
            tell(said)
            content = home.bytes_of("lake", "quarantine", "verdicts")
            tell(again := home.run("feedback", path, "--json"))
            assert home.bytes_of("lake", "quarantine", "verdicts") == content, "a second run changed something"
            if file.name not in manifests(home) and file.content in seen:
                assert set(manifests(home)) == before, "the same content again is nothing new"
                continue
            seen.add(file.content)
            try:
                outcome = verdicts.take(file.content)
            except UnreadableError as error:
                assert said.code == again.code == 3 and file.name in said.err, f"{said} {error}"
                assert set(manifests(home)) == before
                continue
            hold_verdicts(home, manifests(home)[file.name], outcome)
            assert said.code == (3 if outcome.refused and outcome.read == len(outcome.refused) else 0), said.err


def hold_verdicts(home: Home, batch: dict[str, Any], outcome: Outcome) -> None:
    refused = quarantined(home, batch, "verdicts")
    assert [row[:2] for row in refused] == [(row.line, row.raw) for row, _ in outcome.refused]
    for (line, _, (reason, _)), (_, faults) in zip(refused, outcome.refused, strict=True):
        assert reason in {fault for fault, _ in faults}, f"line {line}"
    counts = batch["read"], batch["accepted"], batch["refused"], batch["duplicates"]
    assert counts == (outcome.read, len(outcome.accepted), len(outcome.refused), outcome.duplicates)
    path = home.path / "verdicts" / f"{batch['batch_id']}.parquet"
    kept = pq.ParquetFile(path).read().to_pylist() if outcome.accepted else []
    assert path.exists() == bool(outcome.accepted)
    found = Counter(comparable({name: row[name] for name in VERDICT}) for row in kept)
    assert found == Counter(map(comparable, outcome.accepted))
    said = [row for row in outcome.accepted if row["verdict"] != "unsure"]
    assert lake_rows(home, batch) == Counter(comparable(label_of(row)) for row in said)


def test_files_of_verdicts(inputs):
    check_verdicts(inputs=inputs)


GOOD = b"event_id,user_id,event_at,event_type,amount\ne1,ann,2026-11-20T10:00:00Z,purchase,12.50\n"


@examples(few=6, many=400)
@given(pack=pack_files())
def check_packs(pack: bytes, inputs: Counter[str]) -> None:
    inputs["pack"] += 1
    with a_home("shop") as home:
        Path(home.pack).write_bytes(pack)
        events = home.path.parent / "events.csv"
        events.write_bytes(GOOD)
        said = home.run("ingest", "--events", events, "--json")
        tell(said)
        content = home.bytes_of("lake", "quarantine")
        assert said.code != 2 or not manifests(home)
        tell(home.run("ingest", "--events", events, "--json"))
        assert home.bytes_of("lake", "quarantine") == content, "a second run changed something"
        if said.code == 0:
            batch = manifests(home)["events.csv"]
            assert batch["read"] == 1 == batch["accepted"] + batch["refused"] + batch["duplicates"]


def test_packs(inputs):
    check_packs(inputs=inputs)
