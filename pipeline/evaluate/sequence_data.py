"""Sequences of events by users, with a label and a split for each user, and no clock: only order."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrays import Doubles, Ints, Names
from pipeline.errors import InputError
from pipeline.evaluate.protocol import Protocol, SequenceColumns
from pipeline.models.samples import Samples
from pipeline.models.tokens.fields import FIRST_KNOWN, MISSING, UNSEEN, CategoricalField, Fields, NumericField
from pipeline.models.tokens.windows import Tokens, Windows
from pipeline.sql import literal, parquet

SPLITS = ("train", "valid", "test")
MINUTE_US = 60_000_000
DAY = 20_000  # any: there is no clock
FLAG_COUNT = "flag_count"
MAX_VALUES, MIN_COUNT = 62, 3  # of a category's vocabulary


@dataclass(frozen=True)
class SequenceSplits:
    """One window per user, and aggregates over its events as features, by split."""

    train: Samples
    valid: Samples
    test: Samples


@dataclass(frozen=True)
class SequenceEvents:
    """N events, sorted by user and step. Flags are 0 or 1. Categories are None and numbers NaN where missing."""

    user: Names  # (N,)
    split: Names
    is_bad: NDArray[np.bool_]
    flags: Ints  # (N, F)
    categories: Names  # (N, C)
    numbers: Doubles  # (N, M)


def read_sequences(protocol: Protocol, data: Path | None) -> SequenceSplits:
    """The first steps of each user. Raises InputError if the file is missing, or lacks a column or a split."""
    assert protocol.sequence is not None
    path = data / protocol.events[0] if data is not None else None
    if path is None or not path.is_file():
        raise InputError(f"protocol {protocol.name} needs {protocol.events[0]}", fix="name its folder with --data")
    columns = protocol.sequence
    events = _read(path, columns, protocol.steps)
    if absent := sorted(set(SPLITS) - set(events.split)):
        raise InputError(
            f"{path.name} has no users of split {', '.join(absent)}",
            f"rows: {len(events.user):,}",
            fix="correct `sequence`",
        )
    users, user = np.unique(events.user, return_inverse=True)
    first = np.flatnonzero(np.append(True, user[1:] != user[:-1]))
    end = np.append(first[1:], len(user))
    fields = _fit_fields(events, columns)
    step = np.arange(len(user)) - first[user]
    tokens = Tokens(
        users=pa.array(users),
        user=user.astype(np.int32),
        at=DAY * 1440 * MINUTE_US + step * MINUTE_US,
        codes=_codes(events, columns, fields),
        numbers=_in_units(events, columns, fields),
    )
    n = len(users)
    windows = Windows(np.arange(n, dtype=np.int32), np.full(n, DAY, np.int32), first, first, first, end)
    names, rows = _aggregates(events, columns, fields, first, end)
    is_bad = events.is_bad[first]
    everybody = Samples(tokens, fields, windows, names, rows, is_bad, is_bad, np.ones(n))
    return SequenceSplits(*(everybody.take(events.split[first] == name) for name in SPLITS))


def _read(path: Path, columns: SequenceColumns, steps: int) -> SequenceEvents:
    source = f"read_csv({literal(str(path))})" if path.suffix == ".csv" else parquet([path])
    flags = [f"cast(coalesce({name} > 0, false) as bigint) as {name}" for name in columns.flags]
    categories = [f"cast({name} as varchar) as {name}" for name in columns.categories]
    numbers = [f"cast({name} as double) as {name}" for name in columns.numbers]
    with duckdb.connect() as con:
        con.execute("set enable_progress_bar = false")
        try:
            rows = con.sql(
                f"""select cast({columns.split} as varchar) || '_' || cast({columns.user} as varchar) as the_user,
                    cast({columns.split} as varchar) as the_split,
                    lower(cast({columns.label} as varchar)) in ('1', '1.0', 'true') as is_bad,
                    {", ".join([*flags, *categories, *numbers])}
                    from {source}
                    qualify row_number() over (partition by the_split, the_user order by {columns.step}) <= {steps}
                    order by the_user, {columns.step}"""
            ).to_arrow_table()
        except duckdb.Error as error:
            is_named = isinstance(error, duckdb.BinderException)  # other messages may quote a cell
            reason = str(error).splitlines()[0] if is_named else "a cell is not of the kind that the protocol says"
            raise InputError(f"{path.name} is not as the protocol says", reason, fix="correct `sequence`") from None
    return SequenceEvents(
        user=rows["the_user"].to_numpy(),
        split=rows["the_split"].to_numpy(),
        is_bad=rows["is_bad"].to_numpy(),
        flags=_stacked(rows, columns.flags, np.int64),
        categories=_stacked(rows, columns.categories, object),
        numbers=_stacked(rows, columns.numbers, np.float64),
    )


def _stacked(rows: pa.Table, names: tuple[str, ...], kind: type) -> np.ndarray:
    table: np.ndarray = np.empty((len(rows), len(names)), kind)
    for i, name in enumerate(names):
        table[:, i] = rows[name].to_numpy()
    return table


def _fit_fields(events: SequenceEvents, columns: SequenceColumns) -> Fields:
    """Vocabularies and units, from the training users only."""
    is_train = events.split == "train"
    flags = tuple(CategoricalField(name=name, values=("0", "1")) for name in columns.flags)
    categories = tuple(
        CategoricalField(name=name, values=_vocabulary(events.categories[is_train, i]))
        for i, name in enumerate(columns.categories)
    )
    numbers = tuple(_unit(name, _signed_log(events.numbers[is_train, i])) for i, name in enumerate(columns.numbers))
    if len(columns.flags) > 1:  # a typical event has a third of the flags
        numbers += (NumericField(name=FLAG_COUNT, median=float(np.log1p(len(columns.flags) / 3)), scale=0.5),)
    return Fields(categorical=flags + categories, numeric=numbers)


def _vocabulary(values: Names) -> tuple[str, ...]:
    """Most frequent first."""
    value, count = np.unique(np.array([one for one in values if one is not None], str), return_counts=True)
    order = np.lexsort((value, -count))
    return tuple(str(value[i]) for i in order if count[i] >= MIN_COUNT)[:MAX_VALUES]


def _unit(name: str, values: Doubles) -> NumericField:
    values = values[np.isfinite(values) & (values != 0)]
    if not len(values):
        return NumericField(name=name, median=0.0, scale=1.0)
    low, first, median, third, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    spread = max((third - first) / 1.349, (high - low) / 3.290)  # either is one standard deviation of a bell curve
    return NumericField(name=name, median=float(median), scale=float(spread) if spread > 1e-6 else 1.0)


def _signed_log(values: Doubles) -> Doubles:
    logs: Doubles = np.sign(values) * np.log1p(np.abs(values))
    return logs


def _codes(events: SequenceEvents, columns: SequenceColumns, fields: Fields) -> NDArray[np.uint8]:
    codes = np.empty((len(events.user), len(fields.categorical)), np.uint8)
    codes[:, : len(columns.flags)] = events.flags + FIRST_KNOWN
    for i, field in enumerate(fields.categorical[len(columns.flags) :]):
        code: dict[str | None, int] = {value: k + FIRST_KNOWN for k, value in enumerate(field.values)}
        code[None] = MISSING
        codes[:, len(columns.flags) + i] = [code.get(value, UNSEEN) for value in events.categories[:, i]]
    return codes


def _in_units(events: SequenceEvents, columns: SequenceColumns, fields: Fields) -> NDArray[np.float32]:
    """Signed logarithms in the units of `fields`; zero is minus infinity."""
    logs = _signed_log(events.numbers)
    if len(fields.numeric) > len(columns.numbers):
        logs = np.column_stack([logs, np.log1p(events.flags.sum(axis=1))])
    logs = logs.astype(np.float32)
    median, scale = (
        np.array([getattr(field, part) for field in fields.numeric], np.float32) for part in ("median", "scale")
    )
    units: NDArray[np.float32] = np.where(logs == 0, -np.inf, (logs - median) / scale).astype(np.float32)
    return units


def _aggregates(
    events: SequenceEvents, columns: SequenceColumns, fields: Fields, first: Ints, end: Ints
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Per user and column: the mean, the first and the last value, and the sum of changes.

    A category has a column for each value of its vocabulary.
    """
    categories = fields.categorical[len(columns.flags) :]
    values = [(i, value) for i, field in enumerate(categories) for value in field.values]
    is_value = [events.categories[:, i] == value for i, value in values]
    has = np.column_stack([events.flags, *is_value, events.numbers])
    names = (*columns.flags, *(f"{categories[i].name}={value}" for i, value in values), *columns.numbers)
    changes = np.abs(np.diff(has, axis=0, prepend=has[:1]))
    changes[first] = 0
    parts = {
        "share": np.add.reduceat(has, first, axis=0) / (end - first)[:, None],
        "first": has[first],
        "last": has[end - 1],
        "changes": np.add.reduceat(changes, first, axis=0),
    }
    rows = np.column_stack(list(parts.values())).astype(np.float32)
    return tuple(f"{name}_{part}" for part in parts for name in names), rows
