"""A trial: a protocol's days built, cut and joined with the truth, ready for contenders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import daily, snapshots
from pipeline.domain import Domain
from pipeline.errors import InputError, UsageError
from pipeline.evaluate.guards import check_fold, check_known_accounts
from pipeline.evaluate.judged import Judged
from pipeline.evaluate.protocol import Protocol
from pipeline.evaluate.truth import Truth, known_from, read_truth
from pipeline.lake import end_of
from pipeline.models.labels import known_bad_user_days
from pipeline.models.samples import Doubles, Flags, Samples
from pipeline.models.windows import day_number, window_days
from pipeline.settings import Settings
from pipeline.train.clocks import LabelClock
from pipeline.train.cuts import Cuts, cut
from pipeline.train.loading import Loaded, load_samples
from pipeline.warehouse import connect

if TYPE_CHECKING:
    import duckdb


EVERYBODY = 10**9  # a test leaves nobody out
WEEK = 7
MOST_REFUSED = 0.5  # of the rows of the protocol's files
FAR = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Trial:
    """Samples of the training days, with what was known of them at the end of `until`, and of the test with its truth.

    `judged` has no scores yet; its rows are those of `test`.
    """

    protocol: Protocol
    settings: Settings
    domain: Domain
    bundle: str
    older: str | None  # trained a week earlier: what the list would be without this week's training
    cuts: Cuts
    known: Loaded
    test: Samples
    judged: Judged
    told_at: Doubles  # (n,) hours since 1970 when a label told of the account; NaN where none did
    groups: dict[str, Flags]  # (n,) each: the bad user-days that the protocol tells apart

    @property
    def as_of(self) -> datetime:
        return _after(self.protocol)

    @property
    def seen(self) -> Samples:
        """The matured days: all that may be learned from."""
        return self.known.between(self.cuts.first, self.cuts.stack_last).samples

    @property
    def since(self) -> int:
        """The first day the autoencoder has not learned from."""
        return day_number(self.cuts.stack_first)


def prepare(protocol: Protocol, data: Path | None, home: Path, quick: bool = False) -> Trial:
    """Run the product as a user would, up to a bundle trained on what was known at the end of `until`.

    Unless `quick`, one trained a week earlier stands beside it.
    """
    assert protocol.until is not None and protocol.test is not None
    given = {"home": home, "domain": protocol.domain, "as_of": _after(protocol), "now": _after(protocol)}
    domain, settings = Domain.load(protocol.domain), Settings.load(home=home, domain=protocol.domain)
    if domain.labels is None:
        raise UsageError(f"the pack {domain.name} has no labels to judge by", fix="use a protocol of kind: injected")
    truth_folder = _deliver(protocol, data, home, given)
    first, _ = daily.train_days(protocol.until, given)
    before = protocol.until - timedelta(days=WEEK)
    daily.backfill_features(first if quick else first - timedelta(days=WEEK), protocol.test[1], given)
    older = None if quick else daily.train(before, given)["details"]["bundle"]
    bundle = daily.train(protocol.until, given)["details"]["bundle"]
    with connect(settings) as con:
        return _cut(protocol, settings, domain, (bundle, older), con, first, truth_folder)


def _after(protocol: Protocol) -> datetime:
    """The morning after everything the protocol needs is known."""
    assert protocol.test is not None
    return end_of(protocol.truth_until or protocol.test[1]) + timedelta(hours=4)


def _deliver(protocol: Protocol, data: Path | None, home: Path, given: Mapping[str, Any]) -> Path | None:
    """Ingest the protocol's files as history. The folder of the truth, where the data is simulated."""
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
    ingested = daily.ingest(None, given, events=events, labels=labels, history=True)
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
            "from read_parquet($files) order by file, line limit 5",
            params={"files": str(home / "quarantine" / "*.parquet")},
        ).fetchall()
    reasons = ingested["details"].get("reasons", {})
    raise InputError(
        f"{refused:,} of {ingested['read']:,} rows of the protocol's files were refused",
        *(f"{reason}: {count:,}" for reason, count in reasons.items()),
        *(f"first: {row}" for (row,) in rows),
        fix="mend the files, or the mapping in the domain pack",
    )


