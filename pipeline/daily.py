"""The steps as Airflow and the command line call them: settings and the lock around each, receipts as JSON out."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pipeline.domain import Domain
from pipeline.errors import UsageError
from pipeline.lake import end_of
from pipeline.receipt import Receipt
from pipeline.settings import Settings
from pipeline.warehouse import belongs_to, locked

Overrides = Mapping[str, Any]  # settings by name, and as_of as ISO text; None means not given
Answer = dict[str, Any]


def _open(overrides: Overrides) -> tuple[Settings, Domain, datetime]:
    given = {name: value for name, value in overrides.items() if name != "as_of"}
    settings = Settings.load(**given)
    domain = Domain.load(settings.domain)
    return settings, domain, _moment(overrides.get("as_of"), settings.clock())


def _moment(as_of: datetime | str | None, now: datetime) -> datetime:
    """When a run looks back from. Raises UsageError for the future: the day would be settled before it is known."""
    moment = datetime.fromisoformat(as_of) if isinstance(as_of, str) else as_of or now
    if moment.tzinfo is None:
        raise UsageError(f"as_of needs a time zone, got {moment.isoformat()}", fix="write it like 2026-11-22T04:00:00Z")
    if moment > now:
        raise UsageError(
            f"as_of {moment.isoformat()} is in the future", f"it is {now.isoformat()} now", fix="choose an earlier time"
        )
    return moment.astimezone(UTC)


def _open_day(day: date, overrides: Overrides) -> tuple[Settings, Domain, datetime]:
    """The same, for a step about a day. Raises UsageError while that day is not over: it would change every hour."""
    settings, domain, as_of = _open(overrides)
    if as_of < end_of(day):
        raise UsageError(
            f"{day} is not over yet: it is {as_of:%Y-%m-%d %H:%M} UTC",
            fix="choose an earlier day; days end at 00:00 UTC",
        )
    return settings, domain, as_of


def reading(overrides: Overrides) -> Settings:
    """Settings for commands that only look. Raises UsageError if the home belongs to another domain."""
    settings, domain, _ = _open(overrides)
    belongs_to(settings.home, domain)
    return settings


def _answer(receipt: Receipt) -> Answer:
    return receipt.model_dump(mode="json", exclude_none=True)


def ingest(
    day: date | None,
    overrides: Overrides,
    *,
    events: Iterable[Path] = (),
    labels: Iterable[Path] = (),
    history: bool = False,
    progress: bool = False,
) -> Answer:
    """Bring in what lies in landing/, or the given files. `day` only names the run it belongs to.

    The answer's `as_of`, for the steps that follow: the one given, or else the moment after, which sees it all.
    """
    from pipeline import ingest as step

    settings, domain, as_of = _open_day(day, overrides) if day else _open(overrides)
    with locked(settings, domain):
        receipt = step.run(
            settings, domain, events=tuple(events), labels=tuple(labels), history=history, progress=progress
        )
        moment = as_of if overrides.get("as_of") else settings.clock()
    details = receipt.details | {"as_of": moment.isoformat()}
    return _answer(receipt.model_copy(update={"day": day, "details": details}))


def features(day: date, overrides: Overrides) -> Answer:
    return backfill_features(day, day, overrides)


def backfill_features(first: date, last: date, overrides: Overrides) -> Answer:
    from pipeline import features as step

    settings, domain, as_of = _open_day(last, overrides)
    if first > last:
        raise UsageError(f"the range ends before it begins: {first} to {last}")
    with locked(settings, domain):
        return _answer(step.run(settings, domain, first, last, as_of=as_of))


def validate(
    day: date,
    door: Literal["events", "user_days"] | None,
    overrides: Overrides,
    *,
    accept: Iterable[str] = (),
) -> Answer:
    from pipeline import validate as step

    settings, domain, as_of = _open_day(day, overrides)
    with locked(settings, domain):
        return _answer(step.run(settings, domain, day, as_of=as_of, door=door, accept=tuple(accept)))


def train(until: date, overrides: Overrides, *, progress: bool = False) -> Answer:
    """Train a candidate. `promote` decides about it."""
    from pipeline import train as step

    settings, domain, as_of = _open_day(until, overrides)
    with locked(settings, domain):
        return _answer(step.run(settings, domain, until, as_of=as_of, progress=progress))


def train_days(until: date, overrides: Overrides) -> tuple[date, date]:
    """The days a training run learns from."""
    settings, _, _ = _open(overrides)
    return until - timedelta(days=settings.train_days - 1), until


def promote(bundle: str, overrides: Overrides, *, force: bool = False, at: datetime | None = None) -> Answer:
    """Decide about a bundle. The decision takes effect `at`, by default now: lists issued before stay as they are."""
    from pipeline import train as step

    settings, domain, as_of = _open(overrides)
    with locked(settings, domain):
        return _answer(step.promote(settings, domain, bundle, as_of=as_of, at=at or settings.clock(), force=force))


def roll_back(overrides: Overrides) -> Answer:
    from pipeline.models import registry

    settings, domain, _ = _open(overrides)
    with locked(settings, domain):
        left, now = registry.roll_back(settings.home, settings.clock())
    details = {"left": left.bundle, "in_use": now.bundle}
    return _answer(Receipt(step="rollback", day=now.until, details=details))


def score(day: date, overrides: Overrides) -> Answer:
    from pipeline import score as step

    settings, domain, as_of = _open_day(day, overrides)
    with locked(settings, domain):
        return _answer(step.run(settings, domain, day, as_of=as_of))


def publish(day: date, overrides: Overrides, *, accept: Iterable[str] = ()) -> Answer:
    from pipeline import publish as step

    settings, domain, as_of = _open_day(day, overrides)
    with locked(settings, domain):
        return _answer(step.run(settings, domain, day, as_of=as_of, accept=tuple(accept)))


def feedback(path: Path, overrides: Overrides) -> Answer:
    from pipeline import feedback as step

    settings, domain, _ = _open(overrides)
    with locked(settings, domain):
        return _answer(step.run(settings, domain, Path(path)))
