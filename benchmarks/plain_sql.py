"""How fast are dbt's features, beside one plain DuckDB query for the same cells?

    python benchmarks/plain_sql.py HOME

The plain query chains the compiled SQL of all models as common table expressions and writes user-days and tokens to
Parquet. It reads the table of first sightings from a copy; dbt maintains that table in its own run. Both use two
threads. dbt's run has 2.5 GB of memory; the plain query needs more and gets 8.
"""

import json
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import duckdb

RELATION = re.compile(r'"[^"]+"\."[^"]+"\."(\w+)"')
MEMORY = "int_first_seen"


def chain(home: Path) -> tuple[list[str], dict[str, str]]:
    """Models in an order in which each comes after those it reads, and their compiled SQL."""
    compiled = (home / "dbt" / "compiled").rglob("models/**/*.sql")
    models = {path.stem: path.read_text() for path in compiled if path.parent.suffix != ".yml"}  # there: data tests
    models.pop(MEMORY)
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order or name not in models:
            return
        for used in RELATION.findall(models[name]):
            visit(used)
        order.append(name)

    for name in sorted(models):
        visit(name)
    return order, {name: RELATION.sub(r"\1", sql).strip().rstrip(";") for name, sql in models.items()}


def plain_seconds(home: Path, memory_limit: str = "8GB") -> float:
    """Seconds of the one plain query that ends in both marts, on a copy of the warehouse's memory."""
    order, models = chain(home)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        copy = Path(folder) / "memory.duckdb"
        shutil.copy(home / "warehouse.duckdb", copy)
        config = {"threads": 2, "memory_limit": memory_limit, "temp_directory": str(Path(folder) / "spill")}
        with duckdb.connect(config=config) as con:
            con.execute("set TimeZone = 'UTC'")
            con.execute(f"attach '{copy}' as remembered (read_only)")
            con.execute(f"create view {MEMORY} as from remembered.main.{MEMORY}")
            ctes = ",\n".join(f"{name} as (\n{models[name]}\n)" for name in order)
            before = time.monotonic()
            for mart, by in (("fct_user_days", "user_id"), ("fct_event_tokens", "user_id, event_at, event_id")):
                con.execute(
                    f"copy (with {ctes} select * from {mart} order by {by}) to '{folder}/{mart}.parquet' "
                    "(format parquet, compression zstd)"
                )
            return time.monotonic() - before


def dbt_seconds(home: Path) -> float:
    """Seconds dbt spent in models, tests and exports in its last run: start-up and parsing left out."""
    results = json.loads((home / "dbt" / "run_results.json").read_text())["results"]
    return float(sum(result["execution_time"] for result in results))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("skipped: name the home of a run, such as the one benchmarks/million.py --home HOME leaves")
        sys.exit(0)
    home = Path(sys.argv[1])
    ours, plain = dbt_seconds(home), plain_seconds(home)
    print(f"dbt's models, tests and exports {ours:.1f} s, one plain query {plain:.1f} s, ratio {ours / plain:.2f}")
