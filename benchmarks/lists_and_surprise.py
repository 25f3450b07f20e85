"""What the lists of a protocol's test days would hold: expected beside found, and what surprise finds without labels.

    python benchmarks/lists_and_surprise.py [PROTOCOL] [--home DIR]

It prepares the protocol as `dawnlist evaluate` does, and scores the test days with the product's bundle. Lists are cut
as the pack says, from accounts that were not reported before their day.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from pipeline.arrays import Doubles, Ints
from pipeline.evaluate import contenders
from pipeline.evaluate.experiment import Experiment, prepare
from pipeline.evaluate.protocol import Protocol
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.models.reference import HISTORY_BINS
from pipeline.publish.audit import audit_slots
from pipeline.publish.ranking import Cut, cut_by_false_alarms, cut_by_precision

console = Console(width=120)


def listed(labels: ScoredLabels, level: Doubles, cut: Callable[[list[float]], Cut]) -> Ints:
    """Rows of the lists of all test days: each day's accounts by `level`, up to where `cut` ends them."""
    rows = []
    for day in np.unique(labels.day):
        of_day = np.flatnonzero(labels.day == day)
        ranked = of_day[np.lexsort((labels.user[of_day], -level[of_day]))]
        rows.append(ranked[: cut(level[ranked].tolist()).length])
    return np.concatenate(rows)


def caught(labels: ScoredLabels, rows: Ints) -> str:
    bad, found = (np.unique(labels.account[chosen]) for chosen in (labels.is_bad, rows[labels.is_bad[rows]]))
    return f"{len(found)} of {len(bad)}, {len(found) / len(bad):.3f}"


def by_history(experiment: Experiment, surprise: Doubles) -> dict[str, str]:
    """Of the accounts with so many events before their first bad day, the share that surprise catches."""
    labels, history = experiment.test.labels, experiment.test.samples.windows.history
    bad_rows = np.flatnonzero(labels.is_bad)
    accounts, first = np.unique(labels.account[bad_rows], return_index=True)
    group = np.searchsorted(HISTORY_BINS, history[bad_rows[first]], side="right") - 1
    found = labels.catch(surprise, experiment.protocol.reviews)
    return {
        f"by surprise, {least} or more earlier events": f"{found.recall_among(accounts[group == n]):.3f} of "
        f"{(group == n).sum()}"
        for n, least in enumerate(HISTORY_BINS)
        if (group == n).any()
    }


def measured(experiment: Experiment) -> dict[str, str]:
    labels, domain, reviews = experiment.test.labels, experiment.domain, experiment.protocol.reviews
    scores = contenders.product(experiment, experiment.built.bundle)
    risk, surprise = scores[contenders.PRODUCT], scores[contenders.SURPRISE]
    days, slots = len(np.unique(labels.day)), reviews - audit_slots(reviews, domain.audit_share)
    by_risk = listed(labels, risk, lambda levels: cut_by_precision(levels, domain.min_precision, slots))
    by_surprise = listed(labels, surprise, lambda levels: cut_by_false_alarms(levels, domain.false_alarms, slots))
    expected, found, bad = risk[by_risk].sum(), labels.is_bad[by_risk].sum(), labels.is_bad[by_surprise]
    return {
        "average precision": f"{labels.average_precision(risk):.3f}",
        f"bad accounts caught, {reviews} reviews a day": f"{labels.catch(risk, reviews).recall:.3f}",
        "average precision of surprise": f"{labels.average_precision(surprise):.3f}",
        f"caught by surprise, {reviews} reviews a day": f"{labels.catch(surprise, reviews).recall:.3f}",
        **by_history(experiment, surprise),
        f"lists at min_precision {domain.min_precision}: accounts a day": f"{len(by_risk) / days:.1f}",
        "their bad accounts caught": caught(labels, by_risk),
        "their bad user-days, expected and found": f"{expected:.0f} and {found}, {expected / max(found, 1):.2f}",
        f"lists at false_alarms {domain.false_alarms:g}: good and bad accounts a day": f"{(~bad).sum() / days:.1f} and "
        f"{bad.sum() / days:.1f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", nargs="?", default="shop", help="one of protocols/, or a YAML file")
    parser.add_argument("--home", type=Path, help="keep what is built here")
    options = parser.parse_args()
    data = os.environ.get("RISK_DATASETS")
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "home"
        experiment = prepare(Protocol.load(options.protocol), Path(data) if data else None, home, quick=True)
        table = Table("what", "found", title=experiment.protocol.title)
        for what, value in measured(experiment).items():
            table.add_row(what, value)
    console.print(table)


if __name__ == "__main__":
    main()
