"""The shop, day by day: ordinary visits, look-alikes, abuse, and the labels that follow."""

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

REVIEW_SHARE, REFUND_SHARE = 0.9, 0.8  # factors on the chance to review and to return a purchase


def simulate(settings: ShopSettings) -> Iterator[Day]:
    """The days of a shop, without end. Before each day, adaptive abusers read the lists published so far."""
    shop = Shop(settings)
    while True:
        yield shop.next_day()


class Shop:
    """State between days: people, running campaigns, pending reviews and refunds, pending labels."""

    def __init__(self, settings: ShopSettings) -> None:
        self.settings, self.n = settings, 0
        self.catalogue = catalogue.build(settings.seed, settings.users)
        self.networks = people.Networks.of(settings.users)
        self.people = people.joining(settings.seed, self.networks, settings.users, -1, 0)
        self.follow_ups, self.labels = FollowUps({}, {}), PendingLabels({})
        self.readers = ListReaders(settings.lists)
        bad = [TYPOLOGIES[name] for name in settings.typologies or TYPOLOGIES]
        self.processes: list[Process] = [*LOOK_ALIKES, *bad]
        shares = _shares(list(LOOK_ALIKES), settings.look_alike_share)
        self.schedulers = [Scheduler(settings.seed, shares, 0.5)]
        if not settings.quiet:
            self.schedulers.append(Scheduler(settings.seed, _shares(bad, settings.bad_share), settings.intensity))
        # all user-days per ordinary one; a first guess, because accounts that act may also visit by themselves
        self.crowding = 1 / (1 - 0.75 * sum(sum(scheduler.shares.values()) for scheduler in self.schedulers))
        for n in range(-WARM_UP_DAYS, 0):
            self._warm_up(n)

    def _warm_up(self, n: int) -> None:
        """A day before the first. People buy and campaigns begin, so the first day is like any other."""
        today = self._today(n)
        visits = ordinary.visits_of_day(today, self.follow_ups)
        self.people.seen_on[visits.user] = n
        self._begin(today, visits)
        buying = visits.take(np.flatnonzero(visits.purchase > 0))
        ordinary.keep_possible(buying, self.people)
        self._record_purchases(buying, expand(buying, today), today)

    def _today(self, n: int) -> Today:
        day = self.settings.day(n)
        season = catalogue.season(self.settings.seed, day.timetuple().tm_yday, n)
        return Today(self.settings.seed, n, day.weekday(), season, self.people, self.networks, self.catalogue)

    def _begin(self, today: Today, visits: Sessions) -> None:
        user_days = self.crowding * len(np.unique(visits.user))
        accounts = AccountPool(self.people, self.catalogue, today.day, today.season.flash_category >= 0)
        for scheduler in self.schedulers:
            scheduler.begin(accounts, user_days)

    def next_day(self) -> Day:
        n, settings = self.n, self.settings
        people.add_newcomers(self.people, settings.seed, n, self.networks, settings.users)
        people.daily_changes(self.people, settings.seed, n, self.networks)
        today = self._today(n)
        self.readers.read_up_to(str(settings.day(n)))
        visits = ordinary.visits_of_day(today, self.follow_ups)
        self._begin(today, visits)
        acted, variants = self._act(today)
        sessions = concatenate([visits, *acted])
        ordinary.keep_possible(sessions, self.people)
        events = expand(sessions, today)
        self._record_purchases(sessions, events, today)
        user_days = len(np.unique(sessions.user))
        self.crowding += 0.15 * (user_days / max(1, len(np.unique(visits.user))) - self.crowding)
        self.people.seen_on[sessions.user] = n
        table, ids = tables.event_table(sessions, events, self.catalogue, settings, n)
        Reporter(self.labels, sessions, events, ids, self.processes, today).report(
            settings.wrong_report_share * user_days
        )
        self.n += 1
        return Day(
            settings.day(n),
            table,
            self.labels.known(n),
            tables.true_user_days(sessions, variants, self.processes, settings, n),
            tables.true_events(sessions, events, ids, self.processes, settings, n),
            user_days,
        )

    def _act(self, today: Today) -> tuple[list[Sessions], dict[int, str]]:
        """Visits of look-alikes and abusers, and the variant's name by campaign."""
        parts: list[Sessions] = []
        variants: dict[int, str] = {}
        for scheduler in self.schedulers:
            for process in scheduler.shares:
                acts = _still_here(scheduler.today(process, today.day), self.people, today.day)
                if not len(acts):
                    continue
                sessions = act(process, acts, today, scheduler.intensity, self.readers.of(process.name))
                sessions.process[:] = 1 + self.processes.index(process)
                parts += [sessions, cover(process, acts, today)]
                variants |= {int(c): process.variants[v].name for c, v in zip(acts.campaign, acts.variant, strict=True)}
                self._note_accounts(process, acts)
        return parts, variants

    def _note_accounts(self, process: Process, acts: Acts) -> None:
        """Adaptive crews know their own accounts, so they see when one is listed."""
        if process.is_bad and self.settings.lists is not None:
            reads = np.array([variant.adaptive for variant in process.variants])[acts.variant]
            users = identifiers("u_", self.settings.seed, acts.user[reads] + 1).to_pylist()
            self.readers.accounts |= dict.fromkeys(users, process.name)

    def _record_purchases(self, sessions: Sessions, events: Events, today: Today) -> None:
        """Remember the purchases, and plan reviews and refunds of some of them."""
        rng = generator(today.seed, today.day, "promises")  # a stream's name decides its numbers
        rows = np.flatnonzero(events.step == PURCHASE)
        visit = events.visit[rows]
        user, of_own_accord = sessions.user[visit], sessions.process[visit] == 0
        paid = (column[rows] for column in (events.item, events.card, events.cents, events.quantity))
        number = self.people.buy(today.day, user, *paid)
        for habit, share, queue, delay in (
            (self.people.review_chance, REVIEW_SHARE, self.follow_ups.reviews, (2, 12)),
            (self.people.refund_chance, REFUND_SHARE, self.follow_ups.refunds, (2, 16)),
        ):
            does = np.flatnonzero((rng.random(len(rows)) < share * habit[user]) & of_own_accord)
            due = today.day + rng.integers(*delay, len(does))
            for when in np.unique(due):
                chosen = does[due == when]
                queue.setdefault(int(when), []).extend([user[chosen], number[chosen]])


def _shares(processes: list[Process], share: float) -> dict[Process, float]:
    """Each process's share of all user-days. Look-alikes divide the share of the typology they resemble."""
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
