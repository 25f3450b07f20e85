"""Labels as they were known on one morning: a training may know no more than that, nor may any part of one."""

from dataclasses import replace

import numpy as np

from pipeline.arrays import Flags, Ints
from pipeline.models.days import places_of
from pipeline.models.samples import NEVER, Samples
from pipeline.schemas import VERDICT
from pipeline.train.clocks import LabelClock

NEAR = 14  # days from a bad day within which the account's other days are neither good nor bad


def as_known(samples: Samples, morning: int, clock: LabelClock) -> Samples:
    """The samples with the labels known before the day `morning` (days since 1970).

    A bad day is up-weighted for those that its source has not named yet. Where not all that is bad is reported, a day
    without a label weighs nothing within 14 days of a bad day of its account, or once the account is known to be bad:
    nobody has looked at it, and it is no good example. Nor does a day that only a label of the account covers: such an
    account does ordinary things too, and which days those are nobody said. Where labels have no clock they are known at
    once.
    """
    if samples.bad is None:
        return samples
    bad, windows = samples.bad.known_before(morning), samples.windows
    place = places_of(windows.key, bad.key)
    is_bad = (place >= 0) & (bad.named_day < morning)[place] if len(bad.day) else place >= 0
    is_unclear = _is_near(windows.key, bad.key) | (windows.day >= bad.first_known_of(windows.user))
    is_neither = ~is_bad & ((place >= 0) | is_unclear & (clock.reported < 1))
    if samples.good is not None:
        is_neither &= ~np.isin(windows.key, samples.good.known_before(morning).key)
    weight = samples.stands_for * ~is_neither
    age = np.maximum(morning - 1 - windows.day[is_bad], 0)
    weight[is_bad] *= clock.weight(age, bad.source[place[is_bad]])
    is_bad_account = np.isin(windows.user, bad.user)
    return replace(samples, is_bad=is_bad, is_bad_account=is_bad_account, weight=weight)


def is_known(samples: Samples) -> Flags:
    """User-days (n,) of accounts that were known to be bad before."""
    if samples.bad is None:
        return np.zeros(len(samples), np.bool_)
    return samples.bad.is_known(samples.windows.user, samples.windows.day)


def is_covered(samples: Samples) -> Flags:
    """User-days (n,) that only a label of their account covers."""
    if samples.bad is None:
        return np.zeros(len(samples), np.bool_)
    covered: Flags = np.isin(samples.windows.key, samples.bad.known_before(int(NEVER)).key) & ~samples.is_bad
    return covered


def is_judged(samples: Samples) -> Flags:
    """User-days (n,) that measure a score: good or bad ones of accounts that were not known to be bad before."""
    judged: Flags = (samples.weight > 0) & ~is_known(samples)
    return judged


def is_reviewed(samples: Samples) -> Flags:
    """User-days (n,) that somebody looked at: their label is no matter of reports."""
    if samples.bad is None:
        return np.zeros(len(samples), np.bool_)
    key, last = samples.windows.key, int(NEVER)
    reviewed = np.isin(key, samples.bad.take(samples.bad.source == VERDICT).known_before(last).key)
    if samples.good is not None:
        reviewed |= np.isin(key, samples.good.known_before(last).key)
    return reviewed


def _is_near(key: Ints, bad_key: Ints) -> Flags:
    """Whether each user-day is within NEAR days of one of `bad_key`, of the same account."""
    if not len(bad_key):
        return np.zeros(len(key), np.bool_)
    after = np.searchsorted(bad_key, key)
    before = np.maximum(after - 1, 0)
    distance = np.minimum(np.abs(bad_key[before] - key), np.abs(bad_key[np.minimum(after, len(bad_key) - 1)] - key))
    near: Flags = distance <= NEAR  # keys of two accounts are further apart than any two days
    return near
