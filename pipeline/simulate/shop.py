"""The shop, day by day: people's lives, ordinary visits, look-alikes, abuse, and what becomes known of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from pipeline.simulate import catalogue, ordinary, people, tables
from pipeline.simulate.accounts import Accounts
from pipeline.simulate.adaptive import Readers
from pipeline.simulate.campaigns import WARM_UP_DAYS, Scheduler, act, cover
from pipeline.simulate.codes import generator, names
from pipeline.simulate.expand import PURCHASE, Events, expand
from pipeline.simulate.look_alikes import LOOK_ALIKES
from pipeline.simulate.ordinary import Promises, Today
from pipeline.simulate.process import Acts, Process
from pipeline.simulate.reports import Desk, Reports
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
        # user-days in all for each that comes by itself; a first guess, for those who act may come anyway
        self.crowd = 1 / (1 - 0.75 * sum(sum(plan.shares.values()) for plan in self.plans))
        for n in range(-WARM_UP_DAYS, 0):
            self._warm_up(n)

    def _warm_up(self, n: int) -> None:
        """A day before the first: people come and buy, and campaigns begin, so that the first day is like any other."""
        today = self._today(n)
        visits = ordinary.day(today, self.promises)
        self.people.seen_on[visits.user] = n
        self._begin(today, visits)
        buying = visits.take(np.flatnonzero(visits.purchase > 0))
        ordinary.within_reach(buying, self.people)
        self._remember(buying, expand(buying, today), today)

    def _today(self, n: int) -> Today:
        day = self.settings.day(n)
        season = catalogue.season(self.settings.seed, day.timetuple().tm_yday, n)
        return Today(self.settings.seed, n, day.weekday(), season, self.people, self.networks, self.catalogue)

    def _begin(self, today: Today, visits: Sessions) -> None:
        user_days = self.crowd * len(np.unique(visits.user))
        accounts = Accounts(self.people, self.catalogue, today.day, today.season.flash_category >= 0)
        for plan in self.plans:
            plan.begin(accounts, user_days)

    def next_day(self) -> Day:
        n, settings = self.n, self.settings
        people.newcomers(self.people, settings.seed, n, self.networks, settings.users)
        people.change(self.people, settings.seed, n, self.networks)
        today = self._today(n)
        self.readers.read_up_to(str(settings.day(n)))
        visits = ordinary.day(today, self.promises)
        self._begin(today, visits)
        acted, variants = self._act(today)
        sessions = joined([visits, *acted])
        ordinary.within_reach(sessions, self.people)
        events = expand(sessions, today)
        self._remember(sessions, events, today)
        user_days = len(np.unique(sessions.user))
        self.crowd += 0.15 * (user_days / max(1, len(np.unique(visits.user))) - self.crowd)
        self.people.seen_on[sessions.user] = n
        table, named = tables.delivered(sessions, events, self.catalogue, settings, n)
        Desk(self.reports, sessions, events, named, self.processes, today).report(
            settings.wrong_report_share * user_days
        )
        self.n += 1
        return Day(
            settings.day(n),
            table,
            self.reports.known(n),
            tables.true_user_days(sessions, variants, self.processes, settings, n),
            tables.true_events(sessions, events, named, self.processes, settings, n),
            user_days,
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
                sessions = act(process, acts, today, plan.intensity, self.readers.of(process.name))
                sessions.process[:] = 1 + self.processes.index(process)
                found += [sessions, cover(process, acts, today)]
                variants |= {int(c): process.variants[v].name for c, v in zip(acts.campaign, acts.variant, strict=True)}
                self._watch(process, acts)
        return found, variants

    def _watch(self, process: Process, acts: Acts) -> None:
        """Adaptive crews know their own accounts, and find out when one of them is listed."""
        if process.is_bad and self.settings.lists is not None:
            reads = np.array([variant.adaptive for variant in process.variants])[acts.variant]
            users = names("u_", self.settings.seed, acts.user[reads] + 1).to_pylist()
            self.readers.accounts |= dict.fromkeys(users, process.name)

    def _remember(self, sessions: Sessions, events: Events, today: Today) -> None:
        """Purchases are remembered, and lead to reviews and returns of some of them."""
        rng = generator(today.seed, today.day, "promises")
        rows = np.flatnonzero(events.step == PURCHASE)
        visit = events.visit[rows]
        user, of_own_accord = sessions.user[visit], sessions.process[visit] == 0
        paid = (column[rows] for column in (events.item, events.card, events.cents, events.quantity))
        number = self.people.buy(today.day, user, *paid)
        for habit, share, queue, delay in (
            (self.people.writes, REVIEW_SHARE, self.promises.reviews, (2, 12)),
            (self.people.returns, REFUND_SHARE, self.promises.refunds, (2, 16)),
        ):
            does = np.flatnonzero((rng.random(len(rows)) < share * habit[user]) & of_own_accord)
            due = today.day + rng.integers(*delay, len(does))
            for when in np.unique(due):
                chosen = does[due == when]
                queue.setdefault(int(when), []).extend([user[chosen], number[chosen]])


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
    return Acts(*(getattr(acts, name)[here] for name in ("user", "campaign", "variant", "account", "nth", "seller")))
