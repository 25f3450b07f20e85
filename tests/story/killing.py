"""Runs commands and kills them (SIGKILL) at a chosen point. Started as a process of its own by test_kills.py.

Everything heavy is imported once; each command then is a fork, as fresh as a new process. Reads one JSON object a
line: {"arguments", "environment", "log", "point"}; answers each with {"signal", "code"}. A point is one of

    before|after rename PATTERN    a file or folder, whose target matches PATTERN, goes into its place
    before|after call MODULE:NAME  a function of ours is called, returns
    half line MODULE               half a line has been added to a ledger that MODULE writes
    dbt MODEL                      dbt has finished a model
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(point: str) -> None:
    when, what, *where = point.split(" ", 2)
    if when == "half":
        _half_line(where[0])
    elif when == "dbt":
        _dbt(what)
    elif what == "rename":
        for name in ("rename", "replace"):
            setattr(Path, name, _at_rename(getattr(Path, name), when, where[0]))
    else:
        module, _, name = where[0].partition(":")
        found: Any = importlib.import_module(module)
        *outer, name = name.split(".")
        for part in outer:
            found = getattr(found, part)
        setattr(found, name, _at_call(getattr(found, name), when))


def _at_rename(real: Callable[..., Path], when: str, pattern: str) -> Callable[..., Path]:
    def rename(self: Path, target: Path) -> Path:
        if not fnmatch(str(target), f"*/{pattern}"):
            return real(self, target)
        if when == "after":
            real(self, target)
        die()
        raise AssertionError("alive")

    return rename


def _at_call(real: Callable[..., Any], when: str) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> None:
        if when == "after":
            real(*arguments, **named)
        die()

    return call


def _half_line(module: str) -> None:
    def append_line(path: Path, value: Any) -> None:
        line = json.dumps(value, sort_keys=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(line[: len(line) // 2])
        die()

    importlib.import_module(module).append_line = append_line  # type: ignore[attr-defined]


def _dbt(model: str) -> None:
    from dbt.cli import main

    real = main.dbtRunner

    def watch(event: Any) -> None:
        if event.info.name == "NodeFinished" and event.data.node_info.node_name == model:
            die()

    main.dbtRunner = lambda: real(callbacks=[watch])  # type: ignore[assignment, misc]


def run(order: dict[str, Any]) -> None:
    """In the fork: become the command."""
    os.environ.clear()
    os.environ.update(order["environment"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if order["point"]:
        kill_at(order["point"])
    sys.argv = ["dawnlist", *order["arguments"]]
    from pipeline.commands.cli import main

    main()


def main() -> None:
    import dbt.adapters.duckdb
    import dbt.cli.main
    import great_expectations
    import sklearn.linear_model
    import torch
    import xgboost

    import expectations  # noqa: F401

    assert all((dbt.adapters.duckdb, dbt.cli.main, great_expectations, sklearn.linear_model, torch, xgboost))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                run(order)
            except SystemExit as end:
                sys.stdout.flush()
                os._exit(end.code if isinstance(end.code, int) else 1)
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(child, 0)
        ended = os.waitstatus_to_exitcode(status)
        print(json.dumps({"signal": -ended if ended < 0 else None, "code": ended if ended >= 0 else None}), flush=True)


if __name__ == "__main__":
    main()
