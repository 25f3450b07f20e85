"""Sequences of edits by Wikipedia editors, vandals or not: no clock, only order; the authors' own split."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.errors import InputError
from pipeline.models.fields import FIRST_KNOWN, CategoricalField, Fields, NumericField
from pipeline.models.samples import Samples
from pipeline.models.windows import Tokens, Windows
from pipeline.sql import parquet

FLAGS = tuple(f"f{i}" for i in range(9))  # unnamed; an edit has them or has not
SPLITS = ("train", "valid", "test")
MINUTE_US = 60_000_000
DAY = 20_000  # any: there is no clock
FIELDS = Fields(
    categorical=tuple(CategoricalField(name=name, values=("0", "1")) for name in FLAGS),
    numeric=(NumericField(name="flag_count", median=float(np.log(4)), scale=0.5),),
)


@dataclass(frozen=True)
class Edits:
    """One window per editor, with aggregates over its edits as features, by split."""

    train: Samples
    valid: Samples
    test: Samples


def read_edits(path: Path, steps: int) -> Edits:
    """The first `steps` edits of each editor. Raises InputError if the file is not there."""
    if not path.is_file():
        raise InputError(f"no edits at {path}", fix="name the folder of data with --data")
    flags = ", ".join(f"cast({name} > 0 as int) as {name}" for name in FLAGS)
    with duckdb.connect() as con:
        rows = con.sql(
            f"""select split || '_' || user_idx as editor, split, step, label, {flags}
                from {parquet([path])} where step < $steps order by editor, step""",
            params={"steps": steps},
        ).to_arrow_table()
    editor = rows["editor"].to_numpy()
    users, user = np.unique(editor, return_inverse=True)
    first = np.flatnonzero(np.append(True, user[1:] != user[:-1]))
    end = np.append(first[1:], len(user))
    has = np.column_stack([rows[name].to_numpy() for name in FLAGS])
    tokens = _tokens(users, user.astype(np.int32), rows["step"].to_numpy(), has)
    n = len(users)
    windows = Windows(np.arange(n, dtype=np.int32), np.full(n, DAY, np.int32), first, first, end)
    columns, cells = _aggregates(has, first, end)
    is_bad = rows["label"].to_numpy()[first] == 1
    everybody = Samples(tokens, FIELDS, windows, columns, cells, is_bad, is_bad, np.ones(n))
    split = rows["split"].to_numpy()[first]
    return Edits(*(everybody.take(split == name) for name in SPLITS))


def _tokens(users: np.ndarray, user: np.ndarray, step: np.ndarray, has: np.ndarray) -> Tokens:
    count = np.log1p(has.sum(axis=1)).astype(np.float32)
    [number] = FIELDS.numeric
    numbers = ((count - number.median) / number.scale).astype(np.float32)[:, None]
    return Tokens(
        users=pa.array(users),
        user=user,
        at=DAY * 1440 * MINUTE_US + step.astype(np.int64) * MINUTE_US,
        codes=(has + FIRST_KNOWN).astype(np.uint8),
        numbers=np.where(count[:, None] == 0, -np.inf, numbers).astype(np.float32),
    )


def _aggregates(has: np.ndarray, first: np.ndarray, end: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Per editor and flag: its share, whether the first and the last edit have it, and how often it changes."""
    length = end - first
    share = np.add.reduceat(has, first, axis=0) / length[:, None]
    changes = np.abs(np.diff(has, axis=0, prepend=has[:1]))
    changes[first] = 0
    parts = {
        "share": share,
        "first": has[first],
        "last": has[end - 1],
        "changes": np.add.reduceat(changes, first, axis=0),
    }
    columns = tuple(f"{name}_{part}" for part in parts for name in FLAGS)
    return columns, np.column_stack(list(parts.values())).astype(np.float32)
