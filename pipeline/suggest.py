"""Suggest: settings that fit a home's data, by rules that anybody can check. Changes nothing.

Reads   lake/
Writes  nothing
"""

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from math import ceil
from statistics import median, median_low
from typing import Any

import duckdb

from pipeline.context import Run
from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.metrics import reporting_delay
from pipeline.models.labels import known_bad_user_days
from pipeline.receipt import Receipt
from pipeline.settings import LEAST_BAD_LABELS, TRAIN_DAYS, Settings
from pipeline.sql import parquet
from pipeline.storage import lake
from pipeline.warehouse import connect

WEEK = 7
RECENT_DAYS = 28
MANY_ACTIVE = 100  # accounts a day: then a daily list is a small part of them
LEAST_LIST = 10  # accounts: a smaller list has no slot for an audit row
LISTED_SHARE = 0.1  # of the active accounts
BETTER_THAN_CHANCE = 2
PRECISIONS = (0.01, 0.2)  # the least and the most that is suggested
FEWEST_AGES = 20  # bad user-days that say how late labels come
KNOWN_BY_THEN = 0.95  # of the labels, when delay_days are over
LONGEST_DELAY = 365  # days
LATE = 7  # days: a shorter delay is waited for
PLENTY = 200  # bad user-days to learn from
USUAL_WINDOW = int(Settings.model_fields["train_days"].default)
BAD_LABELS = (LEAST_BAD_LABELS, int(Settings.model_fields["min_bad_labels"].default))  # the least and the most


@dataclass(frozen=True)
class BadDay:
    """A user-day that is known to be bad. Both in days: how old it is now, and how old it was when it became known."""

    age: int
    known_after: int


@dataclass(frozen=True)
class Facts:
    """What a home's data says. `days`: from the first day with events to the last, `until`.

    `active_a_day` and `active_a_week`: accounts on a usual day and in a usual week of the last four.
    """

    until: date
    days: int
    user_days: int
    active_a_day: int
    active_a_week: int
    bad_accounts: int
    bad_days: tuple[BadDay, ...]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "until": str(self.until), "bad_days": len(self.bad_days)}


@dataclass(frozen=True)
class Suggestion:
    """A setting, and why. A key in small letters belongs into the pack, `RISK_…` into the environment."""

    key: str
    value: str
    why: str


def run(run: Run) -> Receipt:
    """Suggest settings from the events and labels known at the end of the run's day."""
    facts = read_facts(run)
    suggestions = [asdict(suggestion) for suggestion in suggest(facts, run.domain)]
    return Receipt(step="suggest", day=facts.until, details={**facts.to_dict(), "suggestions": suggestions})


def suggest(facts: Facts, pack: Domain) -> list[Suggestion]:
    """One suggestion for each setting; those of labels only for a pack with labels. A pure function."""
    every, why_every = _list_every(facts)
    delay, why_delay = _delay_days(facts, pack)
    window, why_window = _train_days(facts, delay)
    suggestions = [
        Suggestion("list_every", "1 day" if every == 1 else f"{every} days", why_every),
        Suggestion("list_size", *_list_size(facts, pack, every)),
        Suggestion("min_precision", *_min_precision(facts, pack)),
        Suggestion("labels.delay_days", str(delay), why_delay),
        Suggestion("labels.learn_at", *_learn_at(facts, delay)),
        Suggestion("RISK_TRAIN_DAYS", str(window), why_window),
        Suggestion("RISK_MIN_BAD_LABELS", *_min_bad_labels(sum(delay <= bad.age < window for bad in facts.bad_days))),
    ]
    return [each for each in suggestions if pack.labels is not None or not each.key.startswith("labels.")]


def _list_every(facts: Facts) -> tuple[int, str]:
    active = f"{facts.active_a_day:,} accounts are active on a usual day"
    if facts.active_a_day >= MANY_ACTIVE:
        return 1, f"{active}: enough to rank them day by day"
    return WEEK, f"{active}, fewer than {MANY_ACTIVE}: a week has more to choose from"


