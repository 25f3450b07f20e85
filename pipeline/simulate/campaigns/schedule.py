"""Which campaigns begin on a day, and who acts: each process keeps its share of user-days."""

from dataclasses import dataclass

import numpy as np

from pipeline.simulate.campaigns.account_pool import AccountPool
from pipeline.simulate.campaigns.process import Acts, Process, Variant
from pipeline.simulate.world.codes import Array, generator, new_codes

WARM_UP_DAYS = 40  # longer than any campaign, so the first day is like any other
AHEAD_DAYS = 20  # a campaign is at most as large as its process's share of so many days


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
    """Begins campaigns and says who acts today. State: the user-days each process is owed, the running campaigns."""

    def __init__(self, seed: int, shares: dict[Process, float], intensity: float) -> None:
        """`shares` are parts of all user-days."""
        self.seed, self.shares, self.intensity = seed, shares, intensity
        self.owed: dict[str, float] = {}
        self.running: dict[str, list[Campaign]] = {process.name: [] for process in shares}
        self.done = {process.name: np.zeros(len(process.variants)) for process in shares}

    def begin(self, accounts: AccountPool, user_days: float) -> None:
        """Begin the campaigns of a day with `user_days` user-days in all."""
        for process, share in self.shares.items():
            name, a_day = process.name, share * user_days
            rng = generator(self.seed, accounts.day, f"plan {name}")
            if name not in self.owed:  # a random debt: processes do not all begin on the first day
                self.owed[name] = -rng.random() * _mean_size(process.variants[0], AHEAD_DAYS * a_day)
            self.owed[name] += a_day
            while (variant := self._next_variant(process, accounts.is_flash_day, rng)) is not None:
                campaign = _begin(process.variants[variant], variant, accounts, AHEAD_DAYS * a_day, rng)
                if not len(campaign.user):  # no account is free: wait for tomorrow
                    break
                self.owed[name] -= len(campaign.user)
                self.done[name][variant] += len(campaign.user)
                self.running[name].append(campaign)

    def _next_variant(self, process: Process, is_flash_day: bool, rng: np.random.Generator) -> int | None:
        """The variant furthest behind its share of user-days. None if the process is owed nothing.

        Variants for flash days begin on flash days only, even ahead of their share.
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
        """The visits of a process on a day. Campaigns that are over are dropped."""
        campaigns = [campaign for campaign in self.running[process.name] if campaign.day.max() >= day]
        self.running[process.name] = campaigns
        acting = [(campaign, np.flatnonzero(campaign.day == day)) for campaign in campaigns]
        acting = [(campaign, rows) for campaign, rows in acting if len(rows)]

        def per_row(name: str) -> Array:
            values = (getattr(campaign, name)[rows] for campaign, rows in acting)
            return np.concatenate([np.zeros(0, dtype=np.int64), *values])

        def per_campaign(name: str) -> Array:
            values = [np.full(len(rows), getattr(campaign, name), dtype=np.int64) for campaign, rows in acting]
            return np.concatenate([np.zeros(0, dtype=np.int64), *values])

        return Acts(
            user=per_row("user"),
            campaign=per_campaign("code"),
            variant=per_campaign("variant"),
            account=per_row("account"),
            nth=per_row("nth"),
            seller=per_campaign("seller"),
        )


def _mean_size(variant: Variant, most: float) -> float:
    """User-days of a campaign, on average."""
    acts = (variant.acts[0] + variant.acts[1]) / 2
    return acts * _limited(variant, (variant.accounts[0] + variant.accounts[1]) / 2, most)


def _limited(variant: Variant, accounts: float, most: float) -> float:
    """`accounts`, or as many as act on `most` days together. A ring has at least two."""
    acts = (variant.acts[0] + variant.acts[1]) / 2
    return min(accounts, max(min(2, variant.accounts[0]), most // acts))


def _begin(variant: Variant, number: int, accounts: AccountPool, most: float, rng: np.random.Generator) -> Campaign:
    """Draw a campaign's accounts and days, and take the accounts. At most `most` user-days."""
    day, code = accounts.day, int(new_codes(rng, 1)[0])
    wanted = int(_limited(variant, int(rng.integers(variant.accounts[0], variant.accounts[1] + 1)), most))
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
    return Campaign(code, number, seller, users[row], row, nth, days)
