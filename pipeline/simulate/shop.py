"""The shop, day by day: people's lives, ordinary visits, look-alikes, abuse, and what becomes known of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from pipeline.simulate import catalogue, ordinary, people, tables
from pipeline.simulate.adaptive import Readers
from pipeline.simulate.campaigns import WARM_UP_DAYS, Scheduler, act, cover
from pipeline.simulate.codes import generator, names
from pipeline.simulate.expand import PURCHASE, Events, expand
from pipeline.simulate.look_alikes import LOOK_ALIKES
from pipeline.simulate.ordinary import Promises, Today
from pipeline.simulate.process import Acts, Process
from pipeline.simulate.reports import Reports, report
from pipeline.simulate.sessions import Sessions, joined
from pipeline.simulate.settings import ShopSettings
from pipeline.simulate.typologies import TYPOLOGIES

REVIEW_SHARE, REFUND_SHARE = 0.9, 0.8  # of what people's habits promise, that is done


@dataclass(frozen=True)
class Day:
    """One day of the shop. `events` and `labels` are what a shop knows, the rest is the truth."""

    day: date
    events: pa.Table
    labels: pa.Table
    true_user_days: pa.Table
    true_events: pa.Table
    user_days: int


def simulate(settings: ShopSettings) -> Iterator[Day]:
    """Endless days of a shop, one at a time. Before each, abusers read the lists published by then."""
    shop = Shop(settings)
    while True:
        yield shop.next_day()


class Shop:
    """State between days: the people, running campaigns, promised reviews and returns, reports on their way."""

    def __init__(self, settings: ShopSettings) -> None:
        self.settings, self.n = settings, 0
        self.catalogue = catalogue.build(settings.seed, settings.users)
        self.networks = people.Networks.of(settings.users)
        self.people = people.block(settings.seed, self.networks, settings.users, -1, 0)
        self.promises, self.reports = Promises({}, {}), Reports({})
        self.readers = Readers(settings.lists)
        bad = [TYPOLOGIES[name] for name in settings.typologies or TYPOLOGIES]
        self.processes: list[Process] = [*LOOK_ALIKES, *bad]
        shares = _shares(list(LOOK_ALIKES), settings.look_alike_share)
        self.plans = [Scheduler(settings.seed, shares, 0.5)]
        if not settings.quiet:
            self.plans.append(Scheduler(settings.seed, _shares(bad, settings.bad_share), settings.intensity))
        usual = float(self.people.activity.sum())
        for day in range(-WARM_UP_DAYS, 0):
            self._begin(day, usual)

    def _begin(self, day: int, user_days: float) -> None:
        for plan in self.plans:
            plan.begin(day, self.people, user_days)

    def next_day(self) -> Day:
        n, settings = self.n, self.settings
        day = settings.day(n)
        people.newcomers(self.people, settings.seed, n, self.networks, settings.users)
        people.change(self.people, settings.seed, n, self.networks)
        season = catalogue.season(settings.seed, day.timetuple().tm_yday, n)
        today = Today(settings.seed, n, day.weekday(), season, self.people, self.networks, self.catalogue)
        self.readers.read_up_to(str(day))
        visits = ordinary.day(today, self.promises)
        user_days = len(np.unique(visits.user))
        self._begin(n, user_days)
        acted, variants = self._act(today)
        sessions = joined([visits, *acted])
        events = expand(sessions, today)
        self._remember(sessions, events, today)
        table, named = tables.delivered(sessions, events, self.catalogue, settings, n)
        expected_bad = settings.bad_share * user_days
        report(self.reports, sessions, events, named, self.processes, today, expected_bad)
        self.n += 1
        return Day(
            day,
            table,
            self.reports.known(n),
            tables.true_user_days(sessions, variants, self.processes, settings, n),
            tables.true_events(sessions, events, named, self.processes, settings, n),
            len(np.unique(sessions.user)),
        )

    def _act(self, today: Today) -> tuple[list[Sessions], dict[int, str]]:
        """Visits of look-alikes and abusers; and the variant's name by campaign."""
        found: list[Sessions] = []
        variants: dict[int, str] = {}
        for plan in self.plans:
            for process in plan.shares:
                acts = _still_here(plan.today(process, today.day), self.people, today.day)
                if not len(acts):
                    continue
                avoided = self.readers.avoided(process.name)
                sessions = act(process, acts, today, plan.intensity, avoided)
                sessions.process[:] = 1 + self.processes.index(process)
                found += [sessions, cover(process, acts, today)]
                variants |= {int(c): process.variants[v].name for c, v in zip(acts.campaign, acts.variant, strict=True)}
                self._watch(process, acts)
        return found, variants

    def _watch(self, process: Process, acts: Acts) -> None:
        """Adaptive crews know their accounts, and find out when one of them is listed."""
        if process.is_bad and self.settings.lists is not None:
            users = names("u_", self.settings.seed, acts.user + 1).to_pylist()
            self.readers.accounts |= dict.fromkeys(users, process.name)

    def _remember(self, sessions: Sessions, events: Events, today: Today) -> None:
        """Purchases are remembered, and lead to reviews and returns of some of them."""
        rng = generator(today.seed, today.day, "promises")
        rows = np.flatnonzero((events.step == PURCHASE) & (sessions.process[events.visit] == 0))
        user, item = sessions.user[events.visit[rows]], events.item[rows]
        card = events.card[rows]
        self.people.last_item[user], self.people.last_card[user] = item, card
        for habit, share, queue, delay in (
            (self.people.writes, REVIEW_SHARE, self.promises.reviews, (2, 12)),
            (self.people.returns, REFUND_SHARE, self.promises.refunds, (2, 16)),
        ):
            does = np.flatnonzero(rng.random(len(rows)) < share * habit[user])
            due = today.day + rng.integers(*delay, len(does))
            for when in np.unique(due):
                chosen = does[due == when]
                queue.setdefault(int(when), []).extend([user[chosen], item[chosen], card[chosen]])


def _shares(processes: list[Process], share: float) -> dict[Process, float]:
    """Parts of all user-days. Look-alikes of a typology share what is that typology's."""
    groups: dict[str, float] = {}
    for process in processes:
        groups[process.resembles or process.name] = groups.get(process.resembles or process.name, 0) + process.share
    weights = {name: TYPOLOGIES[name].share for name in groups}
    whole = sum(weights.values())
    return {
        process: share * weights[key] / whole * process.share / groups[key]
        for process in processes
        for key in [process.resembles or process.name]
    }


def _still_here(acts: Acts, who: people.People, day: int) -> Acts:
    here = np.flatnonzero(who.here(day)[acts.user])
    return Acts(*(getattr(acts, name)[here] for name in ("user", "campaign", "variant", "account", "nth", "of")))