def _list_size(facts: Facts, pack: Domain, every: int) -> tuple[str, str]:
    active, period = (facts.active_a_day, "day") if every == 1 else (facts.active_a_week, "week")
    wanted = max(LEAST_LIST, ceil(active * LISTED_SHARE))
    why = f"a tenth of the {active:,} accounts active in a usual {period}, and at least {LEAST_LIST}"
    capacity = max(1, pack.list_size * every // pack.list_every)
    if wanted > capacity:
        return str(capacity), f"as many as the team reviews; {why} would be more"
    return str(wanted), why


def _min_precision(facts: Facts, pack: Domain) -> tuple[str, str]:
    known = len(facts.bad_days)
    if known < BAD_LABELS[0]:
        return f"{pack.min_precision:g}", f"as it is: only {known} bad user-days are known yet"
    share = min(1.0, known / facts.user_days / pack.reported_share)
    least, most = PRECISIONS
    value = min(most, max(least, float(f"{BETTER_THAN_CHANCE * share:.2g}")))
    reported = f", if {pack.reported_share:.0%} of what is bad is reported" if pack.reported_share < 1 else ""
    limits = f"; between {least} and {most}" if value in PRECISIONS else ""
    return f"{value:g}", f"twice the share of user-days that are bad, {share:.2%}{reported}{limits}"


def _delay_days(facts: Facts, pack: Domain) -> tuple[int, str]:
    longest = max((bad.known_after for bad in facts.bad_days), default=0)
    # Of younger days the late labels have not come yet.
    ages = sorted(bad.known_after for bad in facts.bad_days if bad.age >= longest)
    if len(ages) < FEWEST_AGES:
        why = f"as it is: {len(ages)} bad user-days are old enough to say how late labels come, {FEWEST_AGES} needed"
        return pack.label_delay_days, why
    delay = min(max(ages[ceil(KNOWN_BY_THEN * len(ages)) - 1], 1), LONGEST_DELAY)
    return delay, f"{KNOWN_BY_THEN:.0%} of {len(ages):,} labels came within {delay} days"


def _learn_at(facts: Facts, delay: int) -> tuple[str, str]:
    ages = [bad.known_after for bad in facts.bad_days if bad.age >= delay]
    if delay <= LATE:
        return "1", f"{delay} days are short enough to wait for all labels"
    if len(ages) < reporting_delay.FEWEST:
        why = f"{len(ages)} matured bad user-days do not say which share is known when, {reporting_delay.FEWEST} needed"
        return "1", why
    return "0.5", f"half of the labels are known after {median_low(ages)} days"


def _train_days(facts: Facts, delay: int) -> tuple[int, str]:
    least, most = TRAIN_DAYS
    matured = sorted(bad.age for bad in facts.bad_days if bad.age >= delay)
    history = min(max(facts.days, least), most)
    if len(matured) < PLENTY:
        known = f"{len(matured)} matured bad user-days are known, and {PLENTY} would be plenty"
        return history, f"all {history} days there are: {known}"
    window = min(max(matured[PLENTY - 1] + 1, USUAL_WINDOW), history)
    return window, f"so many days hold {PLENTY} matured bad user-days"


def _min_bad_labels(usable: int) -> tuple[str, str]:
    least, most = BAD_LABELS
    if usable < least:
        return str(least), f"the least; {usable} are there yet, and until then surprise ranks the list"
    value = min(max(usable // 2, least), most)
    return str(value), f"half of the {usable} matured bad user-days of these days, between {least} and {most}"


def read_facts(run: Run) -> Facts:
    """Raises InputError without events."""
    files = lake.event_files(run.home, run.day - timedelta(days=TRAIN_DAYS[1]), run.day)
    with connect(run.settings) as con:
        if files:
            con.execute(
                f"""
                create temp table active as
                select distinct user_id, cast(event_at as date) as event_day
                from {parquet([run.home / file.path for file in files])}
                where arrived_at <= $as_of
                """,
                {"as_of": run.as_of.replace(tzinfo=None)},
            )
            if (facts := _facts(con, run)) is not None:
                return facts
    raise InputError(f"no events up to {run.day} in {run.home}", fix="dawnlist ingest --events PATH")


def _facts(con: duckdb.DuckDBPyConnection, run: Run) -> Facts | None:
    [(first, until, user_days)] = con.execute("select min(event_day), max(event_day), count(*) from active").fetchall()
    if not user_days:
        return None
    con.register("bad", known_bad_user_days(con, run.home, run.day, run.as_of))
    bad = con.execute(
        "select user_id, $until - event_day, cast(known_at as date) - event_day "
        "from bad semi join active using (user_id, event_day)",
        {"until": until},
    ).fetchall()
    return Facts(
        until=until,
        days=(until - first).days + 1,
        user_days=user_days,
        active_a_day=_usual(con, until, 1),
        active_a_week=_usual(con, until, WEEK),
        bad_accounts=len({user for user, _, _ in bad}),
        bad_days=tuple(sorted((BadDay(age, max(after, 0)) for _, age, after in bad), key=lambda day: day.age)),
    )


def _usual(con: duckdb.DuckDBPyConnection, until: date, every: int) -> int:
    """Accounts active within `every` days: the median of the last four weeks. Days without events do not count."""
    rows = con.execute(
        "select count(distinct user_id) from active where $until - event_day < $recent "
        "group by ($until - event_day) // $every",
        {"until": until, "recent": RECENT_DAYS, "every": every},
    ).fetchall()
    return int(median(count for (count,) in rows))


def in_lines(suggestions: list[dict[str, str]]) -> list[str]:
    """The suggestions as lines of a pack, and after them as lines of a shell. Each has its reason as a comment."""
    pack = [each for each in suggestions if not each["key"].startswith(Settings.model_config["env_prefix"])]
    lines = ["# in the pack"]
    block = ""
    for each in pack:
        parent, _, key = each["key"].rpartition(".")
        if parent != block:
            lines.append(f"{parent}:")
            block = parent
        lines.append(f"{'  ' if parent else ''}{key}: {each['value']}  # {each['why']}")
    environment = [each for each in suggestions if each not in pack]
    return [*lines, "# in the environment", *(f"{e['key']}={e['value']}  # {e['why']}" for e in environment)]
