"""A year of lists on real invoice lines: one per trading day from 2011-01-10 on, retrained monthly.

    python benchmarks/retail.py [--home DIR] [--write docs/retail.md]

The set has no labels, so a person judges the list: the twenty highest user-days of the year are printed with their
reasons and raw lines. Needs $RISK_DATASETS/retail.
"""

import argparse
import json
import tempfile
import time
from calendar import monthrange
from datetime import date, timedelta
from pathlib import Path

import duckdb
from datasets import dataset
from rich.console import Console
from rich.progress import track

from pipeline import daily
from pipeline.errors import CheckpointFailedError
from pipeline.storage import lake

FIRST, LAST = date(2011, 1, 10), date(2011, 12, 9)
SHOWN = 20
KNOWN = {
    ("2011-12-09", "16446"): "80,995 pieces bought and cancelled, £168,469.60",
    ("2011-01-18", "12346"): "74,215 pieces bought and cancelled, £77,183.60",
    ("2011-06-10", "15098"): "£38,970.00 for 60 picnic baskets at £649.50 each",
}


def month_ends() -> list[date]:
    return [date(2011, month, monthrange(2011, month)[1]) for month in range(1, 12)]


def run_year(home: Path, source: Path) -> dict[str, object]:
    """Load everything, then each day in turn; a new bundle after each month's last day. Returns what it took."""
    given = {"home": home, "domain": "retail"}
    receipt = daily.ingest_events(given, events=[source / "online_retail.parquet"], history=True)["ingested"]
    counts = {name: receipt[name] for name in ("read", "accepted", "refused", "duplicates")}
    console.print(counts, receipt["details"]["reasons"])
    daily.build_features(given | {"day": LAST}, date(2010, 12, 1))
    rows = {file.event_day for file in lake.event_files(home, FIRST, LAST)}
    trading = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1) if FIRST + timedelta(days=n) in rows]
    refused, decisions = {}, []
    due = [FIRST - timedelta(days=1), *month_ends()]
    for day in track(trading, "lists", console=console):
        while due and due[0] < day:
            bundle = daily.train_challenger(given | {"day": due.pop(0)})["details"]["bundle"]
            decisions.append(daily.promote_if_better(given, bundle)["details"])
        run = given | {"day": day}
        try:
            daily.check_day(run)
        except CheckpointFailedError as error:
            refused[day] = [line.split(":")[0].strip() for line in error.found]
            daily.check_day(run | {"accept": refused[day]})  # as a person would who has looked at it
        daily.score_users(run)
        daily.publish_list(run)
    return {
        "trading_days": len(trading),
        "refused": {str(day): names for day, names in refused.items()},
        "decisions": decisions,
    }


def listed(home: Path) -> duckdb.DuckDBPyConnection:
    """All picked rows as one table `listed`, the year's highest first: by nats, which short months bound less."""
    con = duckdb.connect()
    con.execute(
        f"""create table listed as
            select lists.*, score_surprise as surprise from read_parquet('{home}/lists/revisions/*/*/risk_list.parquet',
                union_by_name = true, hive_partitioning = false) lists
            where picked_by <> 'audit'
            order by surprise desc, day, user_id"""
    )
    return con


def known_oddities(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Where the lists have them: of the day, and of all listed user-days of the year."""
    lines = []
    for (day, user), what in KNOWN.items():
        found = con.sql(
            f"""select rank, place, surprise
                from (select *, row_number() over (order by surprise desc) as place from listed)
                where day = date '{day}' and user_id = '{user}'"""
        ).fetchall()
        where = "not listed" if not found else "rank {} of its day, {} of the year ({:.1f} nats)".format(*found[0])
        lines.append(f"- {day}, customer {user}, {what}: {where}")
    return lines


def as_markdown(con: duckdb.DuckDBPyConnection, source: Path, found: dict[str, object]) -> str:
    """The year in a page: what was listed, and the highest user-days beside their raw lines."""
    days, accounts = con.sql("select count(distinct day), count(*) from listed").fetchall()[0]
    lines = [
        "# A year of real invoice lines",
        "",
        "Made by `python benchmarks/retail.py --write docs/retail.md` from Online Retail (UCI): one list per trading",
        "day from 2011-01-10 on, retrained after each month. There are no labels: the page is for looking.",
        "",
        f"{found['trading_days']} trading days, {len(found['refused'])} failed a checkpoint, then accepted by hand",
        f"({', '.join(found['refused']) or 'none'}), {days} lists with anyone on them, {accounts} rows.",
        "",
        "## The oddities that anyone who studies this year knows",
        "",
        *known_oddities(con),
        "",
        f"## The {SHOWN} highest user-days",
        "",
    ]
    rows = con.sql(
        f"select day, user_id, surprise_percentile, surprise, reason_1, reason_2, reason_3 from listed limit {SHOWN}"
    ).fetchall()
    for place, (day, user, percentile, surprise, *reasons) in enumerate(rows, start=1):
        raw = con.sql(
            f"""select count(*), count(*) filter (where quantity < 0), max(abs(quantity)),
                    max(abs(quantity * unit_price)), sum(quantity * unit_price),
                    arg_max(invoice_no || ' ' || coalesce(description, '') || ', ' || quantity || ' x ' || unit_price,
                        abs(quantity * unit_price))
                from '{source / "online_retail.parquet"}'
                where customer_id = {int(user)}
                    and cast((invoice_at at time zone 'Europe/London') at time zone 'UTC' as date) = date '{day}'"""
        ).fetchall()[0]
        lines += [
            f"{place}. **{day}, customer {user}** (surprise {surprise:.1f} nats, percentile {percentile:.4f})",
            *[f"   - {reason}" for reason in reasons if reason],
            f"   - *raw:* {raw[0]} lines, {raw[1]} negative, largest {raw[2]:,} pieces, largest line £{raw[3]:,.2f}, "
            f"net £{raw[4]:,.2f}; largest line: {raw[5].strip()}",
        ]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="keep the home here")
    parser.add_argument("--write", type=Path, help="write the page here")
    options = parser.parse_args()
    source = dataset("retail")
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "home"
        before = time.monotonic()
        found = run_year(home, source)
        seconds = time.monotonic() - before
        with listed(home) as con:
            page = as_markdown(con, source, found)
            console.print(page, markup=False)
            console.print(json.dumps(found, default=str, indent=1)[:6000], markup=False)
        console.print(f"the whole year took {seconds:.0f} s")
        if options.write:
            options.write.write_text(page)


console = Console(width=140)

if __name__ == "__main__":
    main()
