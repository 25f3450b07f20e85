"""An experiment: a protocol's days, built by the product, split in time and joined with the true labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import daily
from pipeline.arrays import Codes, Doubles, Flags, Names
from pipeline.domain import Domain
from pipeline.errors import InputError, UsageError
from pipeline.evaluate.guards import check_fold, check_known_accounts
from pipeline.evaluate.mornings import morning_after
from pipeline.evaluate.protocol import Protocol
from pipeline.evaluate.truth import Truth, read_truth, reported_accounts
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.models.days import day_number
from pipeline.models.labels import bad_in_force, label_arrivals, label_spells, named
from pipeline.models.samples import Samples
from pipeline.models.tokens.windows import window_days
from pipeline.settings import Settings
from pipeline.sql import parquet
from pipeline.storage import snapshots
from pipeline.train.clocks import LabelClock
from pipeline.train.known_labels import as_known
from pipeline.train.loading import AccountSample, Sources, load_samples
from pipeline.train.splits import Split, split_days
from pipeline.warehouse import connect

if TYPE_CHECKING:
    import duckdb

EVERYBODY = 10**9  # a test leaves no account out
WEEK = 7
MOST_REFUSED = 0.5  # of the rows of the protocol's files
NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Built:
    """What the product made: its bundle, one trained a week earlier, and where a simulation wrote its truth."""

    first: date  # day of training
    bundle: str
    older: str | None
    truth: Path | None


@dataclass(frozen=True)
class LabelledTest:
    """User-days of the test. Accounts reported before a day are not among them.

    `labels` has no scores yet; its rows are those of `samples`. `reported_at`: hours since 1970 when a label reported
    the account (n,), NaN if none did. `groups` are the bad user-days (n,) of each group of the protocol.
    """

    samples: Samples
    labels: ScoredLabels
    reported_at: Doubles
    groups: dict[str, Flags]


@dataclass(frozen=True)
class Experiment:
    """Training days with the labels known at the end of `until`, and the test with its true labels."""

    protocol: Protocol
    settings: Settings
    domain: Domain
    built: Built
    split: Split
    known: Samples  # training days, with the labels known at the end of `until`
    clock: LabelClock
    test: LabelledTest

    @property
    def as_of(self) -> datetime:
        return _morning_after(self.protocol)

    @property
    def training(self) -> Samples:
        """The matured days: all that models may learn from."""
        return self.known.between(self.split.first, self.split.stack_last)

    @property
    def morning(self) -> int:
        """The day after `until`, on which the models are trained."""
        assert self.protocol.until is not None
        return day_number(self.protocol.until) + 1

    @property
    def since(self) -> int:
        """The first day on which base models are judged."""
        return day_number(self.split.stack_first)


def prepare(protocol: Protocol, data: Path | None, home: Path, quick: bool = False) -> Experiment:
    """Run the product as a user would, up to a bundle trained on what was known at the end of `until`.

    Unless `quick`, also train one on what was known a week earlier.
    """
    assert protocol.until is not None and protocol.test is not None
    given = {
        "home": home,
        "domain": protocol.domain,
        "as_of": _morning_after(protocol),
        "now": _morning_after(protocol),
    }
    domain, settings = Domain.load(protocol.domain), Settings.load(home=home, domain=protocol.domain)
    if domain.labels is None:
        raise UsageError(f"the pack {domain.name} has no labels to test with", fix="use a protocol of kind: injected")
    truth = _deliver(protocol, data, home, given)
    first = daily.open_run(given | {"day": protocol.until}).first_training_day
    before = protocol.until - timedelta(days=WEEK)
    daily.build_features(given | {"day": protocol.test[1]}, first if quick else first - timedelta(days=WEEK))
    older = None if quick else daily.train_challenger(given | {"day": before})["details"]["bundle"]
    bundle = daily.train_challenger(given | {"day": protocol.until})["details"]["bundle"]
    with connect(settings) as con:
        return _assemble(protocol, settings, domain, con, Built(first, bundle, older, truth))


def _morning_after(protocol: Protocol) -> datetime:
    """The morning after everything the protocol needs is known."""
    assert protocol.test is not None
    return morning_after(protocol.truth_until or protocol.test[1])


def _deliver(protocol: Protocol, data: Path | None, home: Path, given: Mapping[str, Any]) -> Path | None:
    """Ingest the protocol's files as history. Returns the truth folder of simulated data."""
    if protocol.simulate is not None:
        from pipeline import simulate

        out = home.parent / f"{home.name}_shop"
        if not (out / "truth" / "simulation.json").is_file():
            simulate.run(out, **protocol.simulate.model_dump())
        events, labels = [out / "events"], [out / "labels"]
    else:
        if data is None:
            raise UsageError(f"protocol {protocol.name} needs a folder of data", fix="name it with --data")
        events, labels = [data / name for name in protocol.events], [data / name for name in protocol.labels]
        if missing := [str(path) for path in (*events, *labels) if not path.exists()]:
            raise InputError("the protocol's files are not there", *missing, fix="name their folder with --data")
    ingested = daily.ingest_events(given, events=events, labels=labels, history=True)["ingested"]
    if refused := ingested["refused"]:
        _check_refused(ingested, refused, home)
    return out / "truth" if protocol.simulate is not None else None


