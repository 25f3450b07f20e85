"""What does one more day of a large shop cost, after a month of 1,000,000 events a day from 600,000 users?

    python benchmarks/million.py [--days 32] [--events 1000000] [--home DIR] [--once]

Prints seconds and peak memory of training on all days but two, of scoring the next, and of `dawnlist run` for the last.
Then, unless `--once`, of a day with twice the history. On the home it leaves, benchmarks/plain_sql.py compares the
features' SQL with one plain query. Events are drawn by hashing, so the files are the same every time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
from rich.console import Console
from rich.progress import track
from rich.table import Table

USERS = 600_000
LABELS = 1_000  # of each day, known ten days later
PACK = Path(__file__).resolve().parents[1] / "domains" / "shop.yml"
SESSION_EVENTS = 5  # on average
FIRST = date(2026, 6, 1)

# One row per event: `n` counts events, a session is some five of them. `u(x)` is uniform in 0..1.
EVENTS = """
create or replace macro u(n, salt) as (hash(n, salt) >> 11) / 9007199254740992.0;
copy (
    with events as (
        select
            n,
            n // {session_events} as session,
            cast({users} * power(u(n // {session_events}, '{day}'), 1.6) as bigint) as user_number
        from range({events}) as numbers(n)
    )
    select
        '{day}-' || n as event_id,
        'user' || user_number as user_id,
        strftime(
            timestamp '{day}'
            + to_milliseconds(cast(86399000 * (
                0.55 * u(session, 'hour{day}') + 0.45 * sqrt(u(session, 'evening{day}'))) * 0.999 as bigint))
            + to_milliseconds(cast(8000 * (n % {session_events}) * u(n, 'gap{day}') as bigint)),
            '%Y-%m-%dT%H:%M:%S.%gZ'
        ) as event_at,
        case
            when u(n, 'type{day}') < 0.62 then 'browse' when u(n, 'type{day}') < 0.74 then 'search'
            when u(n, 'type{day}') < 0.84 then 'cart' when u(n, 'type{day}') < 0.90 then 'purchase'
            when u(n, 'type{day}') < 0.97 then 'login' when u(n, 'type{day}') < 0.98 then 'review'
            when u(n, 'type{day}') < 0.99 then 'coupon' when u(n, 'type{day}') < 0.997 then 'payment_failure'
            else 'refund'
        end as event_type,
        'session{day}' || session as session_id,
        'item' || cast(200000 * power(u(n, 'item{day}'), 3) as bigint) as item_id,
        'category' || cast(150 * power(u(n, 'item{day}'), 2) as bigint) as category,
        case when user_number % 3 = 0 then 'app' else 'web' end as channel,
        case when event_type in ('purchase', 'refund', 'payment_failure', 'cart')
            then round(5 + 60 * -ln(1 - u(n, 'amount{day}')) * (1 + user_number % 7), 2) end as amount,
        'device' || user_number || '-' || cast(u(session, 'device{day}') < 0.1 as int) as device_id,
        '10.' || (user_number // 65536) || '.' || ((user_number // 256) % 256) || '.' || (user_number % 256 // 2)
            as ip,
        case when event_type in ('purchase', 'payment_failure') then 'card' || user_number end as payment_id,
        case when event_type = 'purchase' then 'address' || (user_number // 2) end as address_id,
        'seller' || cast(20000 * power(u(n, 'item{day}'), 2) as bigint) as counterparty_id
    from events
) to '{path}' ({format})
"""


# The purchases that turned out bad: drawn among each day's events by the same hashing.
BAD = """
copy (
    select
        'user' || cast({users} * power(u(n // {session_events}, '{day}'), 1.6) as bigint) as user_id,
        '{day}-' || n as event_id,
        '{day}T12:00:00Z' as happened_at,
        strftime(timestamp '{day}' + interval 10 day, '%Y-%m-%dT08:00:00Z') as known_at,
        true as is_bad
    from (select cast({events} * u(k, 'bad{day}') as bigint) as n from range({labels}) as numbers(k))
) to '{path}' (format csv, header)
"""


def write_day(con: duckdb.DuckDBPyConnection, day: date, events: int, path: Path) -> None:
    form = "format csv, header" if path.suffix == ".csv" else "format parquet, compression zstd"
    con.execute(
        EVENTS.format(users=USERS, events=events, session_events=SESSION_EVENTS, day=day, path=path, format=form)
    )
    bad = path.parents[1] / "labels" / f"{day}.csv"
    bad.parent.mkdir(exist_ok=True)
    drawn = dict(users=USERS, events=events, session_events=SESSION_EVENTS, day=day, labels=LABELS, path=bad)
    con.execute(BAD.format(**drawn))


def measured(home: Path, *arguments: str, memory: str = "2500MB") -> tuple[float, float, list[dict]]:
    """Wall seconds, peak GB and receipts of one command in a process of its own."""
    environment = {
        **os.environ,
        "RISK_HOME": str(home),
        "RISK_DOMAIN": str(home / "shop.yml"),
        "RISK_MEMORY_LIMIT": memory,
    }
    before = time.monotonic()
    command = [sys.executable, "-c", WRAPPER, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - before
    if done.returncode:
        console.print(done.stdout[-3000:], done.stderr[-3000:])
        raise SystemExit(f"dawnlist {' '.join(arguments)} ended with {done.returncode}")
    *_, peak = done.stderr.strip().splitlines()
    answers = json.loads(done.stdout)
    return seconds, float(peak) / 2**20, answers if isinstance(answers, list) else [answers]


# Runs the command in this very process and says how much memory it took at most, in kB.
WRAPPER = """
import resource, sys
from pipeline.commands.cli import main
sys.argv[0] = "dawnlist"
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=32)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, help="keep the home here and use what it holds already")
    parser.add_argument("--once", action="store_true", help="stop after the first of the two measured days")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench(options.home or Path(folder) / "home", options.days, options.events, options.once)


def bench(home: Path, days: int, events: int, once_only: bool) -> None:
    table = Table("what", "seconds", "peak GB")

    def row(what: str, *arguments: str) -> float:
        seconds, peak, answers = measured(home, *arguments)
        table.add_row(what, f"{seconds:.1f}", f"{peak:.2f}")
        console.print(f"{what}: {seconds:.1f} s, {peak:.2f} GB")
        for answer in answers:
            details = answer.get("details", {})
            console.print(answer["step"], details.get("model_seconds", ""), details.get("user_days", ""))
        return seconds

    def one_more(day: date) -> float:
        write_day(con, day, events, home / "landing" / "events" / f"{day}.csv")
        return row(f"one more day after {(day - FIRST).days}: dawnlist run, CSV in", "run", "--day", str(day), "--json")

    home.mkdir(parents=True, exist_ok=True)
    (home / "shop.yml").write_text(PACK.read_text().replace("delay_days: 30", "delay_days: 10"))
    con = duckdb.connect(config={"threads": 2})
    last = FIRST + timedelta(days=days - 1)
    history(con, home, 0, days - 2, events)
    row(f"ingest {days - 1} days", "ingest", "--history", "--json")
    before = str(last - timedelta(days=1))
    row(f"features of {days - 1} days", "features", "--from", str(FIRST), "--to", before, "--json")
    until = str(last - timedelta(days=2))
    row(f"train on {days - 2} days", "train", "--until", until, "--json")
    row(f"score {before}", "score", "--day", before, "--json")
    once = one_more(last)
    if not once_only:
        history(con, home, days, 2 * days - 2, events)
        row(f"ingest {days - 1} more days", "ingest", "--history", "--json")
        twice = last + timedelta(days=days)
        before = str(twice - timedelta(days=1))
        row("the day before, to have its window's tokens", "features", "--from", before, "--to", before, "--json")
        console.print(f"twice the history: {one_more(twice) / once:.2f} of the seconds")
    console.print(table)
    console.print(f"{events:,} events a day, {USERS:,} users, {os.cpu_count()} cores")


def history(con: duckdb.DuckDBPyConnection, home: Path, first: int, last: int, events: int) -> None:
    """Deliver days `first`..`last`, counted from 0, as Parquet."""
    landing = home / "landing" / "events"
    landing.mkdir(parents=True, exist_ok=True)
    for n in track(range(first, last + 1), "draw events", console=console, transient=True):
        path = landing / f"{FIRST + timedelta(days=n)}.parquet"
        if not path.exists():
            write_day(con, FIRST + timedelta(days=n), events, path)


console = Console(width=140)

if __name__ == "__main__":
    main()
