"""What the lists of a simulated shop's test days hold: expected beside found, and what surprise finds without labels.

    python benchmarks/lists_and_surprise.py [PROTOCOL] [--home DIR]

It prepares the protocol as `dawnlist evaluate` does, promotes the bundle if the product does, and publishes the lists
of the test days, from all active accounts. Everything else is measured as in `dawnlist evaluate`, without
accounts that were reported before their day.
"""

import argparse
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pipeline import daily
from pipeline.arrays import Doubles, Flags
from pipeline.evaluate import contenders
from pipeline.evaluate.experiment import Experiment, prepare
from pipeline.evaluate.protocol import Protocol
from pipeline.evaluate.rehearsal import published
from pipeline.evaluate.rehearsal.estimates import Estimate
from pipeline.evaluate.rehearsal.measures import Sums, way_result
from pipeline.evaluate.rehearsal.truth import ShopTruth
from pipeline.evaluate.truth import reported_accounts
from pipeline.models.days import day_number
from pipeline.models.reference import HISTORY_BINS
from pipeline.publish.audit import audit_slots
from pipeline.publish.ranking import cut_by_false_alarms
from pipeline.warehouse import connect

console = Console(width=120)


def published_lists(experiment: Experiment) -> Sums:
    """What came of all lists of the test days, beside the truth."""
    protocol, domain, home = experiment.protocol, experiment.domain, experiment.settings.home
    assert protocol.until is not None and protocol.test is not None and experiment.built.truth is not None
    request = {"home": home, "domain": protocol.domain, "as_of": experiment.as_of, "now": experiment.as_of}
    daily.promote_if_better(request | {"day": protocol.until}, experiment.built.bundle)
    first, last = protocol.test
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    listed = []
    with connect(experiment.settings) as con:
        reported = reported_accounts(con, home, last, experiment.as_of, None).to_pylist()
    for day in track(days, "publishing", console=Console(stderr=True), transient=True):
        daily.score_users(request | {"day": day})
        daily.publish_list(request | {"day": day})
        listed.append(replace(published(home, day, experiment.as_of, domain), known=known_before(day, reported)))
    return way_result(listed, ShopTruth.read(experiment.built.truth.parent), protocol.reviews).total


def known_before(day: date, reported: list[dict[str, int]]) -> frozenset[str]:
    return frozenset(str(row["user_id"]) for row in reported if row["known_day"] < day_number(day))


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


def listed_by_surprise(experiment: Experiment, surprise: Doubles) -> Flags:
    """Whether each account on the lists without labels is bad."""
    labels, domain, reviews = experiment.test.labels, experiment.domain, experiment.protocol.reviews
    slots, rows = reviews - audit_slots(reviews, domain.audit_share), []
    for day in np.unique(labels.day):
        of_day = np.flatnonzero(labels.day == day)
        ranked = of_day[np.lexsort((labels.user[of_day], -surprise[of_day]))]
        rows.append(ranked[: cut_by_false_alarms(surprise[ranked].tolist(), domain.false_alarms, slots).length])
    return labels.is_bad[np.concatenate(rows)]


def interval(found: Estimate | None) -> str:
    if found is None or found.value is None or found.high is None:
        return "none"
    return f"{found.value:.2f}, {found.low:.2f} to {found.high:.2f}"


def measured(experiment: Experiment) -> dict[str, str]:
    labels, reviews = experiment.test.labels, experiment.protocol.reviews
    scores = contenders.product(experiment, experiment.built.bundle)
    risk, surprise = scores[contenders.PRODUCT], scores[contenders.SURPRISE]
    lists, days = published_lists(experiment), len(np.unique(labels.day))
    is_bad, alarms = listed_by_surprise(experiment, surprise), experiment.domain.false_alarms
    return {
        "average precision": f"{labels.average_precision(risk):.3f}",
        f"bad accounts caught, {reviews} reviews a day": f"{labels.catch(risk, reviews).recall:.3f}",
        "average precision of surprise": f"{labels.average_precision(surprise):.3f}",
        f"caught by surprise, {reviews} reviews a day": f"{labels.catch(surprise, reviews).recall:.3f}",
        **by_history(experiment, surprise),
        "published lists: picked a day": f"{lists.picked / days:.1f}",
        "caught by them, of the bad accounts that were not reported before": f"{lists.caught} of "
        f"{lists.bad_accounts}, {lists.recall or 0:.3f}",
        "bad accounts expected among the picked, and found": f"{lists.expected or 0:.0f} and {lists.found}",
        "expected for each found, and its 90 % interval": interval(lists.expected_to_found),
        f"at false_alarms {alarms:g}: good and bad a day": f"{(~is_bad).sum() / days:.1f}, {is_bad.sum() / days:.1f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", nargs="?", default="shop", help="of a simulated shop: a name, or a YAML file")
    parser.add_argument("--home", type=Path, help="keep what is built here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "home"
        experiment = prepare(Protocol.load(options.protocol), None, home, quick=True)
        table = Table("what", "found", title=experiment.protocol.title)
        for what, value in measured(experiment).items():
            table.add_row(what, value)
    console.print(table)


if __name__ == "__main__":
    main()