def _check_refused(ingested: Mapping[str, Any], refused: int, home: Path) -> None:
    """Raises InputError where most rows were refused: what is left would be another business."""
    if refused <= MOST_REFUSED * ingested["read"]:
        return
    with connect(Settings.load(home=home)) as con:
        rows = con.sql(
            "select file || ' line ' || line || ': ' || reason || coalesce(' ' || detail, '') "
            f"from {parquet(sorted((home / 'quarantine').glob('*.parquet')))} order by file, line limit 5"
        ).fetchall()
    reasons = ingested["details"].get("reasons", {})
    raise InputError(
        f"{refused:,} of {ingested['read']:,} rows of the protocol's files were refused",
        *(f"{reason}: {count:,}" for reason, count in reasons.items()),
        *(f"first: {row}" for (row,) in rows),
        fix="correct the files, or the mapping in the domain pack",
    )


def _assemble(
    protocol: Protocol, settings: Settings, domain: Domain, con: "duckdb.DuckDBPyConnection", built: Built
) -> Experiment:
    assert protocol.until is not None and protocol.test is not None
    home, until, as_of = settings.home, protocol.until, _morning_after(protocol)
    first, (test_first, test_last) = built.first, protocol.test
    spells = label_spells(con, home, until, as_of)
    bad = named(bad_in_force(spells))
    user_days = snapshots.paths(home, "user_days", first, test_last, as_of)
    tokens = snapshots.paths(home, "event_tokens", window_days(first)[0], test_last, as_of)
    arrivals = label_arrivals(con, home, until, as_of)
    clock = LabelClock.of(arrivals, until, domain.label_delay_days, domain.learn_at, domain.reported_share)
    wait_days = clock.wait_days
    days = [day for day in user_days if day <= until]
    split = split_days(days, until, wait_days, bad.column("event_day").to_pylist(), settings.min_bad_labels)
    if not split.has_labels:
        last = until - timedelta(days=wait_days)
        matured = sum(day <= last for day in bad.column("event_day").to_pylist())
        raise InputError(
            f"too few matured labels by {until} to test a stacker",
            f"wanted {settings.min_bad_labels} bad user-days up to {last}, half of them on its later days",
            f"found  {matured}, known by then",
            fix="choose a later `until`, or lower RISK_MIN_BAD_LABELS",
        )
    sources, everybody = (
        Sources(user_days, tokens, spells),
        AccountSample(settings.seed, EVERYBODY),
    )
    everything = load_samples(con, domain, sources, split.last, everybody)
    known = as_known(everything.between(first, until), day_number(until) + 1, clock)
    tested = everything.between(test_first, test_last)
    truth = read_truth(con, home, built.truth, protocol.truth_until or test_last, as_of)
    reported = Reported.of(tested, reported_accounts(con, home, test_last, as_of, protocol.known_since))
    training_users = np.unique(known.windows.user)
    test = _test(tested, truth, reported, training_users, protocol.groups)
    check_fold(known.between(split.first, split.stack_last).windows.day, test.labels.day, wait_days)
    check_known_accounts(test.labels.user, test.labels.day, reported.user, reported.day)
    return Experiment(protocol, settings, domain, built, split, known, clock, test)


@dataclass(frozen=True)
class Reported:
    """Accounts with a bad label, as places in the tokens' users, and the day it became known."""

    user: Codes
    day: Codes

    @classmethod
    def of(cls, samples: Samples, accounts: pa.Table) -> "Reported":
        place = pc.index_in(accounts.column("user_id"), value_set=samples.tokens.users).fill_null(-1).to_numpy()
        day = accounts.column("known_day").to_numpy().astype(np.int32)
        return cls(place[place >= 0].astype(np.int32), day[place >= 0])


def _test(
    samples: Samples,
    truth: Truth,
    reported: Reported,
    training_users: Codes,
    groups: Mapping[str, tuple[str, ...]],
) -> LabelledTest:
    """The user-days of accounts that were not reported before their day, with their true labels."""
    user, day = samples.windows.user, samples.windows.day
    reported_on = np.full(len(samples.tokens.users), NEVER, np.int32)
    np.minimum.at(reported_on, reported.user, reported.day)
    kept = reported_on[user] >= day
    true = truth.of(samples.tokens.users, user, day)
    labels = ScoredLabels(
        user=user,
        day=day,
        is_bad=true.is_bad,
        typology=true.typology,
        is_new=~np.isin(user, training_users),
        first_bad_at=true.first_bad_at,
        scores={},
    ).take(kept)
    reported_at = np.where(reported_on[user] < NEVER, reported_on[user] * 24.0, np.nan)[kept]
    return LabelledTest(samples.take(kept), labels, reported_at, bad_by_group(groups, labels, true.variant[kept]))


def bad_by_group(groups: Mapping[str, tuple[str, ...]], labels: ScoredLabels, variant: Names) -> dict[str, Flags]:
    """The bad user-days of each group. A group names typologies, or variants as `typology/variant`."""
    if taken := sorted(set(groups) & set(labels.typology[labels.is_bad])):
        raise UsageError(f"a group has the name of a typology: {', '.join(taken)}", fix="give it another name")
    pairs = zip(labels.typology, variant, strict=True)
    names = [(str(typology), f"{typology}/{variant}") for typology, variant in pairs]
    return {
        group: labels.is_bad & np.array([not members.isdisjoint(each) for each in names], np.bool_)
        for group, members in ((group, frozenset(kinds)) for group, kinds in groups.items())
    }
