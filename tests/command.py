"""Runs the command line as a person would, and keeps what it printed."""

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq

KEY = "a-key-for-tests-that-nobody-may-see"


@dataclass(frozen=True)
class Result:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Home:
    """A home to run commands in, at a given time. `log` keeps all output."""

    path: Path
    pack: Path | str = "shop"
    settings: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def environment(self, now: str | None, **settings: str) -> dict[str, str]:
        named = {"RISK_HOME": str(self.path), "RISK_DOMAIN": str(self.pack), "RISK_KEY": KEY, "RISK_LOCK_SECONDS": "0"}
        pretended = {"RISK_NOW": now} if now else {}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RISK_")}
        return {**kept, **named, **pretended, **self.settings, **settings}

    def run(self, *arguments: object, now: str | None = None, **settings: str) -> Result:
        """Run a command in this process, as `python -m pipeline` would."""
        from pipeline.commands.cli import main

        out, err = io.StringIO(), io.StringIO()
        given = ["dawnlist", *map(str, arguments)]
        with (
            patch.dict(os.environ, self.environment(now, **settings), clear=True),
            patch.object(sys, "argv", given),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
        result = Result(code, out.getvalue(), err.getvalue())
        self.log.append(f"$ {' '.join(given)}\n{result.out}{result.err}")
        return result

    def run_ok(self, *arguments: object, now: str | None = None, **settings: str) -> Result:
        """Run a command that must succeed."""
        result = self.run(*arguments, now=now, **settings)
        assert result.code == 0, f"{arguments} ended with {result.code}:\n{result.out}{result.err}"
        return result

    def list_of(self, day: date) -> Path:
        return self.path / "lists" / f"day={day}"

    def rows(self, day: date) -> list[dict[str, Any]]:
        """The day's list as it was published."""
        return pq.ParquetFile(self.list_of(day) / "risk_list.parquet").read().to_pylist()

    def manifest(self, day: date) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.list_of(day) / "manifest.json").read_text())
        return manifest

    def bytes_of(self, *folders: str) -> dict[str, bytes]:
        """All files below some folders of the home, links followed; the name of each includes its folder."""
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for folder in folders
            for path in sorted((self.path / folder).rglob("*"))
            if path.is_file()
        }


def explains_failure(result: Result, code: int, *words: str) -> bool:
    """The command failed with this code, without a traceback, and its error has all these words."""
    assert result.code == code, f"{result.code}: {result.out}{result.err}"
    assert "Traceback" not in result.out + result.err
    for word in words:
        assert word in result.err, f"{word!r} is not in {result.err!r}"
    return True
