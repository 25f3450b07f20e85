"""Everything the referee measures on one test, floors and ceiling beside every contender."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.evaluate.bounds import with_bounds
from pipeline.evaluate.intervals import Metric, difference, draw, draw_recalls, estimate
from pipeline.evaluate.judged import Judged
from pipeline.evaluate.report import Contender, Data, Given, ListChanges, Pair, Report
from pipeline.evaluate.summary_contender import Test, measure_contender

METRICS: tuple[Metric, ...] = ("average_precision", "precision", "recall", "roc_auc")
EVERYBODY = "(everybody)"
ENOUGH = 20  # bad accounts of a group, for a verdict: with five, equals are told apart twice as often as they should be


def summary(
    judged: Judged,
    protocol: str,
    settings: Mapping[str, Any],
    *,
    reviews: int = 100,
    pairs: Sequence[tuple[str, str]] = (),
    changes: ListChanges | None = None,
    given: Given | None = None,
    known_from: NDArray[np.float64] | None = None,
    told_apart: Mapping[str, NDArray[np.bool_]] | None = None,
    repeats: int = 500,
    seed: int = 0,
) -> Report:
    """Judge every contender of `judged`, a random floor, an oracle, and of each of `pairs` the first by the second.

    `known_from` (n,): hours since 1970 from which a label told of the account, NaN where none did. `told_apart` are
    groups of bad user-days (n,) beside the typologies. Raises InputError where nothing is bad to judge by.
    """
    if not judged.is_bad.any():
        raise InputError(f"no bad user-day among the {len(judged):,} of the test", fix="choose days with known labels")
    test = Test(with_bounds(judged, reviews, seed), reviews, known_from, told_apart or {})
    names = list(test.judged.scores)
    if unknown := sorted({name for pair in pairs for name in pair} - set(names)):
        raise InputError(f"nobody of the test is called {unknown}", f"contenders: {', '.join(names)}")
    groups = {**test.groups, **test.typologies}
    by_group = draw_recalls(test.judged, names, {EVERYBODY: judged.is_bad, **groups}, repeats, seed, reviews)
    drawn = {"recall": by_group.pop(EVERYBODY)}
    drawn |= {
        metric: draw(test.judged, names, metric, repeats, seed, reviews) for metric in METRICS if metric not in drawn
    }
    is_enough = {group: len(np.unique(judged.user[is_in])) >= ENOUGH for group, is_in in groups.items()}
    contenders = [
        measure_contender(test, name, {metric: estimate(*drawn[metric], names.index(name)) for metric in METRICS})
        for name in names
    ]
    return Report(
        protocol=protocol,
        settings=dict(settings),
        reviews=reviews,
        repeats=repeats,
        data=_data(judged),
        contenders=sorted(contenders, key=_place),
        pairs=[
            Pair.of(a, b, metric, difference(*drawn[metric], names.index(a), names.index(b)))
            for a, b in pairs
            for metric in METRICS
        ],
        pairs_by_group=[
            Pair.of(a, b, "recall", difference(*found, names.index(a), names.index(b)), group, is_enough[group])
            for a, b in pairs
            for group, found in by_group.items()
        ],
        changes=changes,
        **dict(given or Given()),
    )


def _place(contender: Contender) -> tuple[int, float, str]:
    kinds = ("ceiling", "contender", "floor")
    return kinds.index(contender.kind), -(contender.average_precision.value or 0.0), contender.name


def _data(judged: Judged) -> Data:
    days = np.unique(judged.day)
    return Data(
        user_days=len(judged),
        bad_user_days=int(judged.is_bad.sum()),
        accounts=len(np.unique(judged.user)),
        bad_accounts=len(np.unique(judged.user[judged.is_bad])),
        new_accounts=len(np.unique(judged.user[judged.is_new])),
        days=len(days),
        first_day=date(1970, 1, 1) + timedelta(days=int(days[0])),
        last_day=date(1970, 1, 1) + timedelta(days=int(days[-1])),
        prevalence=float(judged.is_bad.mean()),
    )
