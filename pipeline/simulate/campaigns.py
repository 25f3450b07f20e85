"""Who does what when: campaigns are begun so that each process has its share of user-days, and acted out day by day."""

from dataclasses import dataclass

import numpy as np

from pipeline.simulate.codes import Array, fresh, generator
from pipeline.simulate.marks import MARKS, Marked, draw
from pipeline.simulate.ordinary import Today, visit
from pipeline.simulate.people import People
from pipeline.simulate.process import Acts, Process
from pipeline.simulate.sessions import Sessions

WARM_UP_DAYS = 40  # longer than any campaign: the first day has as much going on as any other
YOUNG_DAYS = 45


@dataclass(frozen=True)
class Plan:
    """A campaign: one row per account and day on which it acts."""

    code: int
    variant: int
    user: Array
    account: Array
    nth: Array
    of: Array
    day: Array


class Scheduler:
    """Begins campaigns and tells who acts today. State: what each process is owed, and the plans still running."""

    def __init__(self, seed: int, shares: dict[Process, float], intensity: float) -> None:
        """`shares` are parts of all user-days."""
        self.seed, self.shares, self.intensity = seed, shares, intensity
        self.owed = {process.name: 0.0 for process in shares}
        self.running: dict[str, list[Plan]] = {process.name: [] for process in shares}
        self.done = {process.name: np.zeros(len(process.variants)) for process in shares}

    def begin(self, day: int, people: People, user_days: float) -> None:
        """Begin what a day with so many `user_days` owes each process."""
        choices = {young: _Choice(people, day, young) for young in (False, True)}
        for process, share in self.shares.items():
            rng = generator(self.seed, day, f"plan {process.name}")
            if day == -WARM_UP_DAYS:
                self.owed[process.name] = -rng.random() * 2
            self.owed[process.name] += share * user_days
            while self.owed[process.name] > 0:
                variant = self._turn_of(process, rng)
                plan = _plan(process, variant, day, people, choices[process.young], rng)
                if not len(plan.user):  # every account is taken: what is owed waits
                    break
                self.owed[process.name] -= len(plan.user)
                self.done[process.name][variant] += len(plan.user)
                self.running[process.name].append(plan)

    def _turn_of(self, process: Process, rng: np.random.Generator) -> int:
        """The variant that is furthest behind its share of user-days."""
        weights, done = np.array([variant.weight for variant in process.variants]), self.done[process.name]
        behind = weights / weights.sum() * (done.sum() + 5) - done
        return int(np.argmax(behind + rng.random(len(weights))))

    def today(self, process: Process, day: int) -> Acts:
        """The visits of a process on a day; plans that are over are dropped."""
        plans = self.running[process.name] = [plan for plan in self.running[process.name] if plan.day.max() >= day]
        picked = [(plan, np.flatnonzero(plan.day == day)) for plan in plans]
        picked = [(plan, rows) for plan, rows in picked if len(rows)]

        def column(name: str) -> Array:
            return np.concatenate([np.zeros(0, dtype=np.int64), *(getattr(plan, name)[rows] for plan, rows in picked)])

        def same(name: str) -> Array:
            values = [np.full(len(rows), getattr(plan, name), dtype=np.int64) for plan, rows in picked]
            return np.concatenate([np.zeros(0, dtype=np.int64), *values])

        return Acts(column("user"), same("code"), same("variant"), column("account"), column("nth"), column("of"))


class _Choice:
    """Draws accounts: the more active the more often; young ones mostly, if so asked."""

    def __init__(self, people: People, day: int, young: bool) -> None:
        on = max(day, 0)
        weight = people.activity**0.6 * people.here(on)
        if young:
            weight = weight * np.where(on - people.joined < YOUNG_DAYS, 1.0, 0.05)
        self.people, self.day, self.edges = people, day, np.cumsum(weight)

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """`n` different accounts that no campaign has taken; fewer if they run out."""
        for tries in (2, 8, 32):
            found = np.searchsorted(self.edges, rng.random(n * tries + 8) * self.edges[-1], side="right")
            found = np.minimum(found, len(self.people) - 1)
            found = found[self.people.busy_until[found] < self.day]
            users = found[np.sort(np.unique(found, return_index=True)[1])]
            if len(users) >= n:
                break
        chosen: Array = users[:n]
        return chosen


def _plan(process: Process, which: int, day: int, people: People, choice: _Choice, rng: np.random.Generator) -> Plan:
    variant = process.variants[which]
    users = choice.draw(int(rng.integers(variant.accounts[0], variant.accounts[1] + 1)), rng)
    acts = rng.integers(variant.acts[0], variant.acts[1] + 1, len(users))
    row = np.repeat(np.arange(len(users)), acts)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(acts) - acts, acts)
    gaps = rng.integers(variant.every[0], variant.every[1] + 1, len(row))
    gaps[nth == 0] = rng.integers(0, 1 + variant.every[1], len(users))
    total = np.cumsum(gaps)
    days = day + total - (total - gaps)[nth == 0].repeat(acts)
    last = np.full(len(users), day)
    np.maximum.at(last, row, days)
    people.busy_until[users] = last
    return Plan(int(fresh(rng, 1)[0]), which, users[row], row, nth, acts[row], days)


def act(process: Process, acts: Acts, today: Today, intensity: float, avoided: dict[str, float]) -> Sessions:
    """The visits that `acts` make: ordinary ones of their process's intent, marked. Adaptive variants avoid marks."""
    rng = generator(today.seed, today.day, f"act {process.name}")
    sessions = visit(acts.user, today, rng, process.intent)
    for number, variant in enumerate(process.variants):
        of_variant = np.flatnonzero(acts.variant == number)
        if variant.order:
            sessions.order[of_variant] = variant.order
        given = draw(variant, len(of_variant), intensity, avoided if variant.adaptive else {}, rng)
        for mark in MARKS:
            if mark in given:
                rows = of_variant[given[mark]]
                MARKS[mark](Marked(sessions, rows, acts, variant, today, rng))
                _keep(process, mark, sessions, rows, today.people)
    if process.shape:
        process.shape(sessions, acts, today, rng)
    sessions.actor = acts.campaign
    return sessions


def _keep(process: Process, mark: str, sessions: Sessions, rows: Array, people: People) -> None:
    """An innocent's new phone, home or card stays theirs."""
    if mark not in process.keeps:
        return
    mine, theirs = {
        "device": ("phone", "device"),
        "network": ("home", "network"),
        "address": ("lives_at", "lives_at"),
        "card": ("card", "card"),
    }[mark]
    getattr(people, mine)[sessions.user[rows]] = getattr(sessions, theirs)[rows]


def cover(process: Process, acts: Acts, today: Today) -> Sessions:
    """Ordinary visits besides, on the same day."""
    rng = generator(today.seed, today.day, f"cover {process.name}")
    return visit(acts.user[rng.random(len(acts)) < process.cover], today, rng, "usual")
