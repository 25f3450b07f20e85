"""The home's lock, connections to DuckDB, and dbt runs. Only dbt opens `warehouse.duckdb`."""

import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from pydantic import BaseModel

from pipeline.catalogue import code_digest
from pipeline.domain import Domain
from pipeline.errors import BusyError, InputError, PipelineError, UsageError
from pipeline.settings import PROJECT, Settings
from pipeline.storage import lake
from pipeline.storage.files import make_folder, private, read_json, read_model, write_json

DBT_PROJECT = PROJECT / "dbt_project"
DAMAGED = ("not a valid DuckDB database", "Corrupt database file", "Failure while replaying WAL")
LIBRARIES = ("duckdb", "_duckdb", "pyarrow")  # what reads the lake
FULL = ("No space left on device", "File too large")
OWNER = "home.json"  # in a home: which domain it holds, and how it is laid out
LAYOUT = 3  # version of the home's folders, files and columns; 2: before labels could end
MADE_BY = "warehouse.json"  # beside the warehouse: the SQL and the DuckDB that filled it


class Owner(BaseModel):
    """home.json. A home without a layout has layout 1."""

    domain: str
    layout: int = 1


@contextmanager
def locked(settings: Settings, domain: Domain) -> Iterator[None]:
    """Lock the home for one process. The kernel frees the lock when the process dies, however it dies.

    Files written meanwhile are for their owner alone. Raises BusyError if another process holds the lock, UsageError if
    the home belongs to another domain.
    """
    from filelock import FileLock, Timeout

    try:
        make_folder(settings.home)
    except OSError as error:
        raise UsageError(f"cannot use {settings.home}: {error.strerror}", fix="set RISK_HOME") from None
    path = settings.home / ".lock"
    lock = FileLock(path, timeout=settings.lock_seconds, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"another dawnlist is working in {settings.home}",
            f"waited {settings.lock_seconds:g} s",
            fix="wait until it is done, or set RISK_LOCK_SECONDS to wait longer",
        ) from None
    except OSError as error:
        if path.is_dir():
            raise UsageError(f"{path} is a folder, wanted a file", fix="remove it") from None
        raise UsageError(f"cannot write to {settings.home}: {error.strerror}", fix="set RISK_HOME") from None
    try:
        with private():
            if not (settings.home / OWNER).is_file():
                write_json(settings.home / OWNER, {"domain": domain.name, "layout": LAYOUT})
            belongs_to(settings.home, domain)
            shutil.rmtree(settings.home / "scratch", ignore_errors=True)  # of a killed run: nobody else is working here
            with _lake_errors(settings.home):
                yield
    finally:
        lock.release()


@contextmanager
def _lake_errors(home: Path) -> Iterator[None]:
    """Explain a library's error over the lake's files, if one of them is not what was ingested."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] in LIBRARIES:
            lake.refuse_changed_files(home)
        raise


def belongs_to(home: Path, domain: Domain) -> None:
    """Raises UsageError if the home holds another domain, whose data would be mixed, or has another layout."""
    owner = home / OWNER
    if not owner.is_file():
        return
    found = read_model(owner, Owner)
    if (name := found.domain) != domain.name:
        raise UsageError(
            f"{home} holds the domain {name!r}, not {domain.name!r}",
            fix="set RISK_DOMAIN, or another RISK_HOME; RISK_HOME may contain {domain}",
        )
    if (layout := found.layout) != LAYOUT:
        raise UsageError(
            f"{home} has layout {layout}, this version of Dawnlist works with layout {LAYOUT}",
            fix="set RISK_HOME to a new folder, move landing/ and key there, and ingest and train again",
        )


def connect(settings: Settings) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB for reading Parquet: UTC, bounded memory, spilling inside the home."""
    spill = settings.home / "scratch" / "spill"
    con = duckdb.connect(
        config={
            "threads": settings.threads,
            "memory_limit": settings.memory_limit,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    con.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")  # our output may be JSON
    return con


def dbt_build(settings: Settings, variables: dict[str, Any]) -> dict[str, Any]:
    """Build and test every dbt model on the home's warehouse. Returns seconds and status per model.

    Raises BusyError when another process has the warehouse open, PipelineError naming the model that failed.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    os.environ.update(
        DAWNLIST_WAREHOUSE=str(settings.home / "warehouse.duckdb"),
        DAWNLIST_SPILL=str(settings.home / "scratch" / "spill"),
        DAWNLIST_THREADS=str(settings.threads),
        DAWNLIST_MEMORY_LIMIT=settings.memory_limit,
        DO_NOT_TRACK="1",
        DBT_SEND_ANONYMOUS_USAGE_STATS="false",
    )
    start_over_if_other_code_filled_it(settings.home)
    target = settings.home / "dbt"
    make_folder(target)
    arguments = ["build", "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    arguments += ["--target-path", str(target), "--log-path", str(target), "--log-level", "none", "--quiet"]
    arguments += ["--vars", json.dumps(variables), "--exclude-resource-type", "unit_test"]
    logging.getLogger("dbt").setLevel(logging.WARNING)
    try:
        result = dbtRunner().invoke(arguments)
    finally:
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        (target / "graph.gpickle").unlink(missing_ok=True)  # dbt writes it; we keep no pickles
    if isinstance(result.exception, Exception):
        _raise(str(result.exception), settings)
    if result.exception is not None:
        raise result.exception  # Ctrl-C
    nodes = getattr(result.result, "results", [])
    failed = [f"{node.node.name}: {(node.message or '').strip()}" for node in nodes if node.status in ("error", "fail")]
    if failed:
        _raise("\n".join(failed), settings)
    return {
        node.node.name: {"seconds": round(node.execution_time, 2), "status": str(node.status)}
        for node in nodes
        if node.node.resource_type == "model"
    }


def start_over_if_other_code_filled_it(home: Path) -> None:
    """Remove a warehouse that other SQL or another DuckDB filled: its columns or its keys may mean something else."""
    made_by = {"code": code_digest(), "duckdb": duckdb.__version__}
    if (home / MADE_BY).is_file() and read_json(home / MADE_BY) == made_by:
        return
    for path in home.glob("warehouse.duckdb*"):
        path.unlink()
    write_json(home / MADE_BY, made_by)


def _raise(message: str, settings: Settings) -> None:
    """Raise the error that dbt's message stands for."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if "Could not set lock on file" in message or "Conflicting lock" in message:
        raise BusyError("the warehouse file is open in another process", fix="close it; only dbt may open it")
    if "Out of Memory" in message:
        raise InputError("DuckDB ran out of memory", *lines[:3], fix="raise RISK_MEMORY_LIMIT")
    if any(words in message for words in FULL):
        raise UsageError("the disk is full", *lines[:3], fix="make room, then run the same command again")
    if any(words in message for words in DAMAGED):
        path = settings.home / "warehouse.duckdb"
        raise InputError(f"{path} is damaged", *lines[:3], fix=f"remove {path}*: the next run makes it again")
    raise PipelineError("dbt failed", *lines[:20], fix="this is a bug in dbt_project/, please report it")
