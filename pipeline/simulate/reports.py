"""How abuse becomes known: who reports it, how much later, and how often they are wrong."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa

from pipeline.domain import LABEL_COLUMNS
from pipeline.simulate.codes import Array, generator
from pipeline.simulate.expand import COUPON, Events
from pipeline.simulate.ordinary import Today
from pipeline.simulate.process import Process, Report
from pipeline.simulate.sessions import Sessions
from pipeline.simulate.tables import Named

WRONG_SHARE = 0.06  # honest user-days reported, against bad ones that happened
WITHDRAWN = 0.35  # of wrong reports, sooner or later
MISNAMED = 0.08  # typology the desk got wrong
MOST_EVENTS = 3  # of one user-day that a report names
SPREAD = 0.5  # of the log of the delay
WRONG = Report(1.0, (("chargeback", 0.35, 18), ("complaint", 0.35, 3), ("review_desk", 0.3, 5)))

SCHEMA = pa.schema([(name, pa.string()) for name in LABEL_COLUMNS])
Row = dict[str, str | None]


@dataclass
class Reports:
    """Labels not yet known, by the day on which they will be: state of a simulation."""

    waiting: dict[int, list[tuple[float, Row]]]

    def known(self, day: int) -> pa.Table:
        """What became known on a day, in the order in which it did."""
        rows = sorted(self.waiting.pop(day, []), key=lambda row: (row[0], str(row[1]["event_id"])))
        return pa.Table.from_pylist([row for _, row in rows], SCHEMA)


def report(
    reports: Reports,
    sessions: Sessions,
    events: Events,
    names: Named,
    processes: list[Process],
    today: Today,
    expected_bad: float,
) -> None:
    """Decide which of today's acts will be reported, by whom, and when."""
    rng = generator(today.seed, today.day, "reports")
    acted = np.flatnonzero(sessions.process > 0)
    rows_of = _rows_of(acted, events)
    is_bad = np.array([processes[number - 1].is_bad for number in sessions.process[acted]], dtype=bool)
    typologies = sorted({process.name for process in processes if process.is_bad})
    for visit in acted[is_bad]:
        process = processes[sessions.process[visit] - 1]
        found = process.report
        if found is None or rng.random() >= found.chance:
            continue
        wrong_name = rng.random() < MISNAMED
        typology = str(rng.choice(typologies)) if wrong_name else process.name
        _file(reports, found, rows_of[int(visit)], events, names, typology, today, rng)
    _wrong_reports(reports, acted[~is_bad], rows_of, events, names, processes, sessions, today, expected_bad)


def _rows_of(visits: Array, events: Events) -> dict[int, Array]:
    """The rows of these visits that a report would name: those about money and opinions, else any."""
    rows = np.flatnonzero(np.isin(events.visit, visits))
    found: dict[int, Array] = {}
    for visit, of_visit in _groups(events.visit[rows], rows):
        core = of_visit[events.step[of_visit] >= COUPON]
        found[visit] = (core if len(core) else of_visit)[-MOST_EVENTS:]
    return found


def _groups(keys: Array, rows: Array) -> list[tuple[int, Array]]:
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], rows[order]
    cuts = np.flatnonzero(np.diff(keys)) + 1
    return [(int(part[0]), of) for part, of in zip(np.split(keys, cuts), np.split(rows, cuts), strict=True) if len(of)]


def _wrong_reports(
    reports: Reports,
    innocent: Array,
    rows_of: dict[int, Array],
    events: Events,
    names: Named,
    processes: list[Process],
    sessions: Sessions,
    today: Today,
    expected_bad: float,
) -> None:
    """Honest users reported: mostly those who look like abuse, sometimes anyone. Some reports are withdrawn.

    From random numbers of its own, so that it is the same with and without abuse.
    """
    rng = generator(today.seed, today.day, "wrong reports")
    for _ in range(rng.poisson(WRONG_SHARE * expected_bad)):
        if len(innocent) and rng.random() < 0.75:
            visit = int(rng.choice(innocent))
            typology, rows = processes[sessions.process[visit] - 1].resembles, rows_of[visit]
        else:
            typology, rows = "", np.array([rng.integers(0, len(events))])
            if processes and sessions.process[events.visit[rows[0]]] > 0:
                continue
        delay = _file(reports, WRONG, rows[:1], events, names, typology, today, rng)
        if rng.random() < WITHDRAWN:
            later = delay + rng.lognormal(np.log(8), SPREAD)
            _write(reports, rows[:1], events, names, later, False, typology, "review_desk", today)


def _file(
    reports: Reports,
    how: Report,
    rows: Array,
    events: Events,
    names: Named,
    typology: str,
    today: Today,
    rng: np.random.Generator,
) -> float:
    """File a report on these events; the delay in days is returned."""
    weights = np.array([weight for _, weight, _ in how.sources])
    source, _, median = how.sources[int(rng.choice(len(weights), p=weights / weights.sum()))]
    delay = float(median * rng.lognormal(0, SPREAD))
    _write(reports, rows, events, names, delay, True, typology, source, today)
    return delay


def _write(
    reports: Reports,
    rows: Array,
    events: Events,
    names: Named,
    delay: float,
    is_bad: bool,
    typology: str,
    source: str,
    today: Today,
) -> None:
    last = names.midnight + timedelta(milliseconds=int(events.at[rows].max()))
    known_at = last + timedelta(days=delay)
    known_at = known_at.replace(microsecond=known_at.microsecond // 1000 * 1000)
    due = today.day + (known_at.date() - names.midnight.date()).days
    for row in rows.tolist():
        happened = names.midnight + timedelta(milliseconds=int(events.at[row]))
        label: Row = {
            "user_id": names.user_id[row].as_py(),
            "event_id": names.event_id[row].as_py(),
            "happened_at": f"{happened.isoformat(timespec='milliseconds')}Z",
            "known_at": f"{known_at.isoformat(timespec='milliseconds')}Z",
            "is_bad": "true" if is_bad else "false",
            "typology": typology or None,
            "source": source,
        }
        reports.waiting.setdefault(due, []).append((known_at.timestamp(), label))
