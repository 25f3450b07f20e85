"""scikit-learn's isolation forest over the features (Liu, Ting and Zhou, 2008), kept as its own arrays, not pickled."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from pipeline.arrays import Doubles, Floats, Ints
from pipeline.errors import InputError
from pipeline.models.base.tabular import MAX_ROWS, Scale
from pipeline.models.parts import read_part, unreadable, write_part
from pipeline.models.samples import Samples
from pipeline.storage.files import write_atomically

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

TREES, ROWS_PER_TREE = 200, 256
CHUNK = 8192  # rows scored together: their descent stays in the cache
DECIMALS = 6
INTEGERS = ("roots", "column", "left", "right", "rows")
FOREST, ABOUT = "forest.safetensors", "about.json"


@dataclass(frozen=True)
class Forest:
    """The nodes of all trees, one tree after another. A leaf is its own child."""

    roots: Ints  # (trees,)
    column: Ints  # (nodes,)
    threshold: Doubles  # (nodes,) values up to it go left
    left: Ints
    right: Ints
    rows: Ints  # (nodes,) training rows that reached the node

    @classmethod
    def of(cls, grown: "IsolationForest") -> "Forest":
        """The arrays of a fitted forest."""
        trees = [estimator.tree_ for estimator in grown.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
        places = [root + np.arange(tree.node_count) for root, tree in zip(roots, trees, strict=True)]
        leaves = [tree.children_left < 0 for tree in trees]
        each = list(zip(roots, trees, places, leaves, grown.estimators_features_, strict=True))
        return cls(
            roots=roots.astype(np.int64),
            column=np.concatenate([chosen[np.where(leaf, 0, tree.feature)] for _, tree, _, leaf, chosen in each]),
            threshold=np.concatenate([tree.threshold for tree in trees]),
            left=np.concatenate([np.where(leaf, own, root + t.children_left) for root, t, own, leaf, _ in each]),
            right=np.concatenate([np.where(leaf, own, root + t.children_right) for root, t, own, leaf, _ in each]),
            rows=np.concatenate([tree.n_node_samples for tree in trees]),
        )

    @cached_property
    def path_below(self) -> Doubles:
        """Expected length of the path that would still isolate a row at each node."""
        return average_path(self.rows)

    def anomaly(self, rows: Floats, rows_per_tree: int) -> Doubles:
        """As minus scikit-learn's `score_samples`: near 1 is odd, below .5 is usual."""
        total, each = np.zeros(len(rows)), np.arange(len(rows))
        for root in self.roots:
            node = np.full(len(rows), root)
            while (is_inside := self.left[node] != node).any():
                total += is_inside
                goes_left = rows[each, self.column[node]] <= self.threshold[node]
                node = np.where(goes_left, self.left[node], self.right[node])
            total += self.path_below[node]
        usual = len(self.roots) * average_path(np.array([rows_per_tree]))[0]
        anomaly: Doubles = 2.0 ** (-total / usual)
        return anomaly

    def check(self, n_columns: int) -> None:
        """Raises ValueError if these are not trees over so many columns: a descent would fail, or never end."""
        if self.threshold.dtype != np.float64 or any(getattr(self, name).dtype != np.int64 for name in INTEGERS):
            raise ValueError("arrays of other types")
        nodes = len(self.column)
        itself = np.arange(nodes)
        is_leaf = self.left == itself
        if {len(array) for array in (self.threshold, self.left, self.right, self.rows)} != {nodes} or not len(
            self.roots
        ):
            raise ValueError("arrays of different lengths")
        inside = all(((array >= 0) & (array < nodes)).all() for array in (self.roots, self.left, self.right))
        if not inside or not ((self.column >= 0) & (self.column < n_columns)).all() or (self.rows < 1).any():
            raise ValueError("nodes or columns that do not exist")
        if ((self.right == itself) != is_leaf).any() or ((self.left < itself) | (self.right < itself)).any():
            raise ValueError("a tree that leads back to itself")


def average_path(n: NDArray[np.integer]) -> Doubles:
    """Average length of an unsuccessful search among n rows, c(n) of the paper."""
    many = np.maximum(n, 3).astype(np.float64)
    length = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, length))


class ForestAbout(Scale):
    """about.json: the columns' units, and how many rows each tree was grown from."""

    rows_per_tree: int


@dataclass(frozen=True)
class IsolationScorer:
    """A forest over signed logarithms: in linear units, one monster per column would take all the splits."""

    about: ForestAbout
    forest: Forest

    def score(self, samples: Samples, threads: int = 2) -> Doubles:
        rows = self.about.apply(samples).astype(np.float32)
        chunks = [rows[begin : begin + CHUNK] for begin in range(0, len(rows), CHUNK)]
        with ThreadPoolExecutor(threads) as pool:
            parts = pool.map(lambda chunk: self.forest.anomaly(chunk, self.about.rows_per_tree), chunks)
            scores: Doubles = np.concatenate([np.zeros(0), *parts])
        return scores.round(DECIMALS)

    def save(self, folder: Path) -> None:
        """Write forest.safetensors and about.json."""
        arrays = {field.name: getattr(self.forest, field.name) for field in fields(self.forest)}
        write_atomically(folder / FOREST, save(arrays))
        write_part(folder / ABOUT, self.about)


def fit(learn: Samples, stop: Samples, seed: int, threads: int, progress: bool) -> IsolationScorer:
    """Grow 200 trees on 256 ordinary user-days each. Raises InputError without any feature."""
    from sklearn.ensemble import IsolationForest

    learn = learn.ordinary()
    scale = Scale.of(learn, learn.columns)
    if not scale.columns:
        raise InputError("an isolation forest needs features", "found no column with a value")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(learn))[:MAX_ROWS])
    rows = scale.apply(learn.take(chosen)).astype(np.float32)
    grown = IsolationForest(n_estimators=TREES, max_samples=min(ROWS_PER_TREE, len(rows)), random_state=seed)
    grown.fit(rows)
    about = ForestAbout(**scale.model_dump(), rows_per_tree=grown.max_samples_)
    return IsolationScorer(about, Forest.of(grown))


def load(folder: Path) -> IsolationScorer:
    """Raises InputError if a file is missing, damaged, or does not fit the other."""
    about = read_part(folder / ABOUT, ForestAbout)
    try:
        arrays = load_file(folder / FOREST)
        forest = Forest(**{field.name: arrays[field.name] for field in fields(Forest)})
        forest.check(len(about.columns))
    except Exception as error:  # safetensors raises its own type, and OSError, and KeyError here
        raise unreadable(folder / FOREST, error) from None
    return IsolationScorer(about, forest)
