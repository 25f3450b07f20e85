"""The trial of sequences without a clock: arms, XGBoost on aggregates, and both, over the number of known labels."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from pipeline.arrays import Doubles
from pipeline.errors import InputError
from pipeline.evaluate.contenders import DEALS, SHUFFLED
from pipeline.evaluate.edits import Edits, read_edits
from pipeline.evaluate.intervals import Difference
from pipeline.evaluate.judged import Judged
from pipeline.evaluate.protocol import Protocol
from pipeline.evaluate.report import CurvePoint, Given, Pair, Report, Shuffle
from pipeline.evaluate.summary import summary
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.models.calibration import log_odds
from pipeline.models.samples import Samples
from pipeline.models.tokens.windows import Windows

Sizes = dict[str, int]

AGGREGATES = "XGBoost, aggregates"
AVERAGE = "average of XGBoost and the sequence arms"
STACK = "stack: XGBoost over aggregates, arms and surprise"
FOLDS = 4
MANY = 200  # labels of which some can be spared to say when to stop
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


def judge_sequences(protocol: Protocol, data: Path | None, arms: Sequence[str], console: Console) -> Report:
    """Every contender on the test editors with all labels; AUC over the number of labels for those that learn."""
    if data is None:
        raise InputError(f"protocol {protocol.name} needs a folder of data", fix="name it with --data")
    edits = read_edits(data / protocol.events[0], protocol.steps)
    with console.status("all labels"):
        sizes = chosen_sizes(edits)
        scores = contenders(edits, arms, sizes)
    drawn: dict[int, list[dict[str, Doubles]]] = {}
    asked = protocol.learning_curve
    for labels in asked.labels:
        with console.status(f"{labels} labels, {asked.repeats} draws"):
            some = [with_labels(edits, labels, repeat) for repeat in range(asked.repeats)]
            drawn[labels] = [contenders(each, asked.arms, sizes, SEEDS[:1]) for each in some]
    judged = _judged(edits, scores)
    given = Given(
        notes=["real editors, unnamed fields, no clock: order is all there is. Half of them are vandals."],
        learning_metric="ROC AUC",
        learning_unit="editors labelled",
        learning=_curves(edits, scores, drawn),
        shuffles=[Shuffle.of(SHUFFLED, [_shuffled(edits, sizes, deal) for deal in range(DEALS)], judged)],
    )
    pairs = [(name, AGGREGATES) for name in scores if name != AGGREGATES]
    settings = protocol.model_dump(mode="json") | {"xgboost": XGBOOST | sizes}
    report = summary(judged, protocol.title, settings, reviews=protocol.reviews, pairs=pairs, given=given)
    few = [pair for labels, draws in drawn.items() for pair in _pairs_with_few(edits, labels, draws)]
    return report.model_copy(update={"pairs": [*report.pairs, *few]})


def _curves(
    edits: Edits, scores: dict[str, Doubles], drawn: dict[int, list[dict[str, Doubles]]]
) -> dict[str, list[CurvePoint]]:
    """Mean, least and most ROC AUC of the draws of so many labels; and with all of them."""

    def points(name: str) -> Iterator[CurvePoint]:
        for labels, draws in sorted(drawn.items()):
            found = [_auc(draw[name], edits.test.is_bad) for draw in draws if name in draw]
            if found:
                yield CurvePoint(labels=labels, value=float(np.mean(found)), low=min(found), high=max(found))
        yield CurvePoint(labels=len(edits.train) + len(edits.valid), value=_auc(scores[name], edits.test.is_bad))

    few = {name for draws in drawn.values() for draw in draws for name in draw}
    return {name: list(points(name)) for name in scores if name in few}


def _auc(score: Doubles, is_bad: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_bad, score)) if 0 < is_bad.sum() < len(is_bad) else float("nan")


def _pairs_with_few(edits: Edits, labels: int, draws: list[dict[str, Doubles]]) -> Iterator[Pair]:
    """Each contender against XGBoost on aggregates with the same few labels: the mean over draws of labels.

    The interval draws again both who is labelled, from the draws there are, and who is in the test.
    """
    is_bad, random = edits.test.is_bad, np.random.default_rng(labels)
    resampled = [
        (random.integers(0, len(draws), len(draws)), random.integers(0, len(is_bad), len(is_bad)))
        for _ in range(REPEATS)
    ]

    def gain(name: str, which: np.ndarray, who: np.ndarray) -> float:
        pairs = [(draws[k][name][who], draws[k][AGGREGATES][who]) for k in which]
        return float(np.mean([_auc(a, is_bad[who]) - _auc(b, is_bad[who]) for a, b in pairs]))

    for name in draws[0]:
        if name != AGGREGATES and all(name in draw for draw in draws):
            value = gain(name, np.arange(len(draws)), np.arange(len(is_bad)))
            low, high = np.nanquantile([gain(name, *chosen) for chosen in resampled], [0.025, 0.975])
            a, b = (f"{each} ({labels} labels)" for each in (name, AGGREGATES))
            yield Pair.of(a, b, "roc_auc", Difference(value, float(low), float(high)))


def with_labels(edits: Edits, labels: int, repeat: int) -> Edits:
    """The same where only so many editors, half of them vandals, have a label; the rest weigh nothing."""
    random = np.random.default_rng([labels, repeat])
    bad = random.permutation(np.flatnonzero(edits.train.is_bad))[: labels // 2]
    good = random.permutation(np.flatnonzero(~edits.train.is_bad))[: labels - labels // 2]
    labelled = np.concatenate([bad, good])
    return Edits(_only(edits.train, labelled), _only(edits.valid, np.empty(0, np.int64)), edits.test)


def _only(samples: Samples, labelled: np.ndarray) -> Samples:
    """Of all others it is not known what they are: they are not left out of what learns without labels either."""
    weight = np.zeros(len(samples))
    weight[labelled] = 1.0
    is_bad = samples.is_bad & (weight > 0)
    return replace(samples, weight=weight, is_bad=is_bad, is_bad_account=is_bad)


def chosen_sizes(edits: Edits) -> Sizes:
    """Depth and number of trees that rank the validation editors best, of those tried."""
    found = [
        _auc(_boosted(edits.train.rows, edits.train, edits.valid.rows, sizes, SEEDS), edits.valid.is_bad)
        for sizes in TRIED
    ]
    return TRIED[int(np.argmax(found))]


def contenders(edits: Edits, arms: Sequence[str], sizes: Sizes, seeds: Sequence[int] = SEEDS) -> dict[str, Doubles]:
    """Scores of the test editors: each arm, XGBoost over aggregates, and what both say together."""
    train, valid, test = edits.train, edits.valid, edits.test
    both = train if not valid.weight.any() else _joined(train, valid)
    scores = {AGGREGATES: _boosted(both.rows, both, test.rows, sizes, seeds)}
    forward: dict[str, Doubles] = {}
    for name in arms:
        said = [BASE_MODELS[name].fit(train, valid, seed, 2, False).score(test) for seed in seeds]
        scores[name] = np.mean(said, axis=0)
        forward[name] = np.full(len(both), np.nan)
        for learn, stop, rows in _folds(both):
            forward[name][rows] = BASE_MODELS[name].fit(learn, stop, seeds[0], 2, False).score(both.take(rows))
    if forward:
        learned = np.column_stack([both.rows, *forward.values()])
        judged = np.column_stack([test.rows, *(scores[name] for name in forward)])
        scores[STACK] = _boosted(learned, both, judged, sizes, seeds)
        sequence = [scores[name] for name in arms if BASE_MODELS[name].kind == "supervised"]
        if sequence:
            scores[AVERAGE] = np.mean([log_odds(scores[AGGREGATES]), np.mean(sequence, axis=0)], axis=0)
    return scores


def _joined(train: Samples, valid: Samples) -> Samples:
    """Both parts, which share their tokens."""
    windows = Windows(
        *(
            np.concatenate([getattr(part.windows, name) for part in (train, valid)])
            for name in ("user", "day", "start", "today", "end")
        )
    )
    is_bad = np.concatenate([train.is_bad, valid.is_bad])
    rows = np.concatenate([train.rows, valid.rows])
    weight = np.concatenate([train.weight, valid.weight])
    return replace(train, windows=windows, rows=rows, is_bad=is_bad, is_bad_account=is_bad, weight=weight)


def _folds(both: Samples) -> Iterator[tuple[Samples, Samples, np.ndarray]]:
    """Without a clock: to learn from, to stop by, and those scored, who are in neither; as many vandals in each."""
    fold = np.empty(len(both), np.int64)
    for kind in (both.is_bad, ~both.is_bad):
        fold[kind] = np.arange(kind.sum()) % FOLDS
    has_many = np.count_nonzero(both.weight) >= MANY
    for k in range(FOLDS):
        rows = np.flatnonzero(fold == k)
        if has_many:
            stop = fold == (k + 1) % FOLDS
            yield both.take((fold != k) & ~stop), both.take(stop), rows
        else:  # too few to spare any: how long to learn is not asked of labels
            yield both.take(fold != k), replace(both.take(rows), weight=np.zeros(len(rows))), rows


def _boosted(rows: np.ndarray, learn: Samples, test: np.ndarray, sizes: Sizes, seeds: Sequence[int]) -> Doubles:
    import xgboost as xgb

    labelled = learn.weight > 0
    models = [xgb.XGBClassifier(random_state=seed, **XGBOOST, **sizes) for seed in seeds]
    fitted = [model.fit(rows[labelled], learn.is_bad[labelled]) for model in models]
    score: Doubles = np.mean([model.predict_proba(test)[:, 1] for model in fitted], axis=0).astype(np.float64)
    return score


def _shuffled(edits: Edits, sizes: Sizes, deal: int) -> Doubles:
    mixed = replace(edits.train, is_bad=np.random.default_rng(deal).permutation(edits.train.is_bad))
    return _boosted(mixed.rows, mixed, edits.test.rows, sizes, SEEDS[:1])


def _judged(edits: Edits, scores: dict[str, Doubles]) -> Judged:
    n = len(edits.test)
    return Judged(
        user=np.arange(n, dtype=np.int32),
        day=np.zeros(n, np.int32),
        is_bad=edits.test.is_bad,
        typology=np.array(["vandal" if is_bad else None for is_bad in edits.test.is_bad], object),
        is_new=np.ones(n, np.bool_),
        first_bad_at=np.full(n, np.nan),
        scores=scores,
        risks=(AGGREGATES,),
    )
