"""The price list of leaks on a trial's own events."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline import lake
from pipeline.evaluate.leaks import Price, price_list
from pipeline.evaluate.leaks.user_days import EVENTS, LABELS
from pipeline.evaluate.trial import Trial
from pipeline.sql import parquet
from pipeline.warehouse import connect

LOOK_BACK_DAYS = 28  # of history before the first day learned from


def prices(trial: Trial) -> list[Price]:
    """What each known leak would have faked in this trial, learning from days all of whose labels are known.

    Nothing where there is no such day.
    """
    assert trial.protocol.test is not None
    cuts = trial.cuts
    matured = trial.protocol.test[0] - timedelta(days=trial.domain.label_delay_days + 1)
    last = min(cuts.stack_last, matured)
    if last < cuts.stack_first:
        return []
    with connect(trial.settings) as con:
        events, labels = _rows(con, trial)
        return price_list(
            events,
            labels,
            (cuts.stack_first, last),
            trial.protocol.test,
            trial.domain.label_delay_days,
            trial.protocol.reviews,
            trial.protocol.known_since,
            trial.settings.seed,
            trial.settings.threads,
        )


def _rows(con: duckdb.DuckDBPyConnection, trial: Trial) -> tuple[pa.Table, pa.Table]:
    """The trial's events, with enough before them to look back on, and all labels."""
    assert trial.protocol.test is not None
    home, first = trial.settings.home, trial.cuts.stack_first - timedelta(days=LOOK_BACK_DAYS)
    files = lake.event_files(home, first, trial.protocol.test[1])
    events = con.sql(f"select {', '.join(EVENTS)} from {parquet(_paths(home, files))}")
    labels = con.sql(f"select {', '.join(LABELS)} from {parquet(_paths(home, lake.label_files(home)))}")
    return events.to_arrow_table(), labels.to_arrow_table()


def _paths(home: Path, files: list[lake.LakeFile]) -> list[str]:
    return [str(home / file.path) for file in files]
