"""Who does what when: campaigns are begun so that each process has its share of user-days, and acted out day by day."""

from dataclasses import dataclass

import numpy as np

from pipeline.simulate.campaigns.account_pool import AccountPool
from pipeline.simulate.campaigns.adaptive import Avoidance
from pipeline.simulate.campaigns.process import Acts, Process, Variant
from pipeline.simulate.campaigns.traits import TRAITS, Target, draw_traits
from pipeline.simulate.visits.ordinary import Today, make_visits
from pipeline.simulate.visits.sessions import Sessions
from pipeline.simulate.world.codes import Array, generator, new_codes
from pipeline.simulate.world.people import People, is_phone

WARM_UP_DAYS = 40  # longer than any campaign: the first day has as much going on as any other
AHEAD_DAYS = 20  # in a small shop, a campaign is no larger than what its process is owed for so many days


@dataclass(frozen=True)
class Campaign:
    """A campaign: one row per account and day on which it acts."""

    code: int
    variant: int
    seller: int
    user: Array
    account: Array
    nth: Array
    day: Array


class Scheduler:
    """Begins campaigns and tells who acts today. State: what each process is owed, and the plans still running."""

    def __init__(self, seed: int, shares: dict[Process, float], intensity: float) -> None:
        """`shares` are parts of all user-days."""
        self.seed, self.shares, self.intensity = seed, shares, intensity
        self.owed: dict[str, float] = {}
        self.running: dict[str, list[Campaign]] = {process.name: [] for process in shares}
        self.done = {process.name: np.zeros(len(process.variants)) for process in shares}

    def begin(self, accounts: AccountPool, user_days: float) -> None:
        """Begin what a day with so many `user_days` in all owes each process."""
        for process, share in self.shares.items():
            name, a_day = process.name, share * user_days
            rng = generator(self.seed, accounts.day, f"plan {name}")
            if name not in self.owed:  # so that a campaign has begun with the chance that its share of it is owed
                self.owed[name] = -rng.random() * _size(process.variants[0], AHEAD_DAYS * a_day)
            self.owed[name] += a_day
            while (variant := self._turn_of(process, accounts.is_flash_day, rng)) is not None:
                plan = _plan(process.variants[variant], variant, accounts, AHEAD_DAYS * a_day, rng)
                if not len(plan.user):  # every account is taken: what is owed waits
                    break
                self.owed[name] -= len(plan.user)
                self.done[name][variant] += len(plan.user)
                self.running[name].append(plan)

    def _turn_of(self, process: Process, is_flash_day: bool, rng: np.random.Generator) -> int | None:
        """The variant that is furthest behind its share of user-days, if the process is owed any.

        What happens on flash days only happens then, be it ahead of what is owed.
        """
        weights, done = np.array([variant.weight for variant in process.variants]), self.done[process.name]
        behind = weights / weights.sum() * (done.sum() + 5) - done
        on_flash_days = np.array([variant.on_flash_days for variant in process.variants])
        if is_flash_day and not on_flash_days.all() and (late := np.where(on_flash_days, behind, 0)).max() > 5:
            return int(np.argmax(late))
        allowed = np.flatnonzero(is_flash_day | ~on_flash_days)
        if self.owed[process.name] <= 0 or not len(allowed):
            return None
        return int(allowed[np.argmax((behind + rng.random(len(weights)))[allowed])])

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

        return Acts(column("user"), same("code"), same("variant"), column("account"), column("nth"), same("seller"))


def _size(variant: Variant, most: float) -> float:
    """User-days of a campaign, on average."""
    acts = (variant.acts[0] + variant.acts[1]) / 2
    return acts * _fitting(variant, (variant.accounts[0] + variant.accounts[1]) / 2, most)


def _fitting(variant: Variant, accounts: float, most: float) -> float:
    """So many accounts, or as many as act on `most` days together; but a ring is no ring with fewer than two."""
    acts = (variant.acts[0] + variant.acts[1]) / 2
    return min(accounts, max(min(2, variant.accounts[0]), most // acts))


def _plan(variant: Variant, which: int, accounts: AccountPool, most: float, rng: np.random.Generator) -> Campaign:
    day, code = accounts.day, int(new_codes(rng, 1)[0])
    wanted = int(_fitting(variant, int(rng.integers(variant.accounts[0], variant.accounts[1] + 1)), most))
    users, seller = accounts.draw(variant.who, wanted, code, rng)
    acts = rng.integers(variant.acts[0], variant.acts[1] + 1, len(users))
    row = np.repeat(np.arange(len(users)), acts)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(acts) - acts, acts)
    gaps = rng.integers(variant.every[0], variant.every[1] + 1, len(row))
    gaps[nth == 0] = 0 if variant.on_flash_days else rng.integers(0, 1 + variant.every[1], len(users))
    total = np.cumsum(gaps)
    days = day + total - (total - gaps)[nth == 0].repeat(acts)
    last = np.full(len(users), day)
    np.maximum.at(last, row, days)
    accounts.take(users, last, variant.leaves)
    return Campaign(code, which, seller, users[row], row, nth, days)


def act(process: Process, acts: Acts, today: Today, intensity: float, learnt: Avoidance) -> Sessions:
    """The visits that `acts` make: ordinary ones of their process's intent, marked. Adaptive variants avoid traits."""
    rng = generator(today.seed, today.day, f"act {process.name}")
    sessions = make_visits(acts.user, today, rng, process.intent)
    sessions.about = np.maximum(-1, today.people.purchases[acts.user] - 1 - acts.nth)  # not the same one every time
    for number, variant in enumerate(process.variants):
        of_variant = np.flatnonzero(acts.variant == number)
        if variant.order:
            sessions.order[of_variant] = variant.order
        start = sessions.start[of_variant]
        given = draw_traits(variant, len(of_variant), intensity, learnt.avoided(start) if variant.adaptive else {}, rng)
        for trait in TRAITS:
            if trait in given:
                rows = of_variant[given[trait]]
                TRAITS[trait](Target(sessions, rows, acts, variant, today, rng))
                _keep(process, trait, sessions, rows, today.people)
        if variant.adaptive:
            learnt.wait(sessions, of_variant, start)
    sessions.actor = acts.campaign
    return sessions


def _keep(process: Process, trait: str, sessions: Sessions, rows: Array, people: People) -> None:
    """An innocent's new phone, home or card stays theirs."""
    if trait not in process.keeps:
        return
    if trait == "device":
        _keep_devices(sessions.user[rows], sessions.device[rows], people)
        return
    mine, theirs = {
        "network": ("home", "network"),
        "address": ("address", "address"),
        "card": ("card", "card"),
    }[trait]
    getattr(people, mine)[sessions.user[rows]] = getattr(sessions, theirs)[rows]


def _keep_devices(users: Array, devices: Array, people: People) -> None:
    phone = is_phone(devices)
    people.phone[users[phone]], people.laptop[users[~phone]] = devices[phone], devices[~phone]


def cover(process: Process, acts: Acts, today: Today) -> Sessions:
    """Ordinary visits besides, on the same day."""
    rng = generator(today.seed, today.day, f"cover {process.name}")
    return make_visits(acts.user[rng.random(len(acts)) < process.cover], today, rng, "usual")
