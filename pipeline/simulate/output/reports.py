"""How abuse becomes known: who reports it, how much later, and how often they are wrong."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa

from pipeline.domain import LABEL_COLUMNS
from pipeline.simulate.campaigns.process import Process
from pipeline.simulate.output.tables import EventIds
from pipeline.simulate.typologies import TYPOLOGIES
from pipeline.simulate.visits.events import COUPON, Events
from pipeline.simulate.visits.ordinary import Today
from pipeline.simulate.visits.sessions import Sessions
from pipeline.simulate.world.codes import Array, generator

WITHDRAWN_WRONG, WITHDRAWN_RIGHT = 0.35, 0.05  # reports withdrawn, sooner or later: of honest acts, and of bad ones
MISNAMED = 0.08  # typology the desk got wrong
UNNAMED = 0.12  # reports that name none
MOST_EVENTS = 3  # of one user-day that a report names
SPREAD = 0.5  # of the log of the delay
FROM_LOOK_ALIKES = 0.75  # of wrong reports; the others are about anyone

SCHEMA = pa.schema([(name, pa.string()) for name in LABEL_COLUMNS])
Row = dict[str, str | None]


@dataclass
class PendingLabels:
    """Labels not yet known, by the day on which they will be: state of a simulation."""

    waiting: dict[int, list[tuple[float, Row]]]

    def known(self, day: int) -> pa.Table:
        """What became known on a day, in the order in which it did."""
        rows = sorted(self.waiting.pop(day, []), key=lambda row: (row[0], str(row[1]["event_id"])))
        return pa.Table.from_pylist([row for _, row in rows], SCHEMA)


@dataclass(frozen=True)
class Reporter:
    """Decides which of a day's acts will be reported, by whom, and when. A wrong report is made like a right one."""

    reports: PendingLabels
    sessions: Sessions
    events: Events
    names: EventIds
    processes: list[Process]
    today: Today

    def report(self, expected_wrong: float) -> None:
        """File the day's reports: of abuse as each typology has it, and about `expected_wrong` honest user-days."""
        numbers = self.sessions.process
        is_bad = np.array([False, *(process.is_bad for process in self.processes)])[numbers]
        acted = np.flatnonzero(numbers > 0)
        rows_of = self._rows_of(acted)
        rng = generator(self.today.seed, self.today.day, "reports")
        for visit in acted[is_bad[acted]].tolist():
            process = self.processes[numbers[visit] - 1]
            if process.report and rng.random() < process.report.chance:
                self._file(rows_of[visit], process.name, WITHDRAWN_RIGHT, rng)
        # random numbers of its own: the same with and without abuse
        rng = generator(self.today.seed, self.today.day, "wrong reports")
        alike, others = acted[~is_bad[acted]], np.flatnonzero(numbers == 0)
        for _ in range(rng.poisson(expected_wrong)):
            if len(alike) and rng.random() < FROM_LOOK_ALIKES:
                visit = int(rng.choice(alike))
                typology, rows = self.processes[numbers[visit] - 1].resembles, rows_of[visit]
            else:
                visit = int(rng.choice(others))
                typology, rows = str(rng.choice(sorted(TYPOLOGIES))), self._rows_of(np.array([visit]))[visit]
            self._file(rows, typology, WITHDRAWN_WRONG, rng)

    def _rows_of(self, visits: Array) -> dict[int, Array]:
        """The rows of these visits that a report would name: those about money and opinions, else any."""
        rows = np.flatnonzero(np.isin(self.events.visit, visits))
        found: dict[int, Array] = {}
        for visit, of_visit in _groups(self.events.visit[rows], rows):
            core = of_visit[self.events.step[of_visit] >= COUPON]
            found[visit] = (core if len(core) else of_visit)[-MOST_EVENTS:]
        return found

    def _file(self, rows: Array, typology: str, withdrawn: float, rng: np.random.Generator) -> None:
        """File a report on these events, and take it back later with the chance `withdrawn`."""
        how = TYPOLOGIES[typology].report
        assert how is not None
        weights = np.array([weight for _, weight, _ in how.sources])
        source, _, median = how.sources[int(rng.choice(len(weights), p=weights / weights.sum()))]
        delay = float(median * rng.lognormal(0, SPREAD))
        named = _named(typology, rng)
        self._write(rows, delay, True, named, source)
        if rng.random() < withdrawn:
            self._write(rows, delay + float(rng.lognormal(np.log(8), SPREAD)), False, named, "review_desk")

    def _write(self, rows: Array, delay: float, is_bad: bool, typology: str | None, source: str) -> None:
        events, names = self.events, self.names
        last = names.midnight + timedelta(milliseconds=int(events.at[rows].max()))
        known_at = last + timedelta(days=delay)
        known_at = known_at.replace(microsecond=known_at.microsecond // 1000 * 1000)
        due = self.today.day + (known_at.date() - names.midnight.date()).days
        for row in rows.tolist():
            happened = names.midnight + timedelta(milliseconds=int(events.at[row]))
            label: Row = {
                "user_id": names.user_id[row].as_py(),
                "event_id": names.event_id[row].as_py(),
                "happened_at": f"{happened.isoformat(timespec='milliseconds')}Z",
                "known_at": f"{known_at.isoformat(timespec='milliseconds')}Z",
                "is_bad": "true" if is_bad else "false",
                "typology": typology,
                "source": source,
            }
            self.reports.waiting.setdefault(due, []).append((known_at.timestamp(), label))


def _named(typology: str, rng: np.random.Generator) -> str | None:
    """What a report calls it: sometimes nothing, sometimes another typology."""
    u = rng.random()
    if u < UNNAMED:
        return None
    if u < UNNAMED + MISNAMED:
        return str(rng.choice([name for name in sorted(TYPOLOGIES) if name != typology]))
    return typology


def _groups(keys: Array, rows: Array) -> list[tuple[int, Array]]:
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], rows[order]
    cuts = np.flatnonzero(np.diff(keys)) + 1
    return [(int(part[0]), of) for part, of in zip(np.split(keys, cuts), np.split(rows, cuts), strict=True) if len(of)]
