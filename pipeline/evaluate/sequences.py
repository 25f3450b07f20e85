"""Experiments on sequences without a clock: base models, XGBoost on aggregates and both, by number of known labels."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from pipeline.arrays import Doubles, Flags, Ints
from pipeline.evaluate.contender_summary import EvaluationSet
from pipeline.evaluate.contenders import SHUFFLED, SHUFFLES
from pipeline.evaluate.protocol import Protocol
from pipeline.evaluate.report.content import CurvePoint, EvaluationReport, Extras, Pair, Shuffle
from pipeline.evaluate.sequence_data import SequenceSplits, read_sequences
from pipeline.evaluate.summary import Summary
from pipeline.metrics.bootstrap import Difference
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.models.calibration import log_odds
from pipeline.models.samples import Samples
from pipeline.models.tokens.windows import Windows

Sizes = dict[str, int]

AGGREGATES = "XGBoost, aggregates"
AVERAGE = "average of XGBoost and the sequence models"
STACK = "stack: XGBoost over aggregates and base models"
FOLDS = 4
MANY = 200  # labels, of which some can be spared for early stopping
SEEDS = (7, 8, 9)
REPEATS = 300
XGBOOST: dict[str, Any] = {
    "learning_rate": 0.05,
    "min_child_weight": 1,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "base_score": 0.5,
    "tree_method": "exact",
    "n_jobs": 2,
}
TRIED = [{"max_depth": depth, "n_estimators": trees} for depth in (2, 3, 4) for trees in (100, 200, 300)]


Draws = dict[int, list[dict[str, Doubles]]]  # scores by contender, for each draw of so many labels


def run_sequences(
    protocol: Protocol, data: Path | None, base_models: Sequence[str], console: Console
) -> EvaluationReport:
    """Every contender on the test users with all labels, and ROC AUC by number of labels for those that learn."""
    sequences = read_sequences(protocol, data)
    with console.status("all labels"):
        sizes = best_sizes(sequences)
        scores = contenders(sequences, base_models, sizes)
    draws: Draws = {}
    curve = protocol.learning_curve
    for labels in curve.labels:
        with console.status(f"{labels} labels, {curve.repeats} draws"):
            some = [with_labels(sequences, labels, repeat) for repeat in range(curve.repeats)]
            draws[labels] = [contenders(each, curve.base_models, sizes, SEEDS[:1]) for each in some]
    labels_of_test = _labels(sequences, scores)
    shuffled = [_shuffled(sequences, sizes, shuffle) for shuffle in range(SHUFFLES)]
    extras = Extras(
        notes=list(protocol.notes),
        learning_metric="ROC AUC",
        learning_unit="users labelled",
        learning=_curves(sequences, scores, draws),
        shuffles=[Shuffle.of(SHUFFLED, shuffled, labels_of_test)],
    )
    pairs = [(name, AGGREGATES) for name in scores if name != AGGREGATES]
    settings = protocol.model_dump(mode="json") | {"xgboost": XGBOOST | sizes}
    report = Summary(protocol.title, settings, pairs, extras=extras).report(
        EvaluationSet(labels_of_test, protocol.reviews)
    )
    few = [pair for labels, drawn in draws.items() for pair in _pairs_with_few(sequences, labels, drawn)]
    return report.model_copy(update={"pairs": [*report.pairs, *few]})


def _curves(sequences: SequenceSplits, scores: dict[str, Doubles], draws: Draws) -> dict[str, list[CurvePoint]]:
    """Mean, least and most ROC AUC of the draws of so many labels; and with all of them."""
    is_bad = sequences.test.is_bad

    def points(name: str) -> Iterator[CurvePoint]:
        for labels, drawn in sorted(draws.items()):
            areas = [_auc(each[name], is_bad) for each in drawn if name in each]
            if areas:
                yield CurvePoint(labels=labels, value=float(np.mean(areas)), low=min(areas), high=max(areas))
        yield CurvePoint(labels=len(sequences.train) + len(sequences.valid), value=_auc(scores[name], is_bad))

    drawn_names = {name for drawn in draws.values() for each in drawn for name in each}
    return {name: list(points(name)) for name in scores if name in drawn_names}


def _auc(score: Doubles, is_bad: Flags) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_bad, score)) if 0 < is_bad.sum() < len(is_bad) else float("nan")


def _pairs_with_few(sequences: SequenceSplits, labels: int, draws: list[dict[str, Doubles]]) -> Iterator[Pair]:
    """Each contender against XGBoost on aggregates with the same few labels: the mean over draws of labels.

    The interval resamples both the draws of labels and the test users.
    """
    is_bad, random = sequences.test.is_bad, np.random.default_rng(labels)
    resampled = [
        (random.integers(0, len(draws), len(draws)), random.integers(0, len(is_bad), len(is_bad)))
        for _ in range(REPEATS)
    ]

    def gain(name: str, which: Ints, who: Ints) -> float:
        pairs = [(draws[k][name][who], draws[k][AGGREGATES][who]) for k in which]
        return float(np.mean([_auc(a, is_bad[who]) - _auc(b, is_bad[who]) for a, b in pairs]))

    for name in draws[0]:
        if name != AGGREGATES and all(name in draw for draw in draws):
            value = gain(name, np.arange(len(draws)), np.arange(len(is_bad)))
            low, high = np.nanquantile([gain(name, *chosen) for chosen in resampled], [0.025, 0.975])
            a, b = (f"{each} ({labels} labels)" for each in (name, AGGREGATES))
            yield Pair.of(a, b, "roc_auc", Difference(value, float(low), float(high)))


def with_labels(sequences: SequenceSplits, labels: int, repeat: int) -> SequenceSplits:
    """The same if only so many users have a label, half of them bad. The others have weight 0."""
    random = np.random.default_rng([labels, repeat])
    bad = random.permutation(np.flatnonzero(sequences.train.is_bad))[: labels // 2]
    good = random.permutation(np.flatnonzero(~sequences.train.is_bad))[: labels - labels // 2]
    labelled = np.concatenate([bad, good])
    train, valid = _only(sequences.train, labelled), _only(sequences.valid, np.empty(0, np.int64))
    return SequenceSplits(train, valid, sequences.test)


def _only(samples: Samples, labelled: Ints) -> Samples:
    """The others are unlabelled, and stay in for unsupervised learning."""
    weight = np.zeros(len(samples))
    weight[labelled] = 1.0
    is_bad = samples.is_bad & (weight > 0)
    return replace(samples, weight=weight, is_bad=is_bad, is_bad_account=is_bad)


def best_sizes(sequences: SequenceSplits) -> Sizes:
    """Depth and number of trees that rank the validation users best."""
    train, valid = sequences.train, sequences.valid
    areas = [_auc(_boosted(train.rows, train, valid.rows, sizes, SEEDS), valid.is_bad) for sizes in TRIED]
    return TRIED[int(np.argmax(areas))]


def contenders(
    sequences: SequenceSplits, base_models: Sequence[str], sizes: Sizes, seeds: Sequence[int] = SEEDS
) -> dict[str, Doubles]:
    """Scores of the test users: each base model, XGBoost over aggregates, and both together."""
    train, valid, test = sequences.train, sequences.valid, sequences.test
    both = train if not valid.weight.any() else _joined(train, valid)
    scores = {AGGREGATES: _boosted(both.rows, both, test.rows, sizes, seeds)}
    out_of_fold: dict[str, Doubles] = {}
    for name in base_models:
        of_seeds = [BASE_MODELS[name].fit(train, valid, seed, 2, False).score(test) for seed in seeds]
        scores[name] = np.mean(of_seeds, axis=0)
        out_of_fold[name] = np.full(len(both), np.nan)
        for learn, stop, rows in _folds(both):
            out_of_fold[name][rows] = BASE_MODELS[name].fit(learn, stop, seeds[0], 2, False).score(both.take(rows))
    if out_of_fold:
        learn_rows = np.column_stack([both.rows, *out_of_fold.values()])
        test_rows = np.column_stack([test.rows, *(scores[name] for name in out_of_fold)])
        scores[STACK] = _boosted(learn_rows, both, test_rows, sizes, seeds)
        supervised = [scores[name] for name in base_models if BASE_MODELS[name].kind == "supervised"]
        if supervised:
            scores[AVERAGE] = np.mean([log_odds(scores[AGGREGATES]), np.mean(supervised, axis=0)], axis=0)
    return scores


def _joined(train: Samples, valid: Samples) -> Samples:
    """Both parts. They share their tokens."""
    windows = Windows(
        *(
            np.concatenate([getattr(part.windows, name) for part in (train, valid)])
            for name in ("user", "day", "start", "history_end", "today", "end")
        )
    )
    is_bad = np.concatenate([train.is_bad, valid.is_bad])
    rows = np.concatenate([train.rows, valid.rows])
    weight = np.concatenate([train.weight, valid.weight])
    return replace(train, windows=windows, rows=rows, is_bad=is_bad, is_bad_account=is_bad, weight=weight)


def _folds(both: Samples) -> Iterator[tuple[Samples, Samples, Ints]]:
    """Stratified folds, since there is no clock: to learn from, for early stopping, and the rows that are scored."""
    fold = np.empty(len(both), np.int64)
    for kind in (both.is_bad, ~both.is_bad):
        fold[kind] = np.arange(kind.sum()) % FOLDS
    has_many = np.count_nonzero(both.weight) >= MANY
    for k in range(FOLDS):
        rows = np.flatnonzero(fold == k)
        if has_many:
            stop = fold == (k + 1) % FOLDS
            yield both.take((fold != k) & ~stop), both.take(stop), rows
        else:  # too few labels to spare any for early stopping
            yield both.take(fold != k), replace(both.take(rows), weight=np.zeros(len(rows))), rows


def _boosted(
    rows: NDArray[np.floating], learn: Samples, test: NDArray[np.floating], sizes: Sizes, seeds: Sequence[int]
) -> Doubles:
    """Mean score of the test rows over seeds."""
    import xgboost as xgb

    labelled = learn.weight > 0
    models = [xgb.XGBClassifier(random_state=seed, **XGBOOST, **sizes) for seed in seeds]
    fitted = [model.fit(rows[labelled], learn.is_bad[labelled]) for model in models]
    score: Doubles = np.mean([model.predict_proba(test)[:, 1] for model in fitted], axis=0).astype(np.float64)
    return score


def _shuffled(sequences: SequenceSplits, sizes: Sizes, shuffle: int) -> Doubles:
    train = sequences.train
    mixed = replace(train, is_bad=np.random.default_rng(shuffle).permutation(train.is_bad))
    return _boosted(mixed.rows, mixed, sequences.test.rows, sizes, SEEDS[:1])


def _labels(sequences: SequenceSplits, scores: dict[str, Doubles]) -> ScoredLabels:
    n = len(sequences.test)
    labels = ScoredLabels.of(np.arange(n, dtype=np.int32), np.zeros(n, np.int32), sequences.test.is_bad, scores)
    return replace(labels, is_new=np.ones(n, np.bool_), risks=(AGGREGATES,))
