"""The steps as Airflow and the command line call them. Each holds the home's lock and returns its receipt as JSON."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from pipeline.context import Run
from pipeline.receipt import Receipt
from pipeline.settings import Settings
from pipeline.warehouse import belongs_to, locked

Request = Mapping[str, Any]  # arguments of `Run.open`: day, as_of, accept, and settings by name; None means not given
Answer = dict[str, Any]  # a receipt as JSON


def _locked(run: Run, step: Callable[[], Receipt]) -> Answer:
    with locked(run.settings, run.domain):
        return step().model_dump(mode="json", exclude_none=True)


def open_run(request: Request) -> Run:
    return Run.open(**{name: value for name, value in request.items() if name != "ingested"})


def settings_of(request: Request) -> Settings:
    """Settings of commands that only read. Raises UsageError if the home belongs to another domain."""
    run = open_run(request)
    belongs_to(run.home, run.domain)
    return run.settings


def suggest_settings(request: Request) -> Answer:
    """Settings that fit the home's data. Only reads."""
    from pipeline import suggest

    run = open_run(request)
    belongs_to(run.home, run.domain)
    return suggest.run(run).model_dump(mode="json", exclude_none=True)


def ingest_events(
    request: Request,
    *,
    events: Iterable[Path] = (),
    labels: Iterable[Path] = (),
    history: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Ingest the files in landing/, or the given ones.

    Returns the request of the next steps: `as_of` is fixed so that they see these files, and `ingested` is the receipt.
    """
    from pipeline import ingest

    run = open_run(request)
    receipt = _locked(
        run,
        lambda: ingest.run(
            run.settings, run.domain, events=tuple(events), labels=tuple(labels), history=history, progress=progress
        ),
    )
    as_of = run.as_of if request.get("as_of") else run.settings.clock()
    return {**request, "as_of": as_of.isoformat(), "ingested": receipt}


def check_events(request: Request) -> Answer:
    return _validate(request, "events")


def check_user_days(request: Request) -> Answer:
    return _validate(request, "user_days")


def check_day(request: Request) -> Answer:
    return _validate(request, None)


def _validate(request: Request, checkpoint: Literal["events", "user_days"] | None) -> Answer:
    from pipeline import validate

    run = open_run(request)
    return _locked(run, lambda: validate.run(run, checkpoint))


def build_features(request: Request, first: date | None = None) -> Answer:
    """Build the features of the days that the run scores, or of all days since `first`."""
    from pipeline import features

    run = open_run(request)
    return _locked(run, lambda: features.run(run, first))


def build_training_features(request: Request) -> Answer:
    """Build the features of all days that a training run up to the day learns from."""
    from pipeline import features

    run = open_run(request)
    return _locked(run, lambda: features.run(run, run.first_training_day))


def train_challenger(request: Request, *, progress: bool = False) -> Answer:
    """Train a challenger on days up to the requested one. `promote_if_better` decides about it."""
    from pipeline import train

    run = open_run(request)
    return _locked(run, lambda: train.run(run, progress=progress))


def promote_if_better(request: Request, bundle: str, *, at: datetime | None = None) -> Answer:
    """Decide about a bundle. It takes effect `at`, by default now. Lists published before stay as they are."""
    return _promote(request, bundle, at, force=False)


def promote(request: Request, bundle: str) -> Answer:
    """Make a bundle the champion, better or not."""
    return _promote(request, bundle, None, force=True)


def _promote(request: Request, bundle: str, at: datetime | None, force: bool) -> Answer:
    from pipeline import train

    run = open_run(request)
    return _locked(run, lambda: train.promote(run, bundle, at=at or run.settings.clock(), force=force))


def roll_back(request: Request) -> Answer:
    from pipeline.models import registry

    run = open_run(request)

    def step() -> Receipt:
        left, now = registry.roll_back(run.home, run.settings.clock())
        return Receipt(step="rollback", day=now.until, details={"left": left.bundle, "champion": now.bundle})

    return _locked(run, step)


def score_users(request: Request) -> Answer:
    from pipeline import score

    run = open_run(request)
    return _locked(run, lambda: score.run(run))


def publish_list(request: Request) -> Answer:
    from pipeline import publish

    run = open_run(request)
    return _locked(run, lambda: publish.run(run))


def take_feedback(request: Request, path: Path) -> Answer:
    from pipeline import feedback

    run = open_run(request)
    return _locked(run, lambda: feedback.run(run.settings, run.domain, Path(path)))
