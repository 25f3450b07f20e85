"""One list, written for people (CSV), for programs (Parquet) and for the terminal. Its columns: entries.py."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.safe_text import one_line, safe_cell

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import RenderableType


def to_csv(table: "pa.Table") -> str:
    """The list as CSV, RFC 4180. A spreadsheet never runs its text as a formula, and no text breaks a line."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([safe_cell(name) for name in table.column_names])
    for row in table.to_pylist():
        writer.writerow([_cell(value) for value in row.values()])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return safe_cell(value) if isinstance(value, str) else value


def write_parquet(table: "pa.Table", path: Path) -> None:
    """Equal tables give equal bytes."""
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd", row_group_size=100_000, store_schema=False)


def render(table: "pa.Table", manifest: Mapping[str, Any], limit: int | None = None) -> "RenderableType":
    """The list as a table for a terminal. Names from outside are shown as text, never as markup or terminal codes."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    by_risk = manifest["ranked_by"] == "risk"
    title = f"Risk list of {manifest['day']}, {manifest['domain']['name']}"
    grid = Table(title=Text(title), title_justify="left")
    grid.add_column("#", justify="right")
    grid.add_column("account", overflow="fold")
    grid.add_column("risk" if by_risk else "surprise", justify="right")
    grid.add_column("why", overflow="fold", ratio=1)
    for row in table.slice(0, limit).to_pylist() if limit is not None else table.to_pylist():
        level = row["risk"] if by_risk else row["surprise_percentile"]
        reasons = [row[f"reason_{n}"] for n in (1, 2, 3) if row[f"reason_{n}"]]
        why = "\n".join(one_line(reason) for reason in reasons)
        shown = "" if level is None else f"{level:.1%}" if by_risk else f"top {max(1 - level, 0.0001):.2%}"
        grid.add_row(str(row["rank"]), Text(one_line(row["user_id"])), shown, Text(why))
    notes = [Text(_caption(manifest), style="dim")]
    notes += [Text(one_line(f"warning: {warning}"), style="yellow") for warning in manifest["warnings"]]
    if manifest.get("is_stale"):
        notes.insert(0, Text(f"STALE: {one_line(str(manifest['stale_why']))}", style="bold red"))
    return Group(grid, *notes)


def _caption(manifest: Mapping[str, Any]) -> str:
    cut, rows = manifest["cut"], manifest["rows"]
    parts = [f"{rows['listed']} of {rows['scored']} accounts", f"ranked by {manifest['ranked_by']}"]
    if manifest["ranked_by_why"]:
        parts[-1] += f" ({one_line(manifest['ranked_by_why'])})"
    if cut["expected_precision"] is not None:
        parts.append(f"expected precision {cut['expected_precision']:.0%}, at least {cut['min_precision']:.0%} asked")
    if rows["listed"] == 0:
        parts.append("nothing stood out: an empty list is an answer too")
    return "; ".join([*parts, f"revision {manifest['revision']}"])
