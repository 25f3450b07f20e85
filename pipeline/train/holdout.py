"""How a stacker did on its last block, for the manifest and the model card: every number between a floor and a ceiling.

Of ordinary accounts only a share may have been read; each then stands for as many as were left out, here as well.
Where days are learned from before all their labels are known, the known ones weigh for the missing ones; only in the
queue of reviews do the missing ones pass for good.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.evaluate.bounds import best_single_feature, oracle
from pipeline.evaluate.intervals import average_precision
from pipeline.evaluate.judged import Judged
from pipeline.evaluate.reliability import calibration_error
from pipeline.evaluate.reviews import Ints, Queue, accounts_of
from pipeline.evaluate.summary_contender import bad_by_typology
from pipeline.models import stacker
from pipeline.models.samples import Doubles, Flags, Samples
from pipeline.models.surprise import SURPRISE
from pipeline.models.windows import day_number
from pipeline.train.stacking import Plan, Stacked, Table, fit_booster

Names = NDArray[np.object_]


@dataclass(frozen=True)
class Block:
    """Later user-days under a budget that accounts left out of the samples take their part of."""

    samples: Samples
    typology: Names
    reviews: int  # a day

    @cached_property
    def account(self) -> Ints:
        return accounts_of(self.samples.windows.user)

    def oracle(self) -> Doubles:
        windows = self.samples.windows
        return oracle(Judged.of(windows.user, windows.day, self.samples.is_bad, {}), self.reviews)

    def average_precision(self, score: Doubles) -> float:
        return average_precision(score, self.samples.is_bad, self.samples.weight)

    def caught(self, score: Doubles) -> Doubles:
        """Whether each account is caught within the budget; a part of it where its review falls on the budget's end."""
        copies = np.ones(self.account.max(initial=-1) + 1)
        copies[self.account] = self.samples.stands_for
        queue = Queue.of(score, self.samples.is_bad, self.samples.windows.day, self.account)
        return queue.caught(copies, self.reviews)

    def precision(self, caught: Doubles) -> float:
        """Caught accounts per review."""
        return float(caught.sum() / (self.reviews * len(np.unique(self.samples.windows.day))))

    def both(self, score: Doubles) -> dict[str, float | None]:
        """Average precision, and precision at the review budget."""
        return {
            "average_precision": _rounded(self.average_precision(score)),
            "precision_at_reviews": _rounded(self.precision(self.caught(score))),
        }


def typologies_of(samples: Samples, bad: pa.Table) -> Names:
    """The kind of abuse of each bad user-day, by `known_bad_user_days`; None where none is given."""
    user = pc.index_in(bad.column("user_id"), value_set=samples.tokens.users).to_pylist()
    day = [day_number(day) for day in bad.column("event_day").to_pylist()]
    known = dict(zip(zip(user, day, strict=True), bad.column("typology").to_pylist(), strict=True))
    found: Names = np.full(len(samples), None, object)
    for row in np.flatnonzero(samples.is_bad):
        found[row] = known.get((int(samples.windows.user[row]), int(samples.windows.day[row])))
    return found


def judge(
    stacked: Stacked,
    samples: Samples,
    said: Mapping[str, Doubles],
    typology: Names,
    judge_first: int,
    plan: Plan,
) -> dict[str, Any]:
    """What the version that has not seen the days from `judge_first` on makes of them. `said` are the arms' columns."""
    is_later = samples.windows.day >= judge_first
    later, learned = (Block(samples.take(chosen), typology[chosen], plan.reviews) for chosen in (is_later, ~is_later))
    counts = {"user_days": len(later.samples), "bad": int(later.samples.is_bad.sum())}
    if not counts["bad"]:
        return counts
    risk = stacked.calibration.risk(stacked.forward[is_later])
    caught = later.caught(risk)
    surprise = {SURPRISE: later.both(said[SURPRISE][is_later])} if SURPRISE in said else {}
    weight = later.samples.weight
    base = np.average(later.samples.is_bad, weights=weight)
    kinds = sorted(_recalls(later, caught), key=lambda kind: (kind["recall"], kind["typology"]))
    return {
        **counts,
        "average_precision": _rounded(later.average_precision(risk)),
        "precision_at_reviews": _rounded(later.precision(caught)),
        "reviews_per_day": plan.reviews,
        "expected_calibration_error": _rounded(calibration_error(risk, later.samples.is_bad, weight), 5),
        "brier": _rounded(np.average((risk - later.samples.is_bad) ** 2, weights=weight), 5),
        "floor_random": _rounded(base),
        "floors": {
            "random": {"average_precision": _rounded(base), "precision_at_reviews": _rounded(_by_chance(later))},
            "single_feature": _single_feature(learned, later, plan.seed),
            **surprise,
        },
        "ceiling": later.both(later.oracle()),
        "typologies": kinds,
        "worst_typology": kinds[0]["typology"],
        "overfitting": _overfitting(stacked, samples, said, learned, later, is_later, plan),
    }


def _recalls(block: Block, caught: Doubles) -> Iterator[dict[str, Any]]:
    """Of the accounts with a kind of abuse, the share that is caught, on whichever of their bad days."""
    for name, these in bad_by_typology(block.samples.is_bad, block.typology).items():
        accounts = np.unique(block.account[these])
        recall = round(float(caught[accounts].mean()), 4)
        yield {"typology": name, "accounts": len(accounts), "user_days": int(these.sum()), "recall": recall}


def _by_chance(block: Block) -> float:
    """Precision to expect of a random order, before anybody is caught."""
    day = np.unique(block.samples.windows.day, return_inverse=True)[1]
    active, bad = np.bincount(day, block.samples.stands_for), np.bincount(day, block.samples.is_bad)
    return float((np.minimum(1, block.reviews / active) * bad).sum() / (block.reviews * len(active)))


def _single_feature(learned: Block, later: Block, seed: int) -> dict[str, Any]:
    """The feature and direction with the best average precision on the days learned from, on the later ones."""
    name, sign = best_single_feature(learned.samples, seed)
    score = sign * later.samples.column(name)
    return {"feature": name, "which": "most" if sign > 0 else "least", **later.both(score)}


def _overfitting(
    stacked: Stacked,
    samples: Samples,
    said: Mapping[str, Doubles],
    learned: Block,
    later: Block,
    is_later: Flags,
    plan: Plan,
) -> dict[str, Any]:
    """Average precision where it learned and where it did not; and of labels dealt out at random, which is chance."""
    place = {name: i for i, name in enumerate(samples.columns)}
    table: Table = {name: samples.rows[:, place[name]] if name in place else said[name] for name in stacked.columns}
    matrix = np.column_stack([column.astype(np.float32) for column in table.values()])
    score = stacker.predict(stacked.early, stacked.columns, matrix)
    rows = np.arange(len(samples))
    rows[~is_later] = np.random.default_rng(plan.seed).permutation(rows[~is_later])
    dealt = replace(samples, is_bad=samples.is_bad[rows], weight=samples.weight[rows])
    chance = fit_booster(dealt, table, plan, ~is_later)
    return {
        "user_days": len(learned.samples),
        "bad": int(learned.samples.is_bad.sum()),
        "average_precision_learned": _rounded(learned.average_precision(score[~is_later])),
        "average_precision_later": _rounded(later.average_precision(score[is_later])),
        "average_precision_labels_shuffled": _rounded(
            later.average_precision(stacker.predict(chance, stacked.columns, matrix[is_later]))
        ),
    }


def _rounded(value: float, digits: int = 4) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None
