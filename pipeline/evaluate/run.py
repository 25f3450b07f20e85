"""`dawnlist evaluate`: one protocol, all contenders, one report."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.status import Status

from pipeline.arrays import Flags
from pipeline.errors import InputError, UsageError
from pipeline.evaluate import contenders
from pipeline.evaluate.contender_summary import EvaluationSet
from pipeline.evaluate.contenders import FEATURES, OLDER, PRODUCT, SHUFFLED, Results
from pipeline.evaluate.experiment import Experiment, prepare
from pipeline.evaluate.handbook import PEER, handbook_scores
from pipeline.evaluate.injected import run_injected
from pipeline.evaluate.leaks.experiment_prices import leak_prices
from pipeline.evaluate.learning_curves import learning_curves
from pipeline.evaluate.list_changes import list_changes
from pipeline.evaluate.protocol import Protocol
from pipeline.evaluate.report.content import EvaluationReport, Extras, Placebo, Shuffle, TrainingGap
from pipeline.evaluate.sequences import run_sequences
from pipeline.evaluate.summary import Summary
from pipeline.metrics.ranking import average_precision
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.models.base.catalogue import BASE_MODELS

NOTHING_PROVEN = "we simulate this shop ourselves: it compares methods and proves nothing about yours"
FEW_LABELS = "the learning curves leave out features made of labels, which reveal every account ever reported"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """`data` has the protocol's files. `home` keeps what was built. `base_models` replaces those of the protocol."""

    data: Path | None = None
    home: Path | None = None
    base_models: tuple[str, ...] | None = None
    quick: bool = False  # no placebos, learning curves or prices of leaks


def run(
    protocol: Protocol,
    options: Options,
    console: Console | None = None,
    keep: Callable[[EvaluationReport], None] = lambda report: None,
) -> EvaluationReport:
    """Test a protocol's contenders. Raises UsageError or InputError if something is missing.

    Learning curves and prices of leaks take longest: `keep` receives the unfinished report before each.
    """
    console = console or Console(quiet=True)
    data = options.data
    chosen = protocol.base_models if options.base_models is None else options.base_models
    if unknown := sorted(set(chosen) - set(BASE_MODELS)):
        raise UsageError(
            f"no base model is called {', '.join(unknown)}", fix=f"name some of {', '.join(BASE_MODELS)}, or none"
        )
    if protocol.kind == "sequences":
        return run_sequences(protocol, data, chosen, console)
    with _kept(options.home) as home:
        if protocol.kind == "injected":
            return run_injected(protocol, data, home, chosen, console)
        with console.status("building, and training the product") as status:
            tell = _teller(status)
            experiment = prepare(protocol, data, home, options.quick)
            report = _report(experiment, _score_all(experiment, data, chosen, tell, options.quick))
            if not options.quick:
                keep(_unfinished(report, "learning curves and prices of leaks"))
                curves = learning_curves(experiment, contenders.plan_of(experiment), tell)
                report = report.model_copy(update={"learning": curves, "notes": [*report.notes, FEW_LABELS]})
                keep(_unfinished(report, "prices of leaks"))
                tell("prices of leaks")
                report = report.model_copy(update={"leaks": leak_prices(experiment)})
    return report


def _unfinished(report: EvaluationReport, missing: str) -> EvaluationReport:
    return report.model_copy(update={"notes": [f"unfinished: {missing} are missing", *report.notes]})


def _teller(status: Status) -> Tell:
    """Shows what is being done, and logs it with the time: a run may take hours."""

    def tell(words: str) -> None:
        status.update(words)
        status.console.print(f"{datetime.now(UTC):%H:%M:%S} UTC: {words}", markup=False)

    return tell


@contextmanager
def _kept(home: Path | None) -> Iterator[Path]:
    if home is not None:
        yield home
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "home"


def _score_all(
    experiment: Experiment, data: Path | None, base_models: Sequence[str], tell: Tell, quick: bool
) -> Results:
    """Scores of baselines, XGBoost over the features, the product, each base model, and the peer."""
    results, plan, built = Results(), contenders.plan_of(experiment), experiment.built
    tell("baselines and XGBoost over the features")
    results.scores |= dict(contenders.baselines(experiment))
    contenders.features_alone(experiment, plan, results)
    if not quick:
        tell("placebos")
        contenders.placebos(experiment, plan, results)
    results.scores |= contenders.product(experiment, built.bundle)
    if built.older is not None:
        results.scores[OLDER] = contenders.product(experiment, built.older)[PRODUCT]
    try:
        contenders.autoencoder_in_full(experiment, plan, results)
    except InputError as error:
        results.not_fitted["surprise beside the features"] = error.problem
    if experiment.protocol.peer == "handbook" and data is not None:
        tell("the handbook's XGBoost")
        results.scores |= handbook_scores(experiment, data)
    for name in contenders.base_models(experiment, base_models, plan, results):
        tell(f"base model {name}: {BASE_MODELS[name].about}")
    return results


def _pairs(results: Results) -> list[tuple[str, str]]:
    """What each base model adds to the features; and the product against them and against the peer."""
    beside = [name for name in results.scores if name.startswith(f"{FEATURES} + ")]
    peers = [name for name in results.scores if name.startswith(PEER) or name == OLDER]
    return [*((name, FEATURES) for name in (PRODUCT, *beside)), *((PRODUCT, name) for name in peers)]


def _report(experiment: Experiment, results: Results) -> EvaluationReport:
    protocol, test = experiment.protocol, experiment.test
    labels = replace(test.labels, scores=results.scores, risks=(PRODUCT,))
    users = test.samples.tokens.users.to_pylist()
    summary = Summary(
        protocol.title,
        protocol.model_dump(mode="json") | {"bundle": experiment.built.bundle},
        _pairs(results),
        list_changes(labels, OLDER, PRODUCT, protocol.reviews, users) if experiment.built.older else None,
        Extras(
            notes=_notes(protocol, results, test.groups),
            gaps=list(_gaps(results, labels)),
            shuffles=[Shuffle.of(SHUFFLED, results.shuffled, labels)],
            placebos=Placebo.all_of(FEATURES, results.placebos, labels, protocol.reviews),
        ),
    )
    return summary.report(EvaluationSet(labels, protocol.reviews, test.reported_at, test.groups))


def _notes(protocol: Protocol, results: Results, groups: Mapping[str, Flags]) -> list[str]:
    simulated = [NOTHING_PROVEN] if protocol.simulate is not None else []
    not_fitted = [f"{name} could not be fitted: {why}" for name, why in results.not_fitted.items()]
    empty = [f"no account of the test is in the group {name}" for name, is_in in groups.items() if not is_in.any()]
    return [*simulated, *protocol.notes, *not_fitted, *empty]


def _gaps(results: Results, labels: ScoredLabels) -> Iterator[TrainingGap]:
    for name, (samples, score) in results.on_training.items():
        if name not in BASE_MODELS or BASE_MODELS[name].kind == "supervised":
            train = average_precision(score, samples.is_bad)
            future = average_precision(results.scores[name], labels.is_bad)
            yield TrainingGap(contender=name, train=train, future=future)
