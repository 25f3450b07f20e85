"""Labels: who reports abuse, how much later, and how often wrongly."""

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

WITHDRAWN_WRONG, WITHDRAWN_RIGHT = 0.35, 0.05  # share of wrong and of right reports that are withdrawn later
MISNAMED = 0.08  # share of reports with a wrong typology
UNNAMED = 0.12  # share of reports without a typology
MOST_EVENTS = 3  # per report
DELAY_SPREAD = 0.5  # standard deviation of the log of the delay
FROM_LOOK_ALIKES = 0.75  # share of wrong reports that are about look-alikes

SCHEMA = pa.schema([(name, pa.string()) for name in LABEL_COLUMNS])
Row = dict[str, str | None]


@dataclass
class PendingLabels:
    """Labels that are not known yet, by the day on which they will be."""

    waiting: dict[int, list[tuple[float, Row]]]

    def known(self, day: int) -> pa.Table:
        """The labels that become known on a day, in order of time."""
        rows = sorted(self.waiting.pop(day, []), key=lambda row: (row[0], str(row[1]["event_id"])))
        return pa.Table.from_pylist([row for _, row in rows], SCHEMA)


@dataclass(frozen=True)
class Reporter:
    """Decides which visits are reported, by whom, and when. Wrong reports are made like right ones."""

    labels: PendingLabels
    sessions: Sessions
    events: Events
    ids: EventIds
    processes: list[Process]
    today: Today

    def report(self, expected_wrong: float) -> None:
        """File the day's reports: of abuse, and on average `expected_wrong` wrong ones."""
        numbers = self.sessions.process
        is_bad = np.array([False, *(process.is_bad for process in self.processes)])[numbers]
        acted = np.flatnonzero(numbers > 0)
        rows_of = self._rows_of(acted)
        rng = generator(self.today.seed, self.today.day, "reports")
        for visit in acted[is_bad[acted]].tolist():
            process = self.processes[numbers[visit] - 1]
            if process.report and rng.random() < process.report.chance:
                self._file(rows_of[visit], process.name, WITHDRAWN_RIGHT, rng)
        # a stream of its own, so wrong reports are the same with and without abuse
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
        """The events that a report of each visit would name: payments, reviews and refunds, else any."""
        rows = np.flatnonzero(np.isin(self.events.visit, visits))
        rows_of: dict[int, Array] = {}
        for visit, of_visit in _groups(self.events.visit[rows], rows):
            core = of_visit[self.events.step[of_visit] >= COUPON]
            rows_of[visit] = (core if len(core) else of_visit)[-MOST_EVENTS:]
        return rows_of

    def _file(self, rows: Array, typology: str, withdrawn: float, rng: np.random.Generator) -> None:
        """Report these events. With the chance `withdrawn`, withdraw the report later."""
        how = TYPOLOGIES[typology].report
        assert how is not None
        weights = np.array([weight for _, weight, _ in how.sources])
        source, _, median = how.sources[int(rng.choice(len(weights), p=weights / weights.sum()))]
        delay = float(median * rng.lognormal(0, DELAY_SPREAD))
        reported = _reported_typology(typology, rng)
        self._write(rows, delay, True, reported, source)
        if rng.random() < withdrawn:
            self._write(rows, delay + float(rng.lognormal(np.log(8), DELAY_SPREAD)), False, reported, "review_desk")

    def _write(self, rows: Array, delay: float, is_bad: bool, typology: str | None, source: str) -> None:
        events, ids = self.events, self.ids
        last = ids.midnight + timedelta(milliseconds=int(events.at[rows].max()))
        known_at = last + timedelta(days=delay)
        known_at = known_at.replace(microsecond=known_at.microsecond // 1000 * 1000)
        due = self.today.day + (known_at.date() - ids.midnight.date()).days
        for row in rows.tolist():
            happened = ids.midnight + timedelta(milliseconds=int(events.at[row]))
            label: Row = {
                "user_id": ids.user_id[row].as_py(),
                "event_id": ids.event_id[row].as_py(),
                "happened_at": f"{happened.isoformat(timespec='milliseconds')}Z",
                "known_at": f"{known_at.isoformat(timespec='milliseconds')}Z",
                "is_bad": "true" if is_bad else "false",
                "typology": typology,
                "source": source,
            }
            self.labels.waiting.setdefault(due, []).append((known_at.timestamp(), label))


def _reported_typology(typology: str, rng: np.random.Generator) -> str | None:
    """The typology as reported: sometimes none, sometimes a wrong one."""
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
