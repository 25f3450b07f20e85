"""The shop, day by day: people's lives, ordinary visits, look-alikes, abuse, and what becomes known of it."""

from collections.abc import Iterator

import numpy as np

from pipeline.simulate.campaigns.account_pool import AccountPool
from pipeline.simulate.campaigns.acting import act, cover
from pipeline.simulate.campaigns.adaptive import ListReaders
from pipeline.simulate.campaigns.process import Acts, Process
from pipeline.simulate.campaigns.schedule import WARM_UP_DAYS, Scheduler
from pipeline.simulate.look_alikes import LOOK_ALIKES
from pipeline.simulate.output import tables
from pipeline.simulate.output.reports import PendingLabels, Reporter
from pipeline.simulate.output.tables import Day
from pipeline.simulate.settings import ShopSettings
from pipeline.simulate.typologies import TYPOLOGIES
from pipeline.simulate.visits import ordinary
from pipeline.simulate.visits.events import PURCHASE, Events, expand
from pipeline.simulate.visits.ordinary import FollowUps, Today
from pipeline.simulate.visits.sessions import Sessions, concatenate
from pipeline.simulate.world import catalogue, people
from pipeline.simulate.world.codes import generator, identifiers

REVIEW_SHARE, REFUND_SHARE = 0.9, 0.8  # of what people's habits promise, that is done


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
        self.people = people.people_joining(settings.seed, self.networks, settings.users, -1, 0)
        self.promises, self.reports = FollowUps({}, {}), PendingLabels({})
        self.readers = ListReaders(settings.lists)
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
        visits = ordinary.visits_of_day(today, self.promises)
        self.people.seen_on[visits.user] = n
        self._begin(today, visits)
        buying = visits.take(np.flatnonzero(visits.purchase > 0))
        ordinary.keep_possible(buying, self.people)
        self._remember(buying, expand(buying, today), today)

    def _today(self, n: int) -> Today:
        day = self.settings.day(n)
        season = catalogue.season(self.settings.seed, day.timetuple().tm_yday, n)
        return Today(self.settings.seed, n, day.weekday(), season, self.people, self.networks, self.catalogue)

    def _begin(self, today: Today, visits: Sessions) -> None:
        user_days = self.crowd * len(np.unique(visits.user))
        accounts = AccountPool(self.people, self.catalogue, today.day, today.season.flash_category >= 0)
        for plan in self.plans:
            plan.begin(accounts, user_days)

    def next_day(self) -> Day:
        n, settings = self.n, self.settings
        people.add_newcomers(self.people, settings.seed, n, self.networks, settings.users)
        people.daily_changes(self.people, settings.seed, n, self.networks)
        today = self._today(n)
        self.readers.read_up_to(str(settings.day(n)))
        visits = ordinary.visits_of_day(today, self.promises)
        self._begin(today, visits)
        acted, variants = self._act(today)
        sessions = concatenate([visits, *acted])
        ordinary.keep_possible(sessions, self.people)
        events = expand(sessions, today)
        self._remember(sessions, events, today)
        user_days = len(np.unique(sessions.user))
        self.crowd += 0.15 * (user_days / max(1, len(np.unique(visits.user))) - self.crowd)
        self.people.seen_on[sessions.user] = n
        table, named = tables.event_table(sessions, events, self.catalogue, settings, n)
        Reporter(self.reports, sessions, events, named, self.processes, today).report(
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
            users = identifiers("u_", self.settings.seed, acts.user[reads] + 1).to_pylist()
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
            (self.people.review_chance, REVIEW_SHARE, self.promises.reviews, (2, 12)),
            (self.people.refund_chance, REFUND_SHARE, self.promises.refunds, (2, 16)),
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
    here = np.flatnonzero(who.exist_on(day)[acts.user])
    return Acts(*(getattr(acts, name)[here] for name in ("user", "campaign", "variant", "account", "nth", "seller")))
