"""A little shop with 60 accounts, a few of them odd: what they do each day, and what is found out about it later.

Every day is drawn from its own seed, so it is the same whichever days are made. The shop is closed on Sundays.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pipeline.settings import PROJECT

FIRST = date(2026, 1, 5)  # a Monday
ORDINARY = [f"ann-{n:02}" for n in range(50)]
ODD = [f"zed-{n:02}" for n in range(10)]
CATEGORIES = ("books", "toys", "garden", "shoes", "music")
COLUMNS = (
    *("event_id", "user_id", "event_at", "event_type", "session_id", "item_id", "category", "channel"),
    *("amount", "quantity", "device_id", "ip", "payment_id", "address_id"),
)
LABEL_COLUMNS = ("user_id", "event_id", "happened_at", "known_at", "is_bad", "typology", "source")
LABEL_DELAY_DAYS = 7

Row = dict[str, Any]


def day(n: int) -> date:
    """The n-th day, from 0."""
    return FIRST + timedelta(days=n)


def morning_after(n: int) -> str:
    """When the n-th day's list is made: four in the morning, UTC."""
    return f"{day(n + 1)}T04:00:00+00:00"


def events_of(n: int, accounts: Iterable[str] | None = None) -> list[Row]:
    """Events of the n-th day in the order of time."""
    today = day(n)
    if today.weekday() == 6:
        return []
    rows: list[Row] = []
    for account in [*ORDINARY, *ODD] if accounts is None else accounts:
        random = Random(f"{account} {today}")
        if is_bad(account, n):
            rows += _takeover(account, today, random) if int(account[-1]) % 2 else _refunds(account, today, random)
        elif random.random() < 0.8:
            rows += _visit(account, today, random)
    rows.sort(key=lambda row: (row["event_at"], row["user_id"]))
    return [{"event_id": f"{today:%m%d}-{place:04}", **row} for place, row in enumerate(rows)]


def is_bad(account: str, n: int) -> bool:
    """Odd accounts are ordinary on most days, too."""
    return account in ODD and (n + 3 * ODD.index(account)) % 9 == 0 and day(n).weekday() != 6


def labels_of(n: int) -> list[Row]:
    """Chargebacks of the n-th day's bad events; they become known 4 to 6 days later."""
    return [
        {
            "user_id": row["user_id"],
            "event_id": row["event_id"],
            "happened_at": row["event_at"],
            "known_at": row["event_at"] + timedelta(days=4 + int(row["user_id"][-1]) % 3),
            "is_bad": True,
            "typology": "takeover" if int(row["user_id"][-1]) % 2 else "refund_abuse",
            "source": "chargeback",
        }
        for row in events_of(n)
        if is_bad(row["user_id"], n) and row["event_type"] in ("purchase", "refund")
    ]


def _visit(account: str, today: date, random: Random) -> list[Row]:
    """Log in, look around in the usual corner, perhaps buy at the usual price."""
    number = int(account[-2:])
    at = datetime.combine(today, datetime.min.time()) + timedelta(hours=8 + number % 12, minutes=random.randrange(50))
    session = f"s{random.randrange(10**9):09}"
    rows = []
    for step in ["login", *["browse"] * random.randrange(2, 6), *["search"] * random.randrange(2), "cart", "purchase"]:
        category = CATEGORIES[number % 5] if random.random() < 0.9 else random.choice(CATEGORIES)
        price = round(10 * (1 + number % 4) * random.lognormvariate(0, 0.15), 2)
        rows.append(
            {
                **_known(account),
                "event_at": at,
                "event_type": step,
                "session_id": session,
                "item_id": None if step == "login" else f"{category}-{random.randrange(30):02}",
                "category": None if step == "login" else category,
                "channel": "web" if number % 3 else "app",
                "amount": price if step == "purchase" else None,
                "quantity": 1 if step == "purchase" else None,
            }
        )
        at += timedelta(seconds=20 + random.randrange(160))
        if step == "cart" and random.random() < 0.4:
            break
    return rows


def _known(account: str) -> Row:
    """The account's own things. Devices, addresses and means of payment must not be found in anything we write."""
    number = int(account[-2:]) + (60 if account in ODD else 0)
    return {
        "user_id": account,
        "device_id": f"Galaxy-SN-{number:05}",
        "ip": f"10.77.{number}.9",
        "payment_id": f"4929-0000-1111-{number:04}",
        "address_id": f"{number} Elm Street",
    }


