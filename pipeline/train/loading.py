"""Read samples from snapshots: user-days, their events and features, and the labels known by then."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.arrays import Codes, Ints
from pipeline.catalogue import features
from pipeline.domain import Domain
from pipeline.models.days import day_number, places_of, user_day_key
from pipeline.models.feature_rows import match, read_user_days
from pipeline.models.samples import Samples
from pipeline.models.tokens.fitting import fit_fields
from pipeline.models.tokens.reading import distinct_users, load_tokens
from pipeline.models.tokens.windows import user_day_windows
from pipeline.storage.snapshots import Snapshot
from pipeline.train.clocks import LabelClock

MAX_USERS = 60_000  # good accounts that a training run reads; each stands for as many as were left out
NEVER = np.int32(2**30)


@dataclass(frozen=True)
class Material:
    """Snapshots to learn from: user-days, and the tokens that their windows may hold. In order of days."""

    user_days: list[Snapshot]
    tokens: list[Snapshot]


@dataclass(frozen=True)
class Sources:
    """Snapshot files by day, and known bad user-days as `known_bad_user_days` returns them."""

    user_days: dict[date, Path]
    tokens: dict[date, Path]
    bad: pa.Table


@dataclass(frozen=True)
class AccountSample:
    """All known bad accounts, and at most so many others."""

    seed: int
    at_most: int = MAX_USERS


@dataclass(frozen=True)
class Loaded:
    """Samples, and the day on which each bad user-day became known (`NEVER` for others)."""

    samples: Samples
    known_day: Codes

    def between(self, first: date, last: date) -> "Loaded":
        """The user-days of the days `first`..`last`."""
        day = self.samples.windows.day
        chosen = (day >= day_number(first)) & (day <= day_number(last))
        return Loaded(self.samples.take(chosen), self.known_day[chosen])

    def with_clock(self, clock: LabelClock, until: date) -> "Loaded":
        """Up-weight known bad user-days of recent days, whose labels have not all arrived."""
        age = np.maximum(day_number(until) - self.samples.windows.day, 0)
        weight = self.samples.weight * np.where(self.samples.is_bad, clock.weight(age), 1.0)
        return replace(self, samples=replace(self.samples, weight=weight))


def load_samples(
    con: duckdb.DuckDBPyConnection, domain: Domain, sources: Sources, learn_last: date, accounts: AccountSample
) -> Loaded:
    """Every user-day of the chosen accounts, with its window of events.

    Vocabularies and scales come only from days up to `learn_last`.
    """
    bad, tokens = sources.bad, sources.tokens
    users, share = _choose_users(con, list(tokens.values()), bad, accounts)
    learned = [path for day, path in tokens.items() if day <= learn_last]
    fields = fit_fields(con, learned, domain.token.categorical, domain.token.numeric, users)
    loaded = load_tokens(con, list(tokens.values()), fields, users)
    read = read_user_days(con, list(sources.user_days.values()), users)
    windows = user_day_windows(loaded, min(sources.user_days), max(sources.user_days))
    windows = windows.take(np.isin(windows.day, np.unique(read.day)))
    bad_user = pa.compute.index_in(bad.column("user_id"), value_set=loaded.users).fill_null(-1).to_numpy()
    label = places_of(windows.key, user_day_key(bad_user, _days(bad.column("event_day"))))
    is_bad, is_bad_account = label >= 0, np.isin(windows.user, bad_user)
    samples = Samples(
        tokens=loaded,
        fields=fields,
        windows=windows,
        columns=tuple(features()),
        rows=read.rows[match(read, loaded, windows)],
        is_bad=is_bad,
        is_bad_account=is_bad_account,
        weight=np.ones(len(windows)),
        share=share,
    )
    samples = replace(samples, weight=samples.stands_for)
    known_day = np.full(len(windows), NEVER, np.int32)
    known_day[is_bad] = _days(bad.column("known_at"))[label[is_bad]]
    return Loaded(samples, known_day)


def _days(column: pa.ChunkedArray) -> Ints:
    days: Ints = column.cast(pa.date32(), safe=False).cast(pa.int32()).to_numpy().astype(np.int64)
    return days


def _choose_users(
    con: duckdb.DuckDBPyConnection, paths: Sequence[Path], bad: pa.Table, accounts: AccountSample
) -> tuple[pa.Array | None, float]:
    """The chosen accounts (None: all), and the share of the others that was chosen."""
    everybody = distinct_users(con, paths)
    if len(everybody) <= accounts.at_most:
        return None, 1.0
    chosen = distinct_users(con, paths, accounts.at_most, accounts.seed)
    both = pa.concat_arrays([chosen, bad.column("user_id").combine_chunks()]).unique()
    kept = both.filter(pa.compute.is_in(both, value_set=everybody))
    return kept.take(pa.compute.sort_indices(kept)), accounts.at_most / len(everybody)