def _cut(
    protocol: Protocol,
    settings: Settings,
    domain: Domain,
    trained: tuple[str, str | None],
    con: "duckdb.DuckDBPyConnection",
    first: date,
    truth_folder: Path | None,
) -> Trial:
    assert protocol.until is not None and protocol.test is not None
    home, until, (test_first, test_last), as_of = settings.home, protocol.until, protocol.test, _after(protocol)
    bad = known_bad_user_days(con, home, until, as_of)
    user_days = snapshots.paths(home, "user_days", first, test_last, as_of)
    tokens = snapshots.paths(home, "event_tokens", window_days(first)[0], test_last, as_of)
    clock = LabelClock.of(bad, until, domain.label_delay_days)
    wait_days = clock.days_until(domain.labels.learn_at if domain.labels else 1.0)
    days = [day for day in user_days if day <= until]
    cuts = cut(days, until, wait_days, bad.column("event_day").to_pylist(), settings.min_bad_labels)
    if not cuts.has_labels:
        last = until - timedelta(days=wait_days)
        matured = sum(day <= last for day in bad.column("event_day").to_pylist())
        raise InputError(
            f"too few matured labels by {until} to judge a stacker",
            f"wanted {settings.min_bad_labels} bad user-days up to {last}, half of them on its later days",
            f"found  {matured}, known by then",
            fix="choose a later `until`, or lower RISK_MIN_BAD_LABELS",
        )
    everything = load_samples(con, domain, user_days, tokens, bad, cuts.learn_last, settings.seed, at_most=EVERYBODY)
    known = everything.between(first, until).with_clock(clock, until)
    test = everything.between(test_first, test_last).samples
    truth = read_truth(con, home, truth_folder, protocol.truth_until or test_last, as_of)
    found = known_from(con, home, test_last, as_of, protocol.known_since)
    judged, variant, kept, told_at = _judge(test, truth, found, known.samples)
    check_fold(known.between(cuts.first, cuts.stack_last).samples.windows.day, judged.day, wait_days)
    check_known_accounts(judged.user, judged.day, *_codes(test, found))
    groups = _groups(protocol.groups, judged, variant)
    return Trial(protocol, settings, domain, *trained, cuts, known, test.take(kept), judged, told_at, groups)


def _judge(test: Samples, truth: Truth, found: pa.Table, known: Samples) -> tuple[Judged, Any, Flags, Doubles]:
    """The user-days of accounts not known before their day, their variants of abuse, which of `test` they are, and
    when they were told of."""
    users, day = test.windows.user, test.windows.day
    n_users = len(test.tokens.users)
    known_user, known_day = _codes(test, found)
    since = np.full(n_users, FAR, np.int32)
    np.minimum.at(since, known_user, known_day)
    kept = since[users] >= day
    is_bad, typology, variant, first_at = truth.of(test.tokens.users, users, day)
    judged = Judged(
        user=users,
        day=day,
        is_bad=is_bad,
        typology=typology,
        is_new=~np.isin(users, np.unique(known.windows.user)),
        first_bad_at=first_at,
        scores={},
    )
    told_at = np.where(since[users] < FAR, since[users] * 24.0, np.nan)
    return judged.take(kept), variant[kept], kept, told_at[kept]


def _groups(asked: Mapping[str, tuple[str, ...]], judged: Judged, variant: Any) -> dict[str, Flags]:
    """Which bad user-days are of one of the typologies, or `typology/variant`, that a group names."""
    if taken := sorted(set(asked) & set(judged.typology[judged.is_bad])):
        raise UsageError(f"a group has the name of a typology: {', '.join(taken)}", fix="give it another name")
    pairs = zip(judged.typology, variant, strict=True)
    names = [(str(typology), f"{typology}/{variant}") for typology, variant in pairs]
    return {
        group: judged.is_bad & np.array([not of.isdisjoint(each) for each in names], np.bool_)
        for group, of in ((group, frozenset(kinds)) for group, kinds in asked.items())
    }


def _codes(test: Samples, found: pa.Table) -> tuple[Any, Any]:
    """Accounts known bad as places in the tokens' users, and the day they became known."""
    place = pc.index_in(found.column("user_id"), value_set=test.tokens.users).fill_null(-1).to_numpy()
    day = found.column("known_day").to_numpy().astype(np.int32)
    return place[place >= 0].astype(np.int32), day[place >= 0]