def _takeover(account: str, today: date, random: Random) -> list[Row]:
    """At night, from a device never seen: failed payments, then a few large purchases in quick succession."""
    at = datetime.combine(today, datetime.min.time()) + timedelta(hours=3, minutes=random.randrange(40))
    stolen = {
        **_known(account),
        "device_id": f"Burner-{random.randrange(10**6):06}",
        "ip": f"198.51.{random.randrange(100)}.{random.randrange(250)}",
        "payment_id": f"5500-0000-2222-{random.randrange(10**4):04}",
    }
    rows = []
    for step in ["login", "payment_failure", "payment_failure", "payment_failure", "purchase", "purchase", "purchase"]:
        amount = round(random.uniform(400, 900), 2)
        rows.append(
            {
                **stolen,
                "event_at": at,
                "event_type": step,
                "session_id": "s-night",
                "item_id": None if step == "login" else "garden-99",
                "category": None if step == "login" else "garden",
                "channel": "app",
                "amount": None if step == "login" else amount,
                "quantity": 3 if step == "purchase" else None,
            }
        )
        at += timedelta(seconds=4)
    return rows


def _refunds(account: str, today: date, random: Random) -> list[Row]:
    """An ordinary visit, then refund after refund."""
    rows = _visit(account, today, random)
    at = rows[-1]["event_at"]
    for n in range(1, 9):
        amount = round(random.uniform(80, 200), 2)
        refund = {"event_type": "refund", "amount": amount, "quantity": None, "event_at": at + timedelta(seconds=7 * n)}
        rows.append({**rows[0], "item_id": f"shoes-{n:02}", "category": "shoes", **refund})
    return rows


def write(path: Path, rows: list[Row], columns: Iterable[str] = COLUMNS) -> Path:
    """A delivered file; its name says which format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(columns)
    if path.suffix == ".parquet":
        pq.write_table(pa.table({name: [row[name] for row in rows] for name in columns}), path)
        return path
    if path.suffix == ".jsonl":
        kept = ({name: row[name] for name in columns if row[name] is not None} for row in rows)
        text = "".join(json.dumps(row, default=datetime.isoformat) + "\n" for row in kept)
    else:
        out = io.StringIO()
        lines = csv.DictWriter(out, columns, extrasaction="ignore")
        lines.writeheader()
        lines.writerows(rows)
        text = out.getvalue()
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())
    return path


def deliver(home: Path, n: int, rows: list[Row] | None = None, name: str = "") -> Path:
    """The n-th day's events, or `rows` instead, into landing/: another format each day."""
    kind = ("csv", "csv.gz", "jsonl", "parquet")[n % 4]
    return write(home / "landing" / "events" / f"{name or day(n)}.{kind}", events_of(n) if rows is None else rows)


def deliver_labels(home: Path, first: int, last: int, known_before: int | None = None) -> Path:
    """Labels of the days `first`..`last` into landing/, if need be only those known before the n-th day."""
    rows = [row for n in range(first, last + 1) for row in labels_of(n)]
    if known_before is not None:
        rows = [row for row in rows if row["known_at"].date() < day(known_before)]
    return write(home / "landing" / "labels" / f"{day(first)}-{day(last)}.csv", rows, LABEL_COLUMNS)


def history(folder: Path, last: int) -> list[Path]:
    """All events of the days 0..`last`, as three files of three formats."""
    parts: dict[str, list[Row]] = {"january.csv": [], "february.jsonl": [], "rest.parquet": []}
    for n in range(last + 1):
        parts[list(parts)[n % 3]] += events_of(n)
    return [write(folder / name, rows) for name, rows in parts.items()]


def pack(folder: Path, **changes: Any) -> Path:
    """The shop's domain pack, with labels that mature within a week and a team that reviews eight accounts a day."""
    content: Mapping[str, Any] = yaml.safe_load((PROJECT / "domains" / "shop.yml").read_text())
    small = {"labels": {"delay_days": LABEL_DELAY_DAYS}, "list_size": 8, "false_alarms": 2.4, **changes}
    path = folder / "shop.yml"
    path.write_text(yaml.safe_dump({**content, **small}))
    return path


def verdicts(path: Path, n: int, listed: list[str]) -> Path:
    """What the analysts found out by noon of the day after: a CSV as they fill it in."""
    lines = ["day,user_id,verdict,typology,note,analyst,decided_at"]
    for account in listed:
        found = "confirmed,takeover" if is_bad(account, n) else "dismissed,"
        lines.append(f"{day(n)},{account},{found},called the customer,ana,{day(n + 1)}T12:00:00Z")
    path.write_text("\n".join(lines) + "\n")
    return path
