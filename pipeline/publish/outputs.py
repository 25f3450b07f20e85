"""One list, written for people (CSV), for programs (Parquet) and for the terminal. Its columns: entries.py."""

import csv
import io
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.publish.revisions import period_of
from pipeline.safe_text import one_line, safe_cell

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import RenderableType
    from rich.table import Table


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
    from rich.text import Text

    by_risk = manifest["ranked_by"] == "risk"
    grid = _grid("Risk list of", manifest)
    grid.add_column("risk" if by_risk else "surprise", justify="right")
    grid.add_column("why", overflow="fold", ratio=1)
    for row in _first(table, limit):
        level = _risk(row["risk"]) if by_risk else _surprise(row["surprise_percentile"])
        reasons = [row[f"reason_{n}"] for n in (1, 2, 3) if row[f"reason_{n}"]]
        why = "\n".join(one_line(reason) for reason in reasons)
        grid.add_row(*_first_cells(row, manifest), level, Text(why))
    return _with_notes(grid, manifest)


def render_ranking(ranking: "pa.Table", manifest: Mapping[str, Any], limit: int | None = None) -> "RenderableType":
    """All scored accounts in ranked order, as a table for a terminal, and which of them are on the list."""
    grid = _grid("Ranking behind the risk list of", manifest)
    for column in ("risk", "surprise"):
        grid.add_column(column, justify="right")
    grid.add_column("on the list")
    for row in _first(ranking, limit):
        levels = _risk(row["risk"]), _surprise(row["surprise_percentile"])
        listed = f"by {row['picked_by']}" if row["is_listed"] else "no"
        grid.add_row(*_first_cells(row, manifest), *levels, listed)
    return _with_notes(grid, manifest)


def _first(table: "pa.Table", limit: int | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.slice(0, limit).to_pylist() if limit is not None else table.to_pylist()
    return rows


def _grid(title: str, manifest: Mapping[str, Any]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    title = f"{title} {period_of(manifest)}, {manifest['domain']['name']}"
    grid = Table(title=Text(title), title_justify="left")
    grid.add_column("#", justify="right")
    grid.add_column("account", overflow="fold")
    if _is_of_several_days(manifest):
        grid.add_column("day")
    return grid


def _first_cells(row: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[Any]:
    from rich.text import Text

    cells = [str(row["rank"]), Text(one_line(row["user_id"]))]
    return [*cells, str(row["day"])] if _is_of_several_days(manifest) else cells


def _is_of_several_days(manifest: Mapping[str, Any]) -> bool:
    return "first_day" in manifest


def _risk(risk: float | None) -> str:
    return "" if risk is None else f"{risk:.1%}" if risk >= 0.01 else f"{100 * risk:.2g}%"


def _surprise(percentile: float | None) -> str:
    return "" if percentile is None else f"top {max(1 - percentile, 0.0001):.2%}"


def _with_notes(grid: "Table", manifest: Mapping[str, Any]) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    notes = [Text(_caption(manifest), style="dim")]
    notes += [Text(one_line(f"warning: {warning}"), style="yellow") for warning in manifest["warnings"]]
    if manifest.get("is_stale"):
        notes.insert(0, Text(f"STALE: {one_line(str(manifest['stale_why']))}", style="bold red"))
    return Group(grid, *notes)


def _caption(manifest: Mapping[str, Any]) -> str:
    cut, rows, words = manifest["cut"], manifest["rows"], in_words(manifest)
    picked = rows["picked"]
    parts = [f"{picked} of {rows['scored']} accounts", f"ranked by {manifest['ranked_by']}"]
    if manifest["ranked_by_why"]:
        parts[-1] += f" ({one_line(manifest['ranked_by_why'])})"
    if picked and "expected_bad" in words:
        which = f"of these {picked} accounts" if picked > 1 else "of this one account"
        parts.append(f"{which} we expect {words['expected_bad']} to be bad")
    if cut["expected_precision"] is not None:
        parts.append(f"expected precision {cut['expected_precision']:.0%}, at least {cut['min_precision']:.0%} asked")
    if picked == 0:
        parts.append("nothing stood out: an empty list is an answer too")
    if "next" in words:
        parts.append(f"next is {words['next']}")
    if rows["listed"] > picked:
        parts.append(f"{rows['listed'] - picked} more drawn at random, to measure what the list misses")
    return "; ".join([*parts, f"revision {manifest['revision']}"])


def in_words(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What a manifest's `cut` says of the list, for people: `expected_bad` and `next`, where it says so."""
    cut = manifest["cut"]
    words = {}
    if (bad := cut["expected_bad"]) is not None:
        words["expected_bad"] = str(bad["low"]) if bad["low"] == bad["high"] else f"{bad['low']} to {bad['high']}"
    if (below := cut["next"]) is not None:
        words["next"] = _next_in_words(below, cut["picked_slots"])
    return words


def _next_in_words(below: Mapping[str, Any], slots: int) -> str:
    """For example: rank 9 with risk 3.1%; min_precision 0.04 would fill all 20 slots."""
    setting = "min_precision" if "min_precision" in below else "false_alarms"
    level = _risk(below["risk"]) if "risk" in below else _surprise(below["surprise_percentile"])
    what = f"rank {below['rank']} with {'risk' if 'risk' in below else 'surprise'} {level or 'unknown'}"
    if below[setting] is None:
        return f"{what}; no {setting} would fill the list"
    plain = f"{Decimal(str(below[setting])):f}"  # YAML reads 1e-05 as text
    effect = f"fill all {slots} slots" if below["would_list"] == slots else f"list all {below['would_list']} accounts"
    return f"{what}; {setting} {plain} would {effect}"
