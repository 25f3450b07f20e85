"""Build the features: one dbt run over a range of days, then one immutable snapshot per table and day.

Reads   lake/
Writes  snapshots/user_days, snapshots/event_tokens
Rerun   a day whose inputs have not changed is left as it is
"""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline import lake, snapshots
from pipeline.catalogue import code_digest
from pipeline.domain import ROLES, Domain
from pipeline.errors import InputError
from pipeline.features.identity import tokens_made_from, user_days_made_from
from pipeline.files import digest, scratch, sha256_of
from pipeline.receipt import Receipt
from pipeline.settings import Settings
from pipeline.warehouse import dbt_build, parquet_rows

WINDOW_DAYS = 28

TABLES = {"user_days": "fct_user_days", "event_tokens": "fct_event_tokens"}


def run(settings: Settings, domain: Domain, first: date, last: date, *, as_of: datetime) -> Receipt:
    """Make sure that every day `first`..`last` has its snapshots as seen at `as_of`.

    Event tokens are also made for those of the 27 days before that lack them: a window needs them.
    """
    if not lake.event_files(settings.home, None, last):
        raise InputError(f"no events up to {last} in {settings.home}", fix="dawnlist ingest --events PATH")
    days = _days(first, last)
    token_days = _days(first - timedelta(days=WINDOW_DAYS - 1), last)
    made_from = {
        "user_days": {day: user_days_made_from(settings.home, domain, day, as_of) for day in days},
        "event_tokens": {day: tokens_made_from(settings.home, domain, day, as_of) for day in token_days},
    }
    missing = {
        table: [day for day, inputs in wanted.items() if not snapshots.find(settings.home, table, day, digest(inputs))]
        for table, wanted in made_from.items()
    }
    built = len(missing["user_days"])
    details: dict[str, Any] = {"days_built": built, "days_unchanged": len(days) - built}
    if not any(missing.values()):
        return Receipt(step="features", day=last, details=details)

    user_day_range = missing["user_days"] or [last]
    with scratch(settings.home, "features") as folder:
        first_built, last_built = user_day_range[0], max(user_day_range[-1], (missing["event_tokens"] or [first])[-1])
        variables = _variables(settings, domain, as_of, first_built, last_built, folder)
        variables["token_first_day"] = str(min([first_built, *missing["event_tokens"]]))
        variables["event_files"] = _paths(settings, domain, date.fromisoformat(variables["token_first_day"]), variables)
        details["models"] = dbt_build(settings, variables)
        for table, absent in missing.items():
            for day in absent:
                aside = folder / f"{TABLES[table]}-{day}.parquet"
                inputs = made_from[table][day]
                snapshots.add(
                    settings.home,
                    aside,
                    snapshots.Snapshot(
                        table=table,
                        day=day,
                        id=digest(inputs),
                        as_of=as_of,
                        rows=parquet_rows(aside),
                        sha256=sha256_of(aside),
                        made_from=inputs,
                    ),
                )
    rows = [s.rows for day in days if (s := snapshots.newest(settings.home, "user_days", day, as_of))]
    details["user_days"] = sum(rows)
    return Receipt(step="features", day=last, details=details)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _variables(
    settings: Settings, domain: Domain, as_of: datetime, first: date, last: date, folder: Path
) -> dict[str, Any]:
    present = set(domain.event_types.values())
    return {
        "first_day": str(first),
        "last_day": str(last),
        "as_of": as_of.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "all_event_files": [str(settings.home / file.path) for file in lake.event_files(settings.home)],
        "label_files": [str(settings.home / file.path) for file in lake.label_files(settings.home)],
        "label_delay_days": domain.label_delay_days,
        "has_labels": domain.labels is not None,
        "roles": [role for role in ROLES if role in present],
        "timezone": domain.timezone,
        "window_days": WINDOW_DAYS,
        "export_folder": str(folder),
    }


def _paths(settings: Settings, domain: Domain, first: date, variables: dict[str, Any]) -> list[str]:
    """Files of the days this run reads: the window, and further back as far as the label history goes."""
    back = WINDOW_DAYS + domain.label_delay_days
    files = lake.event_files(settings.home, first - timedelta(days=back), date.fromisoformat(variables["last_day"]))
    return [str(settings.home / file.path) for file in files]


__all__ = ["code_digest", "run"]
