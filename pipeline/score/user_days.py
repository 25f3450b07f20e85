"""The scores of one day; for accounts that may reach the list, also the evidence against them."""

import json
from datetime import UTC, date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.arrays import Doubles, Ints, Names
from pipeline.catalogue import features
from pipeline.models import stacker
from pipeline.models.bundle import Bundle
from pipeline.models.days import DAY_US
from pipeline.models.feature_rows import read_user_days
from pipeline.models.scoring import Scored, apply, read_sequences
from pipeline.models.surprise import WORST
from pipeline.models.tokens.reading import look_up
from pipeline.score.neighbours import EMBEDDINGS, embeddings
from pipeline.settings import Settings

PERCENTILE_DECIMALS = 9  # a list of a million accounts asks for chances of a millionth
KEPT = 12  # contributions per account: reasons need three, the rest is for looking closer
LEAST_DEVIATION = 1.0  # robust standard deviations from which a feature is evidence

DETAILS = ("category", "channel", "amount", "quantity")  # of an event, where known

CONTRIBUTIONS = pa.schema(
    [
        ("user_id", pa.string()),
        ("feature", pa.string()),
        ("value", pa.float64()),
        ("contribution", pa.float64()),
    ]
)


def score_user_days(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    bundle: Bundle,
    user_days_path: Path,
    token_paths: list[Path],
    known: list[str],
    day: date,
    candidates: int,
    aside: Path,
) -> dict[str, Path]:
    """Write scores and embeddings of all user-days, by user_id, and contributions of the riskiest, to `aside`.

    `known`: the accounts that were known to be bad before the day. Returns the Parquet file of each table.
    """
    user_days = read_user_days(con, [user_days_path])
    written = {table: aside / f"{table}.parquet" for table in ("scores", "contributions", EMBEDDINGS)}
    if not len(user_days):
        pq.write_table(_no_scores(), written["scores"])
        pq.write_table(CONTRIBUTIONS.empty_table(), written["contributions"])
        no_codes = np.empty((0, bundle.unlabelled.autoencoders[0].to_code.out_features))
        pq.write_table(embeddings(bundle.manifest.id, day, pa.array([], pa.string()), no_codes), written[EMBEDDINGS])
        return written
    sequences = read_sequences(con, bundle, user_days.user_id.unique(), token_paths, (day, day))
    is_known = pc.is_in(sequences.tokens.users, value_set=pa.array(known, pa.string())).to_numpy(zero_copy_only=False)
    scored = apply(bundle, user_days, sequences, is_known[sequences.windows.user], settings.threads)
    percentile = scored.percentile.round(PERCENTILE_DECIMALS)
    level = scored.risk if scored.risk is not None else percentile
    likeliest = np.sort(np.lexsort((-scored.surprise.level, -level))[:candidates])
    today = next(path for path in token_paths if path.parent.name == f"day={day}")
    events = _top_events(con, today, bundle, scored, likeliest)
    scores = _scores(bundle, scored, percentile, events, likeliest)
    pq.write_table(scores, written["scores"], compression="zstd")
    pq.write_table(_contributions(bundle, scored, likeliest), written["contributions"], compression="zstd")
    codes = embeddings(bundle.manifest.id, day, scored.user_id, scored.surprise.code)
    pq.write_table(codes, written[EMBEDDINGS], compression="zstd")
    return written


def _scores(
    bundle: Bundle,
    scored: Scored,
    percentile: Doubles,
    events: list[str],
    likeliest: Ints,
) -> pa.Table:
    n = len(scored.sequences)
    unknown = pa.nulls(n, pa.float64())
    top_events: Names = np.full(n, None, object)
    top_events[likeliest] = events
    columns: dict[str, pa.Array] = {
        "user_id": scored.user_id,
        "risk": unknown if scored.risk is None else pa.array(scored.risk),
        "surprise_percentile": pa.array(percentile),
        "score_stacker": unknown if scored.score is None else pa.array(scored.score),
        "score_surprise": pa.array(scored.surprise.level),
        **{name: pa.array(values) for name, values in scored.base_models.items()},
        **scored.surprise.columns(bundle.unlabelled.fields),
        "history_event_count": pa.array(scored.surprise.history),
        "top_events": pa.array(top_events, pa.string()),
    }
    return pa.table(columns)


