"""Read samples from snapshots: user-days, their events and features, and the labels known by then."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.catalogue import features
from pipeline.domain import Domain
from pipeline.models.feature_rows import match, read_user_days
from pipeline.models.labels import labelled_days
from pipeline.models.samples import NEVER, Samples
from pipeline.models.tokens.fitting import fit_fields
from pipeline.models.tokens.reading import distinct_users, load_tokens
from pipeline.models.tokens.windows import user_day_windows
from pipeline.storage.snapshots import Snapshot
from pipeline.train.reported import Reported

MAX_USERS = 60_000  # good accounts that a training run reads; each stands for as many as were left out


@dataclass(frozen=True)
class Material:
    """Snapshots to learn from: user-days, and the tokens that their windows may hold. In order of days.

    And what is known of how much is reported, and which features the champion does not know.
    """

    user_days: list[Snapshot]
    tokens: list[Snapshot]
    reported: Reported
    new_features: tuple[str, ...]


@dataclass(frozen=True)
class Sources:
    """Snapshot files by day, and what counted as bad or as good when: `label_spells`."""

    user_days: dict[date, Path]
    tokens: dict[date, Path]
    spells: pa.Table


@dataclass(frozen=True)
class AccountSample:
    """All known bad accounts, and at most so many others."""

    seed: int
    at_most: int = MAX_USERS


def load_samples(
    con: duckdb.DuckDBPyConnection, domain: Domain, sources: Sources, last_learned: date, accounts: AccountSample
) -> Samples:
    """Every user-day of the chosen accounts, with its window of events and all labels of `sources`.

    Vocabularies and scales come only from days up to `last_learned`.
    """
    tokens, spells = sources.tokens, sources.spells
    bad, good = spells.filter(spells["is_bad"]), spells.filter(pa.compute.invert(spells["is_bad"]))
    users, share = _choose_users(con, list(tokens.values()), bad, accounts)
    learned = [path for day, path in tokens.items() if day <= last_learned]
    fields = fit_fields(con, learned, domain.token.categorical, domain.token.numeric, users)
    loaded = load_tokens(con, list(tokens.values()), fields, users)
    read = read_user_days(con, list(sources.user_days.values()), users)
    windows = user_day_windows(loaded, min(sources.user_days), max(sources.user_days))
    windows = windows.take(np.isin(windows.day, np.unique(read.day)))
    known = labelled_days(bad, loaded.users)
    is_bad_account = np.isin(windows.user, known.user)
    samples = Samples(
        tokens=loaded,
        fields=fields,
        windows=windows,
        columns=tuple(features()),
        rows=read.rows[match(read, loaded, windows)],
        is_bad=np.isin(windows.key, known.known_before(int(NEVER)).key),
        is_bad_account=is_bad_account,
        weight=np.ones(len(windows)),
        share=share,
        is_certain=is_bad_account,
        bad=known,
        good=labelled_days(good, loaded.users),
    )
    return replace(samples, weight=samples.stands_for)


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
