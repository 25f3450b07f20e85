"""An isolation forest over the features (Liu, Ting and Zhou, 2008): grown by scikit-learn, kept as plain arrays."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from pipeline.errors import InputError
from pipeline.files import write_atomically
from pipeline.models.arms import Arm
from pipeline.models.arms.saving import FIX, load_about, save_about
from pipeline.models.arms.tabular import MAX_ROWS, Scale, ordinary
from pipeline.models.samples import Doubles, Samples
from pipeline.models.windows import Ints

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

TREES, ROWS_PER_TREE = 200, 256
CHUNK = 8192  # rows scored together: their descent stays in the cache
DECIMALS = 6
TYPES = {"roots": np.int64, "column": np.int64, "threshold": np.float64, "below": np.int64, "above": np.int64}


@dataclass(frozen=True)
class Forest:
    """All trees' nodes one after another. At a leaf both ways lead to itself."""

    roots: Ints  # (trees,)
    column: Ints  # (nodes,)
    threshold: Doubles  # (nodes,) a value up to it goes below
    below: Ints
    above: Ints
    path: Doubles  # (nodes,) at a leaf: expected length of the path that isolates a row there
    depth: int

    @classmethod
    def of(cls, grown: "IsolationForest") -> "Forest":
        """The arrays of a fitted forest."""
        trees = [estimator.tree_ for estimator in grown.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
        below, above, column, path = [], [], [], []
        for root, tree, chosen in zip(roots, trees, grown.estimators_features_, strict=True):
            is_leaf = tree.children_left < 0
            itself = np.arange(tree.node_count)
            below.append(root + np.where(is_leaf, itself, tree.children_left))
            above.append(root + np.where(is_leaf, itself, tree.children_right))
            column.append(chosen[np.where(is_leaf, 0, tree.feature)])
            path.append(_depths(tree.children_left, tree.children_right) + average_path(tree.n_node_samples))
        return cls(
            roots=roots.astype(np.int64),
            column=np.concatenate(column).astype(np.int64),
            threshold=np.concatenate([tree.threshold for tree in trees]),
            below=np.concatenate(below).astype(np.int64),
            above=np.concatenate(above).astype(np.int64),
            path=np.concatenate(path),
            depth=max(tree.max_depth for tree in trees),
        )

    def anomaly(self, rows: NDArray[np.float32], rows_per_tree: int) -> Doubles:
        """2 to the minus (mean path to a row's leaf, as a share of the average): near 1 is odd, below .5 is not."""
        total = np.zeros(len(rows))
        each = np.arange(len(rows))
        for root in self.roots:
            node = np.full(len(rows), root)
            for _ in range(self.depth):
                goes_below = rows[each, self.column[node]] <= self.threshold[node]
                node = np.where(goes_below, self.below[node], self.above[node])
            total += self.path[node]
        usual = len(self.roots) * average_path(np.array([rows_per_tree]))[0]
        anomaly: Doubles = 2.0 ** (-total / usual)
        return anomaly


def average_path(n: NDArray[np.integer]) -> Doubles:
    """Average length of an unsuccessful search among n rows, c(n) of the paper: what a leaf of n still hides."""
    many = np.maximum(n, 3).astype(np.float64)
    length = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, length))


def _depths(left: Ints, right: Ints) -> Doubles:
    """Edges from the root to each node; children come after their parents."""
    depth = np.zeros(len(left))
    for node in np.flatnonzero(left >= 0):
        depth[[left[node], right[node]]] = depth[node] + 1
    return depth


class IsolationScale(Scale):
    """arm.json: the columns' units, and how many rows each tree saw."""

    rows_per_tree: int


@dataclass(frozen=True)
class IsolationScorer:
    """A forest over signed logarithms; linear units would not change it, logarithms keep one monster per column from
    taking all the splits."""

    scale: IsolationScale
    forest: Forest

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        rows = self.scale.apply(samples).astype(np.float32)
        with ThreadPoolExecutor(threads) as pool:
            parts = pool.map(lambda part: self.forest.anomaly(part, self.scale.rows_per_tree), _chunks(rows))
            scores: Doubles = np.concatenate([np.zeros(0), *parts])
        return scores.round(DECIMALS)

    def save(self, folder: Path) -> None:
        """Write forest.safetensors and arm.json."""
        arrays = {name: getattr(self.forest, name) for name in (*TYPES, "path")}
        write_atomically(folder / "forest.safetensors", save(arrays))
        save_about(folder, self.scale)


def _chunks(rows: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    for begin in range(0, len(rows), CHUNK):
        yield rows[begin : begin + CHUNK]


def fit(learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> IsolationScorer:
    """Grow 200 trees on 256 ordinary user-days each. Raises InputError if no feature is known."""
    from sklearn.ensemble import IsolationForest

    learn = ordinary(learn)
    scale = Scale.of(learn, learn.columns)
    if not scale.columns:
        raise InputError("an isolation forest needs features", "found no column with a known value")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(learn))[:MAX_ROWS])
    rows = scale.apply(learn.take(chosen)).astype(np.float32)
    grown = IsolationForest(n_estimators=TREES, max_samples=min(ROWS_PER_TREE, len(rows)), random_state=seed)
    grown.fit(rows)
    about = IsolationScale(**scale.model_dump(), rows_per_tree=grown.max_samples_)
    return IsolationScorer(about, Forest.of(grown))


def load(folder: Path) -> IsolationScorer:
    """Raises InputError if a file is missing, damaged, or does not fit the other."""
    scale = load_about(folder, IsolationScale)
    try:
        arrays = load_file(folder / "forest.safetensors")
        forest = _forest(arrays, len(scale.columns))
    except Exception as error:  # safetensors raises its own type, and OSError, and KeyError here
        raise InputError(f"cannot read the forest in {folder.name}", str(error), fix=FIX) from None
    return IsolationScorer(scale, forest)


def _forest(arrays: dict[str, NDArray[np.generic]], n_columns: int) -> Forest:
    """Raises ValueError or KeyError if the arrays are not a forest over so many columns."""
    roots, column, below, above = (arrays[name].astype(np.int64) for name in ("roots", "column", "below", "above"))
    threshold, path = (arrays[name].astype(np.float64) for name in ("threshold", "path"))
    nodes = len(column)
    itself = np.arange(nodes)
    is_leaf = below == itself
    if {len(array) for array in (below, above, threshold, path)} != {nodes} or not len(roots):
        raise ValueError("arrays of different lengths")
    inside = all(((array >= 0) & (array < nodes)).all() for array in (roots, below, above))
    if not inside or not ((column >= 0) & (column < n_columns)).all() or not np.isfinite(path).all():
        raise ValueError("nodes or columns that are not there")
    if ((above == itself) != is_leaf).any() or ((below < itself) | (above < itself)).any():
        raise ValueError("a tree that leads back to itself")
    depth, reached = 0, roots
    while not is_leaf[reached].all():
        reached = np.unique(np.concatenate([below[reached], above[reached]]))
        depth += 1
    return Forest(roots, column, threshold, below, above, path, depth)


ISOLATION_FOREST = Arm(
    "isolation_forest", "unsupervised", "features that a few random cuts set apart from all others", fit, load
)