def _no_scores() -> pa.Table:
    """The scores of a day without users: the columns that publishing reads, and no rows."""
    names = ("risk", "surprise_percentile", "score_stacker", "score_surprise", "surprise")
    columns: dict[str, pa.DataType] = {"user_id": pa.string(), **dict.fromkeys(names, pa.float64())}
    return pa.schema([*columns.items(), ("top_events", pa.string())]).empty_table()


def _top_events(
    con: duckdb.DuckDBPyConnection, today: Path, bundle: Bundle, scored: Scored, likeliest: Ints
) -> list[str]:
    """The most surprising events of each candidate as JSON: what, when, how much, and which fields surprised."""
    surprise, users = scored.surprise, scored.user_id.to_pylist()
    asked = [(int(row), k) for row in likeliest for k in range(WORST) if surprise.worst_position[row, k] >= 0]
    first_today = dict(zip(likeliest.tolist(), _first_of_day(scored, likeliest), strict=True))
    ranks = [int(surprise.worst_position[row, k] - first_today[row]) for row, k in asked]
    details = look_up(con, today, [users[row] for row, _ in asked], ranks).to_pylist()
    events: dict[int, list[dict[str, Any]]] = {int(row): [] for row in likeliest}
    for (row, k), event in zip(asked, details, strict=True):
        fields = dict(zip(bundle.unlabelled.fields.names, surprise.worst_fields[row, k].round(2).tolist(), strict=True))
        events[row].append(
            {
                "event_id": event["event_id"],
                "at": event["event_at"].replace(tzinfo=UTC).isoformat(),
                "event_type": event["event_type"],
                **{name: event[name] for name in DETAILS if event[name] is not None},
                "surprise": round(float(np.nansum(surprise.worst_fields[row, k])), 2),
                "fields": dict(sorted(fields.items(), key=lambda item: -item[1])[:3]),
            }
        )
    return [json.dumps(events[int(row)], ensure_ascii=False) for row in likeliest]


def _first_of_day(scored: Scored, chosen: Ints) -> list[int]:
    """The place in the tokens of each day's first event. A window of 128 events may start after it."""
    tokens, windows = scored.sequences.tokens, scored.sequences.windows.take(chosen)
    user = np.searchsorted(tokens.user, windows.user, side="left")
    begins = windows.day.astype(np.int64) * DAY_US
    return [
        int(first + np.searchsorted(tokens.at[first:end], begin, side="left"))
        for first, end, begin in zip(user, windows.end, begins, strict=True)
    ]


def _contributions(bundle: Bundle, scored: Scored, likeliest: Ints) -> pa.Table:
    """The evidence against each candidate: TreeSHAP of the stacker, else how unusual its features are."""
    users = scored.user_id.take(pa.array(likeliest)).to_pylist()
    if bundle.stacker is not None and scored.matrix is not None:
        columns, values = bundle.manifest.columns, scored.matrix[likeliest]
        added = stacker.contributions(bundle.stacker, columns, values)
    else:
        columns = list(features())
        values = scored.rows[likeliest].astype(np.float64)
        added = _deviations(bundle, columns, values)
    rows = [
        (user, columns[i], None if np.isnan(values[n, i]) else float(values[n, i]), round(float(added[n, i]), 5))
        for n, user in enumerate(users)
        for i in np.argsort(-added[n], kind="stable")[:KEPT]
        if added[n, i] > 0
    ]
    return pa.Table.from_pylist([dict(zip(CONTRIBUTIONS.names, row, strict=True)) for row in rows], CONTRIBUTIONS)


def _deviations(bundle: Bundle, columns: list[str], values: Doubles) -> Doubles:
    """How far features lie above their usual value on ordinary training days, in robust deviations of the log.

    Only features count whose high values are odd in themselves. Others need labels to mean anything.
    """
    added = np.zeros_like(values)
    for i, name in enumerate(columns):
        if name not in bundle.manifest.spreads or not features()[name].speaks_alone:
            continue
        spread = bundle.manifest.spreads[name]
        logs = np.sign(values[:, i]) * np.log1p(np.abs(values[:, i]))
        added[:, i] = np.nan_to_num((logs - spread.median) / spread.scale)
    return np.where(added >= LEAST_DEVIATION, added, 0.0)
