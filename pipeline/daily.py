"""The steps as Airflow and the command line call them: each holds the home's lock and returns its receipt as JSON."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from pipeline.context import Run
from pipeline.receipt import Receipt
from pipeline.settings import Settings
from pipeline.warehouse import belongs_to, locked

Asked = Mapping[str, Any]  # what `Run.open` takes: day, as_of, accept, and settings by name; None means not given
Answer = dict[str, Any]  # a receipt as JSON


def _locked(run: Run, step: Callable[[], Receipt]) -> Answer:
    with locked(run.settings, run.domain):
        return step().model_dump(mode="json", exclude_none=True)


def opened(asked: Asked) -> Run:
    return Run.open(**{name: value for name, value in asked.items() if name != "ingested"})


def reading(asked: Asked) -> Settings:
    """Settings for commands that only look. Raises UsageError if the home belongs to another domain."""
    run = opened(asked)
    belongs_to(run.home, run.domain)
    return run.settings


def ingest_events(
    asked: Asked,
    *,
    events: Iterable[Path] = (),
    labels: Iterable[Path] = (),
    history: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Bring in what lies in landing/, or the given files.

    Returns what the next steps are asked: the same, with `as_of` fixed so that they see it all, and under `ingested`
    the receipt.
    """
    from pipeline import ingest

    run = opened(asked)
    receipt = _locked(
        run,
        lambda: ingest.run(
            run.settings, run.domain, events=tuple(events), labels=tuple(labels), history=history, progress=progress
        ),
    )
    as_of = run.as_of if asked.get("as_of") else run.settings.clock()
    return {**asked, "as_of": as_of.isoformat(), "ingested": receipt}


def check_events(asked: Asked) -> Answer:
    return _validate(asked, "events")


def check_user_days(asked: Asked) -> Answer:
    return _validate(asked, "user_days")


def check_day(asked: Asked) -> Answer:
    return _validate(asked, None)


def _validate(asked: Asked, checkpoint: Literal["events", "user_days"] | None) -> Answer:
    from pipeline import validate

    run = opened(asked)
    return _locked(run, lambda: validate.run(run, checkpoint))


def build_features(asked: Asked, first: date | None = None) -> Answer:
    """The features of the day, or of all days since `first`."""
    from pipeline import features

    run = opened(asked)
    return _locked(run, lambda: features.run(run, first))


def build_training_features(asked: Asked) -> Answer:
    """The features of all days that a training run up to the day learns from."""
    from pipeline import features

    run = opened(asked)
    return _locked(run, lambda: features.run(run, run.first_training_day))


def train_challenger(asked: Asked, *, progress: bool = False) -> Answer:
    """Train a challenger on days up to the asked one. `promote_if_better` decides about it."""
    from pipeline import train

    run = opened(asked)
    return _locked(run, lambda: train.run(run, progress=progress))


def promote_if_better(asked: Asked, bundle: str, *, at: datetime | None = None) -> Answer:
    """Decide about a bundle. The decision takes effect `at`, by default now: lists issued before stay as they are."""
    return _promote(asked, bundle, at, force=False)


def promote(asked: Asked, bundle: str) -> Answer:
    """Make a bundle the champion, better or not."""
    return _promote(asked, bundle, None, force=True)


def _promote(asked: Asked, bundle: str, at: datetime | None, force: bool) -> Answer:
    from pipeline import train

    run = opened(asked)
    return _locked(run, lambda: train.promote(run, bundle, at=at or run.settings.clock(), force=force))


def roll_back(asked: Asked) -> Answer:
    from pipeline.models import registry

    run = opened(asked)

    def step() -> Receipt:
        left, now = registry.roll_back(run.home, run.settings.clock())
        return Receipt(step="rollback", day=now.until, details={"left": left.bundle, "champion": now.bundle})

    return _locked(run, step)


def score_users(asked: Asked) -> Answer:
    from pipeline import score

    run = opened(asked)
    return _locked(run, lambda: score.run(run))


def publish_list(asked: Asked) -> Answer:
    from pipeline import publish

    run = opened(asked)
    return _locked(run, lambda: publish.run(run))


def take_feedback(asked: Asked, path: Path) -> Answer:
    from pipeline import feedback

    run = opened(asked)
    return _locked(run, lambda: feedback.run(run.settings, run.domain, Path(path)))
