"""`dawnlist evaluate`: one protocol, every contender, one report."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.status import Status

from pipeline.errors import InputError, UsageError
from pipeline.evaluate import contenders
from pipeline.evaluate.contenders import FEATURES, OLDER, PRODUCT, SHUFFLED, Field
from pipeline.evaluate.injected import judge_injected
from pipeline.evaluate.intervals import average_precision
from pipeline.evaluate.judged import Judged
from pipeline.evaluate.learning import learning_curves
from pipeline.evaluate.prices import prices
from pipeline.evaluate.protocol import Protocol
from pipeline.evaluate.report import Given, Placebo, Report, Shuffle, TrainingGap
from pipeline.evaluate.sequences import judge_sequences
from pipeline.evaluate.summary import summary
from pipeline.evaluate.summary_changes import list_changes
from pipeline.evaluate.trial import Trial, prepare
from pipeline.models.base.catalogue import BASE_MODELS

NOTHING_PROVEN = "this shop is simulated by ourselves: it compares methods and proves nothing about yours"
FEW_LABELS = "the learning curves leave out features made of labels, which know of every account that was ever reported"
Say = Callable[[str], None]


def run(
    protocol: Protocol,
    data: Path | None,
    home: Path | None,
    *,
    arms: Sequence[str] | None = None,
    quick: bool = False,
    console: Console | None = None,
    keep: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Judge a protocol's contenders. `home` keeps what was built for the next time; `arms` replaces the protocol's.

    `quick` leaves out placebos, learning curves and the price list. `keep` is given the report before each of the last
    two, since they take the longest. Raises UsageError or InputError where something is missing.
    """
    console = console or Console(quiet=True)
    chosen = tuple(protocol.arms if arms is None else arms)
    if unknown := sorted(set(chosen) - set(BASE_MODELS)):
        raise UsageError(f"no arm is called {', '.join(unknown)}", f"arms: {', '.join(BASE_MODELS)}")
    if protocol.kind == "sequences":
        return judge_sequences(protocol, data, chosen, console)
    with _kept(home) as place:
        if protocol.kind == "injected":
            return judge_injected(protocol, data, place, chosen, console)
        with console.status("building, and training the product") as status:
            say = _teller(status)
            trial = prepare(protocol, data, place, quick)
            report = _report(trial, _everybody(trial, data, chosen, say, quick))
            if not quick:
                keep(_unfinished(report, "learning curves and the prices of leaks"))
                curves = learning_curves(trial, contenders.plan_of(trial), say)
                report = report.model_copy(update={"learning": curves, "notes": [*report.notes, FEW_LABELS]})
                keep(_unfinished(report, "the prices of leaks"))
                say("the price list of leaks")
                report = report.model_copy(update={"leaks": prices(trial)})
    return report


def _unfinished(report: Report, missing: str) -> Report:
    return report.model_copy(update={"notes": [f"unfinished: {missing} are still to come", *report.notes]})


def _teller(status: Status) -> Say:
    """Says what is being done, and leaves a line with the time: a run may take hours, and be read in a log."""

    def say(words: str) -> None:
        status.update(words)
        status.console.print(f"{datetime.now(UTC):%H:%M:%S} UTC: {words}", markup=False)

    return say


@contextmanager
def _kept(home: Path | None) -> Iterator[Path]:
    if home is not None:
        yield home
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "home"


def _everybody(trial: Trial, data: Path | None, arms: Sequence[str], tell: Say, quick: bool) -> Field:
    """Scores of floors, the product, its stacker with and without what the autoencoder says, each arm, and the peer."""
    found, plan = Field(), contenders.plan_of(trial)
    tell("floors and XGBoost over the features")
    found.scores |= dict(contenders.floors(trial))
    contenders.tabular(trial, plan, found)
    if not quick:
        tell("placebos")
        contenders.placebos(trial, plan, found)
    found.scores |= contenders.product(trial, trial.bundle)
    if trial.older is not None:
        found.scores[OLDER] = contenders.product(trial, trial.older)[PRODUCT]
    try:
        contenders.autoencoder_in_full(trial, plan, found)
    except InputError as error:
        found.fell_out["surprise and code beside the features"] = error.problem
    if trial.protocol.peer == "book" and data is not None:
        from pipeline.evaluate.book import book_scores

        tell("the book's XGBoost")
        found.scores |= book_scores(trial, data)
    for name in contenders.arms(trial, tuple(arms), plan, found):
        tell(f"arm {name}: {BASE_MODELS[name].about}")
    return found


def _pairs(found: Field) -> list[tuple[str, str]]:
    """What each arm adds to the features; and the product against them and against the peer."""
    beside = [name for name in found.scores if name.startswith(f"{FEATURES} + ")]
    peers = [name for name in found.scores if name.startswith("book: ") or name == OLDER]
    return [*((name, FEATURES) for name in (PRODUCT, *beside)), *((PRODUCT, name) for name in peers)]


def _report(trial: Trial, found: Field) -> Report:
    judged, protocol = replace(trial.judged, scores=found.scores, risks=(PRODUCT,)), trial.protocol
    users = trial.test.tokens.users.to_pylist()
    return summary(
        judged,
        protocol.title,
        protocol.model_dump(mode="json") | {"bundle": trial.bundle},
        reviews=protocol.reviews,
        pairs=_pairs(found),
        changes=list_changes(judged, OLDER, PRODUCT, protocol.reviews, users) if trial.older else None,
        given=Given(
            notes=_notes(trial, found),
            gaps=list(_gaps(found, trial.judged)),
            shuffles=[Shuffle.of(SHUFFLED, found.shuffled, trial.judged)],
            placebos=Placebo.all_of(FEATURES, found.placebos, judged, protocol.reviews),
        ),
        known_from=trial.told_at,
        told_apart=trial.groups,
    )


def _notes(trial: Trial, found: Field) -> list[str]:
    said = [NOTHING_PROVEN] if trial.protocol.simulate is not None else []
    said += [f"{name} could not be fitted: {why}" for name, why in found.fell_out.items()]
    return said + [
        f"nobody of the test is in the group {name}" for name, is_in in trial.groups.items() if not is_in.any()
    ]


def _gaps(found: Field, judged: Judged) -> Iterator[TrainingGap]:
    for name, (samples, score) in found.learned.items():
        if name not in BASE_MODELS or BASE_MODELS[name].kind == "supervised":
            train = average_precision(score, samples.is_bad)
            yield TrainingGap(contender=name, train=train, future=average_precision(found.scores[name], judged.is_bad))
