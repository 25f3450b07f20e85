"""The command line as a person meets it: what it prints, and how it ends."""

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
class Said:
    """How a command ended: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Home:
    """A home to run commands in, at a pretended time; everything they print is kept in `log`."""

    path: Path
    pack: Path | str = "shop"
    settings: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def environment(self, now: str | None, **settings: str) -> dict[str, str]:
        named = {"RISK_HOME": str(self.path), "RISK_DOMAIN": str(self.pack), "RISK_KEY": KEY, "RISK_LOCK_SECONDS": "0"}
        pretended = {"RISK_NOW": now} if now else {}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RISK_")}
        return {**kept, **named, **pretended, **self.settings, **settings}

    def says(self, *arguments: object, now: str | None = None, **settings: str) -> Said:
        """Run a command in this process, as `python -m pipeline` would."""
        from pipeline.cli import main

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
        said = Said(code, out.getvalue(), err.getvalue())
        self.log.append(f"$ {' '.join(given)}\n{said.out}{said.err}")
        return said

    def does(self, *arguments: object, now: str | None = None, **settings: str) -> Said:
        """Run a command that must succeed."""
        said = self.says(*arguments, now=now, **settings)
        assert said.code == 0, f"{arguments} ended with {said.code}:\n{said.out}{said.err}"
        return said

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


def is_told(said: Said, code: int, *words: str) -> bool:
    """The error is a few lines for people: what was wanted, what was found, what to do."""
    assert said.code == code, f"{said.code}: {said.out}{said.err}"
    assert "Traceback" not in said.out + said.err
    for word in words:
        assert word in said.err, f"{word!r} is not in {said.err!r}"
    return True
