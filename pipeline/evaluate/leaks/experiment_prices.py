"""The price list of leaks on an experiment's own events."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.evaluate.experiment import Experiment
from pipeline.evaluate.leaks.bench import Fold
from pipeline.evaluate.leaks.prices import Price, price_list
from pipeline.evaluate.leaks.user_days import EVENTS, LABELS
from pipeline.sql import parquet
from pipeline.storage import lake
from pipeline.warehouse import connect

LOOK_BACK_DAYS = 28  # of history before the first training day


def leak_prices(experiment: Experiment) -> list[Price]:
    """The price of each known leak, learning from days whose labels are all known. Empty without such days."""
    protocol, split, settings = experiment.protocol, experiment.split, experiment.settings
    assert protocol.test is not None
    delay = experiment.domain.label_delay_days
    last = min(split.stack_last, protocol.test[0] - timedelta(days=delay + 1))
    if last < split.stack_first:
        return []
    known_from = protocol.known_since or date.min
    fold = Fold((split.stack_first, last), protocol.test, delay, protocol.reviews, known_from)
    with connect(settings) as con:
        events, labels = _rows(con, experiment)
    return price_list(events, labels, fold, settings.seed, settings.threads)


def _rows(con: duckdb.DuckDBPyConnection, experiment: Experiment) -> tuple[pa.Table, pa.Table]:
    """The experiment's events with enough history before them, and all labels."""
    assert experiment.protocol.test is not None
    home, first = experiment.settings.home, experiment.split.stack_first - timedelta(days=LOOK_BACK_DAYS)
    files = lake.event_files(home, first, experiment.protocol.test[1])
    events = con.sql(f"select {', '.join(EVENTS)} from {parquet(_paths(home, files))}")
    labels = con.sql(f"select {', '.join(LABELS)} from {parquet(_paths(home, lake.label_files(home)))}")
    return events.to_arrow_table(), labels.to_arrow_table()


def _paths(home: Path, files: list[lake.LakeFile]) -> list[str]:
    return [str(home / file.path) for file in files]
